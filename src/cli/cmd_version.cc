#include <CLI/CLI.hpp>
#include <ostream>

#include "cli/exit_code.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "cli/version.h"

namespace slipway::cli {

Handler setup_version(CLI::App&) {
  return [](Session& session) {
    if (session.format() == Format::Json) {
      session.out << Value(Value::Object{{"version", kVersion}}).dump() << "\n";
    } else {
      session.out << "slipway " << kVersion << "\n";
    }
    return kOk;
  };
}

}  // namespace slipway::cli
