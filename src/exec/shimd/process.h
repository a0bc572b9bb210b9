// Starting a command and ending everything that grew out of it.
#pragma once

#include <sys/types.h>

#include "exec/shimd/limits.h"

namespace slipway::exec::shim {

struct Command {
  char** argv = nullptr;  // NULL terminated; argv[0] without a slash is searched in the PATH of `environment`
  char** environment = nullptr;
  const char* workdir = "";
  const Limits* limits = nullptr;
};

// Where starting failed.
enum class SpawnStep : int { None, Fork, Limits, Workdir, Exec };

struct Spawned {
  pid_t pid = 0;  // 0 if it failed
  SpawnStep failed = SpawnStep::None;
  int error = 0;  // errno of the failed step
};

// vfork + exec: own process group, stdin /dev/null, stdout and stderr as given, default signals, no core file, KILL if
// the calling process dies. All other descriptors of the caller must be close-on-exec.
Spawned spawn(const Command& command, int out, int err);

// The calling process's main child and what is left of its tree. The caller must be a sub-reaper, so that every
// descendant stays below it, however often it forks away.
struct Tree {
  pid_t main = 0;
  bool ended = false;
  int status = 0;  // of wait(2), once `ended`
};

// Takes note of every child that has ended. Returns whether any children are left.
bool reap(Tree& tree);
// Sends `signal` to every descendant; returns how many it reached.
int signal_tree(int signal);
// KILL until nothing is left, the groups first. False if something could not be killed (it runs as another user).
bool kill_tree(Tree& tree, const Limits& limits);

// How often the kernel has killed for lack of memory since it started; -1 if it does not say.
[[nodiscard]] long long oom_kills();

// 0..255, or 128 + n for signal n.
[[nodiscard]] int exit_code_of(int status);

// The signals a shim is told things by (SIGCHLD, stop, stop now), blocked and readable from the returned signalfd.
[[nodiscard]] int open_signals();
// The next signal, 0 if there is none.
[[nodiscard]] int next_signal(int signals);

}  // namespace slipway::exec::shim
