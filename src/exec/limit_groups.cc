#include "exec/limit_groups.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "exec/process_table.h"
#include "slipway/base/fd.h"

namespace slipway::exec {
namespace {

constexpr std::string_view kWanted[] = {"memory", "cpu", "pids"};
constexpr std::int64_t kCpuPeriodUs = 100'000;

std::vector<std::string> words_of(const std::filesystem::path& file) {
  std::istringstream in(read_proc_file(file));
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

bool holds(const std::vector<std::string>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool write_file(const std::filesystem::path& file, const std::string& text) {
  const Fd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  return fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

bool may_write(const std::filesystem::path& file) { return ::access(file.c_str(), W_OK) == 0; }

// "4:memory:/path" -> {"memory"}, "/path"; version 2 has the line "0::/path".
struct OwnGroup {
  std::vector<std::string> controllers;
  std::string path;
};
std::vector<OwnGroup> own_groups(const std::filesystem::path& file) {
  std::istringstream in(read_proc_file(file));
  std::vector<OwnGroup> groups;
  for (std::string line; std::getline(in, line);) {
    const auto first = line.find(':');
    const auto second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    OwnGroup group{{}, line.substr(second + 1)};
    std::istringstream names(line.substr(first + 1, second - first - 1));
    for (std::string name; std::getline(names, name, ',');) group.controllers.push_back(name);
    groups.push_back(std::move(group));
  }
  return groups;
}

// The group's path begins with `/`; below the mount point it must not.
std::filesystem::path below(const std::filesystem::path& mount, const std::string& path) {
  return mount / std::filesystem::path(path).relative_path();
}

// Whoever runs services says so: systemd marks what it gives away, and others give the folder to the user.
bool is_delegated(const std::filesystem::path& group) {
  char mark = 0;
  for (const char* name : {"user.delegate", "trusted.delegate"})
    if (::getxattr(group.c_str(), name, &mark, 1) == 1 && mark == '1') return true;
  struct stat info {};
  return ::geteuid() != 0 && ::stat(group.c_str(), &info) == 0 && info.st_uid == ::geteuid();
}

bool may_hand_down(const std::filesystem::path& group) {
  return may_write(group) && may_write(group / "cgroup.subtree_control");
}

// The group above ours, which was delegated with a subgroup for us (systemd: DelegateSubgroup=); or ours, if nobody
// else is in it.
std::filesystem::path delegated_group(const std::filesystem::path& own) {
  const auto above = own.parent_path();
  if (words_of(above / "cgroup.procs").empty() && may_hand_down(above) && is_delegated(above)) return above;
  const auto inside = words_of(own / "cgroup.procs");
  const bool alone = inside == std::vector<std::string>{std::to_string(::getpid())};
  return alone && may_hand_down(own) ? own : std::filesystem::path();
}

}  // namespace

LimitSupport limit_support(const GroupPlaces& places) { return LimitGroups(places, false).support(); }

LimitGroups::LimitGroups(const GroupPlaces& places, bool prepare) {
  find_version_2(places, prepare);
  if (controllers_.empty()) find_version_1(places);
  describe();
}

void LimitGroups::find_version_2(const GroupPlaces& places, bool prepare) {
  if (::access((places.mount / "cgroup.controllers").c_str(), R_OK) != 0) return;
  for (const OwnGroup& group : own_groups(places.own)) {
    if (!group.controllers.empty()) continue;
    const auto own = below(places.mount, group.path);
    const auto base = delegated_group(own);
    if (base.empty()) return;
    if (prepare && base == own) {
      ::mkdir((own / "slipway").c_str(), 0755);
      if (!write_file(own / "slipway" / "cgroup.procs", "0")) return;
    }
    const auto given = words_of(base / "cgroup.controllers");
    for (const std::string_view name : kWanted) {
      if (!holds(given, name)) continue;
      const bool handed = holds(words_of(base / "cgroup.subtree_control"), name);
      if (prepare && !handed && !write_file(base / "cgroup.subtree_control", "+" + std::string(name))) continue;
      controllers_.push_back({std::string(name), base});
    }
    support_.version = 2;
  }
}

void LimitGroups::find_version_1(const GroupPlaces& places) {
  for (const OwnGroup& group : own_groups(places.own))
    for (const std::string& name : group.controllers) {
      const auto folder = below(places.mount / name, group.path);
      if (std::find(std::begin(kWanted), std::end(kWanted), name) == std::end(kWanted) || !may_write(folder)) continue;
      controllers_.push_back({name, folder});
      support_.version = 1;
    }
}

void LimitGroups::describe() {
  support_.memory = has("memory");
  support_.cpu = has("cpu");
  support_.processes = has("pids");
  if (controllers_.empty()) {
    support_.version = 0;
    support_.text =
        "memory of each process by RLIMIT_DATA, cpu not at all: no control group was delegated to slipway (with "
        "systemd: Delegate=yes and DelegateSubgroup=daemon in the unit)";
    return;
  }
  std::string names;
  for (const Controller& controller : controllers_) names += (names.empty() ? "" : ", ") + controller.name;
  support_.text = names + " by control groups (version " + std::to_string(support_.version) + ") in " +
                  controllers_.front().folder.string();
  if (!support_.memory) support_.text += "; memory of each process by RLIMIT_DATA";
}

bool LimitGroups::has(std::string_view name) const {
  return std::any_of(controllers_.begin(), controllers_.end(), [&](const auto& c) { return c.name == name; });
}

// Swap would only make a task that is too large slow, so it gets none where that can be said.
std::vector<std::string> LimitGroups::settings(std::string_view name, const Resources& resources,
                                               int processes_max) const {
  const std::string bytes = std::to_string(resources.memory_bytes);
  const std::string quota = std::to_string(std::max<std::int64_t>(resources.cpu_milli * kCpuPeriodUs / 1000, 1000));
  const std::string period = std::to_string(kCpuPeriodUs);
  if (name == "pids") return {"pids.max=" + std::to_string(processes_max)};
  if (name == "memory" && resources.memory_bytes > 0)
    return support_.version == 2
               ? std::vector<std::string>{"memory.max=" + bytes, "?memory.swap.max=0", "?memory.oom.group=1"}
               : std::vector<std::string>{"memory.limit_in_bytes=" + bytes, "?memory.memsw.limit_in_bytes=" + bytes};
  if (name == "cpu" && resources.cpu_milli > 0)
    return support_.version == 2 ? std::vector<std::string>{"cpu.max=" + quota + " " + period}
                                 : std::vector<std::string>{"cpu.cfs_period_us=" + period, "cpu.cfs_quota_us=" + quota};
  return {};
}

LimitPlan LimitGroups::plan(const AttemptId& id, const Resources& resources, int processes_max) const {
  LimitPlan plan;
  if (resources.memory_bytes == 0 && resources.cpu_milli == 0) return plan;
  if (!support_.memory) plan.data_bytes = resources.memory_bytes;
  std::string name = "slipway-" + id.str();
  std::replace(name.begin(), name.end(), '/', '.');
  for (const Controller& controller : controllers_) {
    const auto wanted = settings(controller.name, resources, processes_max);
    if (wanted.empty()) continue;
    // Hierarchies of version 1 have a folder each; in version 2 it is one and the same.
    if (plan.groups.empty() || plan.groups.back().folder.parent_path() != controller.folder)
      plan.groups.push_back({controller.folder / name, {}});
    auto& all = plan.groups.back().settings;
    all.insert(all.end(), wanted.begin(), wanted.end());
  }
  return plan;
}

}  // namespace slipway::exec
