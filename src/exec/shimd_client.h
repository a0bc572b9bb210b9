// The connection to slipway-shimd: starts it where needed, sends launches, receives what shims answer. Used by one
// thread. The protocol: docs/formats/shimd.md.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "exec/limit_groups.h"
#include "exec/shim_protocol.h"
#include "slipway/base/fd.h"
#include "slipway/base/log.h"
#include "slipway/base/result.h"
#include "slipway/exec/executor.h"

namespace slipway::exec {

struct ShimReply {
  shim::Kind kind = shim::Kind::Failed;  // Started, Exists or Failed
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;
  Instant at;
  std::string folder;  // "attempts/RUN/TASK.N"
  std::string message;
};

class ShimdClient {
 public:
  ShimdClient(std::filesystem::path home, Duration idle, Logger log);

  // Connects, if it is not, to a shimd of exactly this build: starts one, or retires another one first. May block for
  // some milliseconds, and for a few seconds where shimd does not answer.
  [[nodiscard]] Result<void> connect();
  void disconnect();
  [[nodiscard]] bool is_connected() const { return static_cast<bool>(connection_); }
  // For polling: replies, and shimd's end. Shims share the connection until they have answered, so that only the
  // second tells reliably.
  [[nodiscard]] int connection() const { return connection_.get(); }
  [[nodiscard]] int process() const { return process_.get(); }

  struct Settings {
    std::string folder;  // of the attempt, relative to the home
    std::uint64_t log_bytes_max = 0;
    LimitPlan limits;
    std::string run_as;          // uid:gid:gid,gid; empty = the shim's
    std::string secrets_folder;  // for spec.secret_files
  };
  // On an error the connection is closed and nothing was launched.
  [[nodiscard]] Result<void> launch(const LaunchSpec& spec, const Settings& settings);
  // The next reply that has arrived; nullopt if there is none. Disconnects when the other end is gone.
  [[nodiscard]] std::optional<ShimReply> receive();

 private:
  enum class Greeting : unsigned char { Ours, Other, Gone, Silent };
  [[nodiscard]] Result<void> start() const;
  [[nodiscard]] bool open_connection();
  [[nodiscard]] Greeting greet();
  void retire();

  std::filesystem::path home_;
  Duration idle_;
  Logger log_;
  Fd home_fd_;
  Fd connection_;
  Fd process_;  // pidfd of shimd
};

}  // namespace slipway::exec
