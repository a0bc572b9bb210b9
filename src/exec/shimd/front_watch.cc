#include "exec/shimd/front_watch.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "exec/shimd/system.h"

namespace slipway::exec::shim {
namespace {

constexpr std::int64_t kPauseMs = 1'000;
constexpr int kKeptFrom = 64;  // a supervisor has fewer descriptors

// A sibling and not a child: what the supervisor ends with its server must not be the front. It forwards bytes and
// needs no secret.
void start_front(const RevisionSpec& spec, int port) {
  const int listener = bind_front(port);
  if (listener < 0) return;
  const long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (pid == 0) {
    setsid();
    for (char** variable = spec.command.environment; *variable != nullptr; ++variable)
      explicit_bzero(*variable, strlen(*variable));
    // Both above whatever is open, so that the rest can be closed in one piece.
    const int folder = fcntl(spec.service_folder, F_DUPFD_CLOEXEC, kKeptFrom);
    const int door = fcntl(listener, F_DUPFD_CLOEXEC, folder + 1);
    close_range(STDERR_FILENO + 1, static_cast<unsigned>(folder) - 1, 0);
    run_front(folder, door, port, -1);
  }
  close(listener);
}

}  // namespace

void begin_watch(FrontWatch& watch) { watch.look_at_ms = boot_ms() + kPauseMs; }

void on_front_end(FrontWatch& watch) {
  close(watch.process);
  watch.process = -1;
  watch.look_at_ms = boot_ms();
}

void keep_front(FrontWatch& watch, const RevisionSpec& spec) {
  if (watch.look_at_ms == 0 || boot_ms() < watch.look_at_ms) return;
  watch.look_at_ms = 0;
  const Live live = read_live(spec.service_folder);
  if (strcmp(live.revision, spec.name) != 0) return;
  char lock[32];
  snprintf(lock, sizeof lock, "front.%d", live.front_port);
  const pid_t pid = lock_holder(spec.service_folder, lock);
  if (pid > 0) watch.process = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (watch.process >= 0) return;
  if (pid <= 0) start_front(spec, live.front_port);
  // Found next time, or the port was taken meanwhile.
  watch.look_at_ms = boot_ms() + kPauseMs;
}

}  // namespace slipway::exec::shim
