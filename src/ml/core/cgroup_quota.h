// The CPU quota of a cgroup v2.
#pragma once

#include <filesystem>
#include <string>

namespace slipway::ml {

// CPUs that the quotas on the way from `group` ("/a/b", as in /proc/self/cgroup) up to the root permit, rounded up and
// at least 1; INT_MAX without a limit. `root` is where the hierarchy is mounted.
[[nodiscard]] int quota_cpus(const std::filesystem::path& root, std::string group);

// The group in the text of /proc/self/cgroup: of its line "0::/path"; "" if there is none.
[[nodiscard]] std::string unified_group(const std::string& proc_self_cgroup);

}  // namespace slipway::ml
