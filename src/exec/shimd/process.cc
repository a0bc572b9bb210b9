#include "exec/shimd/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec/shim_protocol.h"
#include "exec/shimd/system.h"

namespace slipway::exec::shim {
namespace {

struct Pids {
  pid_t* items = nullptr;
  std::size_t count = 0;
  std::size_t room = 0;
};

void add(Pids& pids, pid_t pid) {
  if (pids.count == pids.room) {
    const std::size_t room = pids.room == 0 ? 64 : pids.room * 2;
    auto* items = static_cast<pid_t*>(realloc(pids.items, room * sizeof(pid_t)));
    if (items == nullptr) return;
    pids.items = items;
    pids.room = room;
  }
  pids.items[pids.count++] = pid;
}

void add_children_of_thread(Pids& pids, pid_t pid, const char* thread) {
  char path[80];
  snprintf(path, sizeof path, "/proc/%d/task/%.20s/children", pid, thread);
  FILE* file = fopen(path, "re");
  if (file == nullptr) return;
  int child = 0;
  while (fscanf(file, "%d", &child) == 1) add(pids, child);
  fclose(file);
}

// A child belongs to the thread that forked it, so every thread is asked.
void add_children(Pids& pids, pid_t pid) {
  char path[40];
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR* folder = opendir(path);
  if (folder == nullptr) return;
  while (const dirent* entry = readdir(folder))
    if (entry->d_name[0] != '.') add_children_of_thread(pids, pid, entry->d_name);
  closedir(folder);
}

// Runs between vfork and exec, in the parent's memory: system calls only.
[[noreturn]] void become(const Command& command, int out, int err, volatile SpawnStep& failed, volatile int& error) {
  sigset_t none;
  sigemptyset(&none);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setpgid(0, 0);
  const int null = open("/dev/null", O_RDONLY);
  dup2(null, STDIN_FILENO);
  if (null > STDERR_FILENO) close(null);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  failed = SpawnStep::Limits;
  if (command.limits != nullptr && !enter_limits(*command.limits)) {
    error = errno;
    _exit(127);
  }
  failed = SpawnStep::Workdir;
  if (command.workdir[0] == '\0' || chdir(command.workdir) == 0) {
    sigprocmask(SIG_SETMASK, &none, nullptr);
    failed = SpawnStep::Exec;
    execvp(command.argv[0], command.argv);
  }
  error = errno;
  _exit(127);
}

}  // namespace

Spawned spawn(const Command& command, int out, int err) {
  volatile SpawnStep failed = SpawnStep::None;
  volatile int error = 0;
  // execvp searches the PATH of `environ`; this process has no other use for it.
  environ = command.environment;
  const pid_t pid = vfork();
  if (pid == 0) become(command, out, err, failed, error);
  if (pid < 0) return {0, SpawnStep::Fork, errno};
  if (error == 0) return {pid, SpawnStep::None, 0};
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return {0, failed, error};
}

bool reap(Tree& tree) {
  int status = 0;
  while (true) {
    const pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid == 0) return true;
    if (pid < 0 && errno != EINTR) return false;
    if (pid == tree.main) {
      tree.ended = true;
      tree.status = status;
    }
  }
}

int signal_tree(int signal) {
  Pids pids;
  add_children(pids, getpid());
  for (std::size_t i = 0; i < pids.count; ++i) add_children(pids, pids.items[i]);
  int reached = 0;
  for (std::size_t i = 0; i < pids.count; ++i)
    if (kill(pids.items[i], signal) == 0) ++reached;
  free(pids.items);
  return reached;
}

// Whoever is killed hands its children to this process, and every such death ends the wait: nobody is missed.
bool kill_tree(Tree& tree, const Limits& limits) {
  if (limits.count > 0 && reap(tree)) kill_groups(limits);
  while (reap(tree)) {
    if (signal_tree(SIGKILL) == 0) return !reap(tree);
    int status = 0;
    const pid_t pid = waitpid(-1, &status, 0);
    if (pid != tree.main) continue;
    tree.ended = true;
    tree.status = status;
  }
  return true;
}

long long oom_kills() {
  char stat[16384];
  if (read_file(AT_FDCWD, "/proc/vmstat", stat, sizeof stat) <= 0) return -1;
  const char* const line = strstr(stat, "\noom_kill ");
  return line == nullptr ? -1 : strtoll(line + sizeof "\noom_kill " - 1, nullptr, 10);
}

int exit_code_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

int open_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigaddset(&set, SIGPIPE);
  sigaddset(&set, kStopSignal);
  sigaddset(&set, kStopNowSignal);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  sigdelset(&set, SIGPIPE);
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int next_signal(int signals) {
  signalfd_siginfo info{};
  return read(signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info) ? static_cast<int>(info.ssi_signo) : 0;
}

}  // namespace slipway::exec::shim
