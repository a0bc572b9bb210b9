#include "cli/dag_files.h"

#include <filesystem>
#include <map>
#include <ostream>

#include "cli/exit_code.h"
#include "cli/session.h"

#include "slipway/base/file.h"
#include "slipway/base/log.h"
#include "slipway/dag/parse.h"
#include "slipway/dagdir/watcher.h"

namespace slipway::cli {

CheckedFile check_text(SourceText source, const dag::Companions& beside) {
  CheckedFile checked{std::move(source), {}, {}, beside};
  auto parsed = dag::parse(checked.source, beside);
  checked.diagnostics = std::move(parsed.diagnostics);
  checked.diagnostics.sort();
  if (!checked.diagnostics.has_errors()) checked.dag = std::move(parsed.value);
  return checked;
}

Result<CheckedFile> check_file(const std::string& path) {
  SLIPWAY_TRY_ASSIGN(std::string text, read_whole_file(path, kFileBytesMax));
  const SourceText source{path, std::move(text)};
  const std::string folder = std::filesystem::path(absolute_path(path)).parent_path().string();
  return check_text(source, dagdir::read_beside(folder, folder, source));
}

Result<std::vector<CheckedFile>> check_paths(const std::vector<std::string>& paths) {
  std::vector<CheckedFile> files;
  for (const std::string& path : paths) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(path, ignored)) {
      SLIPWAY_TRY_ASSIGN(CheckedFile checked, check_file(path));
      files.push_back(std::move(checked));
      continue;
    }
    SLIPWAY_TRY_ASSIGN(auto found, dagdir::read_folder(path, Logger()));
    for (auto& file : found)
      files.push_back(
          check_text({(std::filesystem::path(path) / file.name).string(), std::move(file.text)}, file.beside));
  }
  std::map<DagId, std::string> seen;
  for (CheckedFile& file : files) {
    if (!file.dag) continue;
    const auto [first, fresh] = seen.emplace(file.dag->id, file.source.name);
    if (!fresh)
      file.diagnostics.error("duplicate-dag", {1, 1, 1, 1},
                             "DAG `" + file.dag->id.str() + "` is already defined in " + first->second,
                             "give one of them another id");
  }
  return files;
}

Result<CheckedFile> find_dag(Session& session, const std::string& name) {
  std::error_code ignored;
  if (std::filesystem::exists(name, ignored)) return check_file(name);
  SLIPWAY_TRY_ASSIGN(const Value body, session.call("GET", "/dags/" + http::percent_encode(name) + "/source"));
  const SourceText source{body.get_string("file", name), body.get_string("text")};
  dag::Companions beside;
  if (const Value* files = body.find("files"); files != nullptr && files->is_object())
    for (const auto& [file, text] : files->as_object())
      if (text.is_string()) beside.emplace(file, text.as_string());
  return check_text(source, beside);
}

int print_problems(Session& session, const CheckedFile& file) {
  for (const Diagnostic& diagnostic : file.diagnostics.items()) session.err << render(diagnostic, file.source) << "\n";
  return kInvalid;
}

}  // namespace slipway::cli
