// The services that run on this machine. Functions of the home folder alone: they work with and without a daemon, from
// any thread.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "slipway/base/ids.h"
#include "slipway/base/result.h"
#include "slipway/base/time.h"

namespace slipway::exec {

struct ServiceStatus {
  ServiceId name;
  DagId dag;
  std::string revision;  // id of the attempt that deployed what is live
  std::string url;       // of the front port
  int port = 0;          // the front port
  std::optional<Instant> since;
  bool front_up = false;      // somebody listens on the front port for it
  bool revision_up = false;   // its supervisor lives; the server itself may just be starting again
  std::filesystem::path log;  // of the live revision, CRI log format; log.1 beside it is older
};

// Every service with a live revision, by name. After a restart of the machine they are listed as down until the next
// deploy: their secrets are in no file.
[[nodiscard]] std::vector<ServiceStatus> list_services(const std::filesystem::path& home);

// Ends the live revision (TERM, grace, KILL) and then the front. Waits until both are gone, at most `timeout`.
// NotFound: no such service; TimedOut: told to end, and still there.
[[nodiscard]] Result<void> stop_service(const std::filesystem::path& home, const ServiceId& name, Duration timeout);

}  // namespace slipway::exec
