#include "exec/exit_file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "slipway/base/fd.h"
#include "slipway/base/file.h"
#include "slipway/exec/attempt_folder.h"

namespace slipway::exec {
namespace {

constexpr std::size_t kExitBytesMax = 64U << 10U;
constexpr std::size_t kOutputBytesMax = 4096;

// The task may have left anything under the name: only a regular file counts, and nothing here can block.
void read_output(const std::filesystem::path& file, Exited& out) {
  const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return;
  std::string text(kOutputBytesMax + 1, '\0');
  std::size_t used = 0;
  while (used < text.size()) {
    const ssize_t got = ::read(fd.get(), text.data() + used, text.size() - used);
    if (got <= 0) break;
    used += static_cast<std::size_t>(got);
  }
  text.resize(used);
  out.output_too_large = used > kOutputBytesMax;
  if (!out.output_too_large) out.output = std::move(text);
}

std::optional<Instant> instant(const Value& exit, std::string_view key) {
  const auto parsed = parse_rfc3339(exit.get_string(key));
  return parsed ? std::optional(*parsed) : std::nullopt;
}

bool flag(const Value& exit, std::string_view key) {
  const Value* member = exit.find(key);
  return member != nullptr && member->is_bool() && member->as_bool();
}

Exited exited(const std::filesystem::path& folder, const AttemptId& id, const Value& exit, Instant ended) {
  Exited report{.id = id, .at = ended, .exit_code = static_cast<int>(exit.get_int("exit_code"))};
  report.oom = flag(exit, "oom");
  report.message = exit.get_string("message");
  report.failure = run::kFailureClasses.parse(exit.get_string("failure")).value_or(run::FailureClass::None);
  const auto signal = static_cast<int>(exit.get_int("signal"));
  if (report.message.empty() && signal != 0)
    report.message = std::string("ended by signal ") + std::to_string(signal) + " (" + ::strsignal(signal) + ")";
  if (report.oom) report.message = "killed for lack of memory";
  read_output(folder / "output.json", report);
  return report;
}

}  // namespace

Result<std::optional<Ending>> read_ending(const std::filesystem::path& home, const AttemptId& id) {
  const auto folder = attempt_folder(home, id);
  const auto text = read_whole_file(folder / "exit", kExitBytesMax);
  if (!text && text.error().code == ErrorCode::NotFound) return std::optional<Ending>();
  if (!text && text.error().code == ErrorCode::Io) return text.error();
  const auto exit = text ? parse_json(*text) : Result<Value>(text.error());
  const auto ended = exit ? instant(*exit, "ended_at") : std::nullopt;
  if (!ended) {
    const Lost lost{id, "the file " + (folder / "exit").string() + " cannot be understood", true};
    return std::optional(Ending{{}, {}, lost});
  }
  const std::string process = std::to_string(exit->get_int("pid")) + ":" + std::to_string(exit->get_int("start_ticks"));
  if (flag(*exit, "started"))
    return std::optional(Ending{process, instant(*exit, "started_at"), exited(folder, id, *exit, *ended)});
  const auto failure = run::kFailureClasses.parse(exit->get_string("failure")).value_or(run::FailureClass::Launch);
  return std::optional(Ending{process, {}, LaunchFailed{id, failure, exit->get_string("message")}});
}

}  // namespace slipway::exec
