// What an attempt's processes may use, and whose they are: control groups made for it, and limits that a process takes
// over itself. Empty limits cost nothing.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace slipway::exec::shim {

inline constexpr std::size_t kGroupsMax = 3;  // memory, cpu and pids have a hierarchy each in version 1
inline constexpr std::size_t kGroupSettingsMax = 6;
inline constexpr std::size_t kGroupPathBytes = 512;
inline constexpr std::size_t kAccountGroupsMax = 64;

// As asked for; the texts belong to the request.
struct GroupRequest {
  const char* folder = nullptr;                  // absolute; its parent is there
  const char* settings[kGroupSettingsMax] = {};  // "memory.max=1048576"; "?name=value" may be missing
  std::size_t count = 0;
};
struct LimitsRequest {
  GroupRequest groups[kGroupsMax];
  std::size_t count = 0;
  std::uint64_t data_bytes = 0;  // RLIMIT_DATA of every process; 0 = none
  const char* run_as = nullptr;  // uid:gid:gid,gid; nullptr = the shim's
};

struct Account {
  uid_t uid = 0;
  gid_t gid = 0;
  std::size_t count = 0;
  gid_t groups[kAccountGroupsMax] = {};
};

// As made.
struct Limits {
  char folder[kGroupsMax][kGroupPathBytes] = {};
  int enter[kGroupsMax] = {-1, -1, -1};  // open `cgroup.procs`
  std::size_t count = 0;
  std::uint64_t data_bytes = 0;
  bool has_account = false;
  Account account;

  [[nodiscard]] bool empty() const { return count == 0 && data_bytes == 0 && !has_account; }
};

// Makes the groups and their settings. False with a sentence in `message`; what was made is removed again.
bool make_limits(const LimitsRequest& request, Limits& limits, char* message, std::size_t size);
// Puts the calling process under them: system calls only, for between vfork and exec. False with errno.
bool enter_limits(const Limits& limits);
// KILLs everything in the groups at once, where the kernel can (version 2).
void kill_groups(const Limits& limits);
// How often the kernel killed in the groups for lack of memory; 0 where there is no memory group.
[[nodiscard]] long long group_oom_kills(const Limits& limits);
// Removes the groups, whose processes have ended.
void remove_groups(Limits& limits);

}  // namespace slipway::exec::shim
