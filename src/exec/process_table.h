// What the machine knows about processes: who lives, since when, who holds a lock.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "slipway/base/fd.h"
#include "slipway/base/time.h"

namespace slipway::exec {

// One process for ever: its number may be given again, but not with the same start time in the same boot.
struct ProcessIdentity {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;  // /proc/<pid>/stat field 22
  std::string boot_id;

  bool operator==(const ProcessIdentity&) const = default;
  // "pid:start_ticks:boot_id" and back.
  [[nodiscard]] std::string str() const;
  [[nodiscard]] static std::optional<ProcessIdentity> parse(std::string_view text);
};

// What can be read of a file whose size is not known before, such as those of /proc; a process may end meanwhile.
[[nodiscard]] std::string read_proc_file(const std::filesystem::path& file);
// Empty if it cannot be read.
[[nodiscard]] std::string read_boot_id(const std::filesystem::path& file);
// 0 if there is no such process.
[[nodiscard]] std::uint64_t start_ticks_of(pid_t pid);
// The wall instant of a start time.
[[nodiscard]] Instant instant_of_ticks(std::uint64_t start_ticks, const Clock& clock);

// The process that holds the record lock on `file`; 0 if nobody does or there is no file; -1 if that cannot be told now
// (no descriptor left, no permission). All of the file, or one byte of it.
[[nodiscard]] pid_t lock_holder(const std::filesystem::path& file);
[[nodiscard]] pid_t lock_holder(const std::filesystem::path& file, int byte);

// A pidfd of the process, readable once it has ended. Empty with errno ESRCH if it has ended already (its number is
// free or taken by another), with another errno if that cannot be told.
[[nodiscard]] Fd open_process(pid_t pid, std::uint64_t start_ticks);
// The same of a pidfd whose number had `found_ticks` in /proc after it was opened; 0 if there was no entry, or it could
// not be read.
[[nodiscard]] Fd if_it_is(Fd process, std::uint64_t found_ticks, std::uint64_t start_ticks);
void signal_process(const Fd& process, int signal);

// KILLs every process whose initial environment names one of `attempts` in SLIPWAY_ATTEMPT_ID, until none is found.
// Returns the attempts of which some process could not be ended. For attempts whose shim was killed: normally the shim
// does this. Scans the whole process table.
[[nodiscard]] std::set<std::string> kill_stragglers(const std::set<std::string>& attempts);

}  // namespace slipway::exec
