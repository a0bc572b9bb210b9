// A service on this machine: <home>/services/<name>/
//
//   live                 JSON: which revision is live, on which port, behind which front port; replaced by rename
//   front.<port>         locked by the front that listens on 127.0.0.1:<port>
//   <revision>/log       what the server prints, CRI log format, rotated to log.1
//   <revision>/lock      locked by the revision's supervisor
//
// The front forwards TCP connections to the port that `live` names at the moment they arrive, so the rename is the
// switch. Fronts and supervisors are forked by the deploy and outlive it, shimd and the daemon. The supervisor of the
// live revision starts a front that died again.
#pragma once

#include <cstdint>

#include "exec/shimd/process.h"
#include "exec/shimd/secret_files.h"

namespace slipway::exec::shim {

// What `live` says, as far as the helper reads it back. Zero and empty where there is none.
struct Live {
  char revision[192] = "";
  int target_port = 0;
  int front_port = 0;
};
[[nodiscard]] Live read_live(int service_folder);

// Packets from a supervisor to its deploy, before the revision is promoted.
struct SupervisorNews {
  SpawnStep failed;  // None: the server ended with `status`
  int error;
  int status;
};

struct RevisionSpec {
  Command command;
  std::int64_t grace_ms;
  std::uint64_t log_bytes_max;
  int service_folder;
  const char* name;  // of the revision's folder, which is there
  Limits limits;     // made; the supervisor removes them
  SecretFolder secrets;
};

// Keeps a server running until TERM (then TERM, grace, KILL of its tree): starts it again 1 s … 1 min after each end,
// doubling, and at 1 s again after a minute of life. `control` is a packet socket to the deploy: news goes out until
// the byte 'p' (promote) comes in; if it closes before that, or the server ends before that, the revision ends.
[[noreturn]] void run_supervisor(const RevisionSpec& spec, int control);

// A socket bound to the front port, not yet listening; -1 with errno.
[[nodiscard]] int bind_front(int port);

// Forwards connections of `listener` (bound, not yet listening) until TERM. Closes `ready`, where that is a descriptor,
// once it serves.
[[noreturn]] void run_front(int service_folder, int listener, int port, int ready);

}  // namespace slipway::exec::shim
