#include "exec/shimd/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "exec/shimd/system.h"

namespace slipway::exec::shim {
namespace {

constexpr int kRemoveTries = 100;
constexpr int kRemovePauseMs = 10;

int open_in(const char* folder, const char* name, int flags) {
  char path[kGroupPathBytes + 64];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return open(path, flags | O_CLOEXEC);
}

// One write, because the kernel takes a value whole. A leading `?` lets the file be missing.
bool set(const char* folder, const char* setting) {
  const bool optional = setting[0] == '?';
  if (optional) ++setting;
  const char* const equals = strchr(setting, '=');
  if (equals == nullptr) {
    errno = EINVAL;
    return false;
  }
  char name[64];
  snprintf(name, sizeof name, "%.*s", static_cast<int>(equals - setting), setting);
  const int fd = open_in(folder, name, O_WRONLY);
  if (fd < 0) return optional && errno == ENOENT;
  const std::size_t size = strlen(equals + 1);
  const bool done = write(fd, equals + 1, size) == static_cast<ssize_t>(size);
  const int why = errno;
  close(fd);
  errno = why;
  return done || optional;
}

bool explain(char* message, std::size_t size, const char* folder, const char* what) {
  snprintf(message, size, "control group %.300s: %.100s: %s", folder, what, strerror(errno));
  return false;
}

bool make_group(const GroupRequest& request, Limits& limits, char* message, std::size_t size) {
  // One that a killed shim of this very attempt left behind is as good as new: nothing runs in it.
  if (mkdir(request.folder, 0700) != 0 && errno != EEXIST) return explain(message, size, request.folder, "mkdir");
  const std::size_t index = limits.count++;
  snprintf(limits.folder[index], sizeof limits.folder[index], "%s", request.folder);
  for (std::size_t i = 0; i < request.count; ++i)
    if (!set(request.folder, request.settings[i])) return explain(message, size, request.folder, request.settings[i]);
  limits.enter[index] = open_in(request.folder, "cgroup.procs", O_WRONLY);
  return limits.enter[index] >= 0 || explain(message, size, request.folder, "cgroup.procs");
}

// Every process of this helper has one thread, so the system calls are enough; libc's wrappers would look for others.
bool become(const Account& account) {
  if (syscall(SYS_setgroups, account.count, account.groups) != 0 ||
      syscall(SYS_setresgid, account.gid, account.gid, account.gid) != 0 ||
      syscall(SYS_setresuid, account.uid, account.uid, account.uid) != 0)
    return false;
  // A change of user takes it away.
  return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
}

void take_account(const char* text, Account& account) {
  char* at = nullptr;
  account.uid = static_cast<uid_t>(strtoul(text, &at, 10));
  if (*at == ':') account.gid = static_cast<gid_t>(strtoul(at + 1, &at, 10));
  while (*at != '\0' && at[1] != '\0' && account.count < kAccountGroupsMax)
    account.groups[account.count++] = static_cast<gid_t>(strtoul(at + 1, &at, 10));
}

}  // namespace

bool make_limits(const LimitsRequest& request, Limits& limits, char* message, std::size_t size) {
  limits.data_bytes = request.data_bytes;
  limits.has_account = request.run_as != nullptr;
  if (limits.has_account) take_account(request.run_as, limits.account);
  for (std::size_t i = 0; i < request.count; ++i)
    if (!make_group(request.groups[i], limits, message, size)) {
      remove_groups(limits);
      return false;
    }
  return true;
}

bool enter_limits(const Limits& limits) {
  for (std::size_t i = 0; i < limits.count; ++i)
    if (write(limits.enter[i], "0", 1) != 1) return false;
  const rlimit data{limits.data_bytes, limits.data_bytes};
  if (limits.data_bytes > 0 && setrlimit(RLIMIT_DATA, &data) != 0) return false;
  return !limits.has_account || become(limits.account);
}

void kill_groups(const Limits& limits) {
  for (std::size_t i = 0; i < limits.count; ++i) {
    const int fd = open_in(limits.folder[i], "cgroup.kill", O_WRONLY);
    if (fd < 0) continue;
    write_all(fd, "1", 1);
    close(fd);
  }
}

// Version 2 counts in memory.events, version 1 in memory.oom_control, both as a line "oom_kill N".
long long group_oom_kills(const Limits& limits) {
  static constexpr const char* kFiles[] = {"memory.events", "memory.oom_control"};
  long long kills = 0;
  for (std::size_t i = 0; i < limits.count; ++i)
    for (const char* file : kFiles) {
      char path[kGroupPathBytes + 64];
      char text[1024] = "\n";
      snprintf(path, sizeof path, "%s/%s", limits.folder[i], file);
      if (read_file(AT_FDCWD, path, text + 1, sizeof text - 1) <= 0) continue;
      const char* const line = strstr(text, "\noom_kill ");
      if (line != nullptr) kills += strtoll(line + sizeof "\noom_kill " - 1, nullptr, 10);
    }
  return kills;
}

// The kernel lets go of a group a moment after its last process was reaped.
void remove_groups(Limits& limits) {
  for (std::size_t i = 0; i < limits.count; ++i) {
    if (limits.enter[i] >= 0) close(limits.enter[i]);
    limits.enter[i] = -1;
    for (int tries = 0; rmdir(limits.folder[i]) != 0 && errno == EBUSY && tries < kRemoveTries; ++tries)
      poll(nullptr, 0, kRemovePauseMs);
  }
  limits.count = 0;
}

}  // namespace slipway::exec::shim
