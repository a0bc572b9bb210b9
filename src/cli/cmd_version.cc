#include <CLI/CLI.hpp>
#include <ostream>

#include "cli/exit_code.h"
#include "cli/print.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "cli/version.h"

namespace slipway::cli {

Handler setup_version(CLI::App&) {
  return [](Session& session) {
    if (for_programs(session.format()))
      print_body(session, Value::Object{{"version", kVersion}}, {"", "version", {}});
    else
      session.out << "slipway " << kVersion << "\n";
    return kOk;
  };
}

}  // namespace slipway::cli
