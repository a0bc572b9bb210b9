// Runs attempts as processes of this machine. Each is watched by a small process of its own (a shim, forked from
// slipway-shimd), so tasks outlive the daemon and are found again by a later one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "slipway/base/log.h"
#include "slipway/base/result.h"
#include "slipway/base/time.h"
#include "slipway/exec/executor.h"
#include "slipway/exec/limits.h"

namespace slipway::exec {

struct LocalOptions {
  std::filesystem::path home;                      // absolute; a folder of mode 0700 that only one daemon uses
  std::uint64_t log_bytes_max = 64U << 20U;        // per attempt; what a task prints beyond it is dropped, and says so
  Duration shimd_idle = std::chrono::seconds(60);  // how long slipway-shimd stays without tasks and without a daemon
  int processes_max = 4096;                        // of an attempt with limits, where they can be counted
  GroupPlaces groups;                              // of control groups
  std::filesystem::path secrets = "/dev/shm";      // in memory; files with secrets, while their attempts run
  // How many attempts run at a time, services aside; what is launched beyond waits here for its turn, in order. 0: all.
  int slots = 0;
  std::filesystem::path boot_id_file = "/proc/sys/kernel/random/boot_id";
};

// An executor with one I/O thread of its own, from which `sink` is called. The sink must outlive it, or be safe to call
// until it is destroyed; no report is sent before the first launch or adopt. Destroying it leaves the tasks running.
// Every attempt it watches takes one file descriptor: raise RLIMIT_NOFILE for thousands.
//
// To what the spec's environment does not set itself it adds SLIPWAY_ATTEMPT_ID, SLIPWAY_OUTPUT, SLIPWAY_WORKSPACE
// and SLIPWAY_ARTIFACTS; for a service PORT and SLIPWAY_PORT are always its own.
[[nodiscard]] Result<std::unique_ptr<Executor>> make_local_executor(LocalOptions options, ReportSink& sink,
                                                                    const Clock& clock, Logger log);

}  // namespace slipway::exec
