// Starting and ending a daemon in the background, by the state file it leaves in its home.
#pragma once

#include <optional>
#include <string>

#include "slipway/base/result.h"
#include "slipway/base/time.h"

namespace slipway::cli {

// <home>/daemon.json, as the daemon wrote it.
struct DaemonState {
  std::string url;
  int pid = 0;
  std::string dags;
};
// nullopt if there is none, or if that process does not run any more.
[[nodiscard]] std::optional<DaemonState> running_daemon(const std::string& home);

// Sends TERM and waits for the end; TimedOut if it does not come.
[[nodiscard]] Result<void> stop_process(int pid, Duration limit);

// The absolute path of this program.
[[nodiscard]] std::string own_path();

// Splits a process in two. In the child (detached: session of its own, stdio to `log_file`), returns a notifier's file
// descriptor; in the parent, waits for what the child reports and returns it. The line "ready …" means success.
struct Detached {
  bool is_child = false;
  int report_fd = -1;  // child: write one line to it, then close
  std::string report;  // parent: the line, empty if the child ended without one
};
[[nodiscard]] Result<Detached> detach(const std::string& log_file);

}  // namespace slipway::cli
