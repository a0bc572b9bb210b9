// Whom to suspect when the process dies. What a thread works on is named before the work, so that the next process
// knows it; what three processes died of is set aside, and the rest goes on without it.
#pragma once

#include <string>
#include <string_view>

#include "slipway/base/error.h"
#include "slipway/base/time.h"

namespace slipway {

// Something that is not touched any more until somebody releases it.
struct SetAside {
  std::string subject;  // "run 01JD…", "dag nightly", "file nightly.yaml"
  Instant at;           // when it was set aside
  int aborts = 0;       // of how many processes it was the end
};

// One thread, the one that works.
class Suspects {
 public:
  virtual ~Suspects() = default;
  // From now on the thread works on this; empty: on nothing that could be left out. Cheap: no system call.
  virtual void work_on(std::string_view subject) = 0;
  [[nodiscard]] virtual bool is_set_aside(std::string_view subject) const = 0;
};

[[nodiscard]] inline std::string suspect_run(std::string_view id) { return "run " + std::string(id); }
[[nodiscard]] inline std::string suspect_dag(std::string_view id) { return "dag " + std::string(id); }
// A file in one of its versions: once it is edited it gets another chance.
[[nodiscard]] inline std::string suspect_file(std::string_view name, std::string_view version) {
  return "file " + std::string(name) + "@" + std::string(version.substr(0, 12));
}

// Why nothing is done about what is set aside.
[[nodiscard]] inline Error set_aside_error() {
  return {ErrorCode::Conflict, "it is set aside: the daemon aborted again and again while it worked on it",
          "`slipway doctor` names it, `slipway db release` takes it up again"};
}

// The same as the error of a DAG's file.
[[nodiscard]] inline std::string set_aside_text(const std::string& subject) {
  const Error error = set_aside_error().in(subject);
  return error.message + "; " + error.help;
}

}  // namespace slipway
