// Which of the limits of `resources:` this machine lets us set on local attempts (docs/engine.md, "Limits").
#pragma once

#include <filesystem>
#include <string>

namespace slipway::exec {

// Where the kernel shows control groups; other places for tests.
struct GroupPlaces {
  std::filesystem::path mount = "/sys/fs/cgroup";
  std::filesystem::path own = "/proc/self/cgroup";  // which groups this process is in
};

struct LimitSupport {
  int version = 0;         // of the control groups in use; 0 = none
  bool memory = false;     // the whole tree's, exceeding it is class oom; else RLIMIT_DATA of each process
  bool cpu = false;        // else not limited
  bool processes = false;  // else not limited
  std::string text;        // one sentence for people: "memory, cpu and processes by control groups (version 2) in /…"
};

// Looks only. What a daemon started in the same place would find.
[[nodiscard]] LimitSupport limit_support(const GroupPlaces& places = {});

}  // namespace slipway::exec
