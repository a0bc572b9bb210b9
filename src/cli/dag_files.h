// DAG files from the command line, parsed and checked as the daemon would.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "slipway/base/diagnostics.h"
#include "slipway/dag/dag.h"

namespace slipway::cli {

class Session;

struct CheckedFile {
  SourceText source;
  std::optional<dag::Dag> dag;  // set unless a diagnostic is an error
  Diagnostics diagnostics;      // in file order
  dag::Companions beside;       // what it takes in
};

[[nodiscard]] CheckedFile check_text(SourceText source, const dag::Companions& beside = {});
[[nodiscard]] Result<CheckedFile> check_file(const std::string& path);
// Files as given; a folder stands for the *.yaml and *.yml below it that are no manifests. Two files with one id are an
// error of the second.
[[nodiscard]] Result<std::vector<CheckedFile>> check_paths(const std::vector<std::string>& paths);

// A path that exists is a file; anything else is the id of a DAG that the daemon knows.
[[nodiscard]] Result<CheckedFile> find_dag(Session& session, const std::string& name);
// Tells every problem on stderr; the exit code for it.
int print_problems(Session& session, const CheckedFile& file);

}  // namespace slipway::cli
