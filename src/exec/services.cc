#include "slipway/exec/services.h"

#include <poll.h>

#include <algorithm>
#include <set>
#include <system_error>

#include "exec/process_table.h"
#include "exec/shim_protocol.h"
#include "slipway/base/file.h"
#include "slipway/base/value.h"

namespace slipway::exec {
namespace {

constexpr std::size_t kLiveBytesMax = 64U << 10U;

std::filesystem::path services_folder(const std::filesystem::path& home) { return home / "services"; }

std::filesystem::path front_lock(const std::filesystem::path& folder, std::int64_t port) {
  return folder / ("front." + std::to_string(port));
}

std::optional<Value> read_live(const std::filesystem::path& folder) {
  const auto text = read_whole_file(folder / "live", kLiveBytesMax);
  const auto live = text ? parse_json(*text) : Result<Value>(text.error());
  return live && live->is_object() ? std::optional(*live) : std::nullopt;
}

ServiceStatus status_of(const std::filesystem::path& folder, const Value& live) {
  ServiceStatus status;
  const auto revision = folder / live.get_string("folder");
  status.name = ServiceId(folder.filename().string());
  status.dag = DagId(live.get_string("dag"));
  status.revision = live.get_string("revision");
  status.port = static_cast<int>(live.get_int("front_port"));
  status.url = "http://127.0.0.1:" + std::to_string(status.port);
  if (const auto since = parse_rfc3339(live.get_string("since"))) status.since = *since;
  status.front_up = lock_holder(front_lock(folder, status.port)) > 0;
  status.revision_up = lock_holder(revision / "lock") > 0;
  status.log = revision / "log";
  return status;
}

// Asks the holder of a lock to end.
std::optional<Fd> end_holder(const std::filesystem::path& lock) {
  const pid_t pid = lock_holder(lock);
  if (pid <= 0) return std::nullopt;
  Fd process = open_process(pid, start_ticks_of(pid));
  // Asked again: the number cannot have been given to another while the lock is held by it.
  if (!process || lock_holder(lock) != pid) return std::nullopt;
  signal_process(process, shim::kStopSignal);
  return process;
}

// True if it has ended by then.
bool await_end(const Fd& process, MonoInstant deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SystemClock().monotonic()).count();
  pollfd wait{process.get(), POLLIN, 0};
  return ::poll(&wait, 1, static_cast<int>(std::max<std::int64_t>(left, 0))) == 1;
}

}  // namespace

std::vector<ServiceStatus> list_services(const std::filesystem::path& home) {
  std::vector<ServiceStatus> services;
  std::error_code ignored;
  for (std::filesystem::directory_iterator it(services_folder(home), ignored), end; it != end; it.increment(ignored))
    if (const auto live = read_live(it->path())) services.push_back(status_of(it->path(), *live));
  std::sort(services.begin(), services.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return services;
}

Result<void> stop_service(const std::filesystem::path& home, const ServiceId& name, Duration timeout) {
  const auto folder = services_folder(home) / name.str();
  const auto live = is_id(name.str()) ? read_live(folder) : std::nullopt;
  if (!live) return Error{ErrorCode::NotFound, "there is no service `" + name.str() + "`", {}};
  const MonoInstant deadline = SystemClock().monotonic() + timeout;
  // The front last: it tells callers that the service is away.
  for (const auto& lock :
       {folder / live->get_string("folder") / "lock", front_lock(folder, live->get_int("front_port"))}) {
    const auto process = end_holder(lock);
    if (process && !await_end(*process, deadline))
      return Error{ErrorCode::TimedOut, "service `" + name.str() + "` was told to end and has not", {}};
  }
  std::error_code error;
  std::filesystem::remove(folder / "live", error);
  return error ? Result<void>(errno_error((folder / "live").string(), error.value())) : Result<void>();
}

}  // namespace slipway::exec
