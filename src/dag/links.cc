#include <algorithm>
#include <queue>

#include "dag/draft.h"
#include "dag/reader.h"

namespace slipway::dag {
namespace {

using text::Entry;
using text::Node;
using text::NodeKind;

// An edge as written: `place` is where `needs` names the upstream task.
struct Link {
  int upstream;
  SourceSpan place;
};

class Linker {
 public:
  explicit Linker(Draft& draft) : draft_(draft), links_(draft.tasks.size()) {}

  void run() {
    read_groups();
    for (std::size_t task = 0; task < draft_.tasks.size(); ++task) read_needs(static_cast<int>(task));
    apply_group_needs();
    read_teardowns();
    for (std::size_t task = 0; task < draft_.tasks.size(); ++task) settle(static_cast<int>(task));
    sort_topologically();
    if (draft_.dag.order.size() < draft_.tasks.size()) return report_cycles();
    if (teardowns_.empty()) return;
    std::vector<std::vector<int>> above(links_.size());
    for (std::size_t task = 0; task < links_.size(); ++task)
      for (const Link& link : links_[task]) above[task].push_back(link.upstream);
    for (const Teardown& teardown : teardowns_) enclose(teardown, above);
  }

 private:
  [[nodiscard]] const std::string& id(int task) const {
    return draft_.tasks[static_cast<std::size_t>(task)].task.id.str();
  }
  [[nodiscard]] std::vector<Link>& links(int task) { return links_[static_cast<std::size_t>(task)]; }

  // The tasks that `node` names: a task, or those of a group. Reports a name that is neither.
  std::vector<int> named(const Node& node, const std::string& field) {
    if (node.kind != NodeKind::Text) return {};
    if (const auto task = draft_.index.find(node.scalar); task != draft_.index.end()) return {task->second};
    if (const auto group = draft_.groups.find(node.scalar); group != draft_.groups.end()) return group->second;
    draft_.out.error("unknown-task", node.span,
                     "`" + field + "` names `" + node.scalar + "`, which is no task of this DAG",
                     draft_.may_search() ? nearest_task(node.scalar) : "check its spelling");
    return {};
  }

  std::string nearest_task(const std::string& name) const {
    std::vector<std::string> known;
    for (const auto& [task, at] : draft_.index) known.push_back(task);
    for (const auto& [group, tasks] : draft_.groups) known.push_back(group);
    const auto word = nearest(name, known);
    std::string help = "tasks are: " + shortened(known);
    if (word) {
      const auto task = draft_.index.find(*word);
      help = "did you mean `" + *word + "`";
      if (task != draft_.index.end())
        help += " (line " + std::to_string(draft_.tasks[static_cast<std::size_t>(task->second)].task.span.line) + ")";
      help += "?";
    }
    return help;
  }

  static std::string shortened(const std::vector<std::string>& names) {
    std::string out;
    for (std::size_t i = 0; i < std::min<std::size_t>(names.size(), 8); ++i) out += (i == 0 ? "" : ", ") + names[i];
    return names.size() > 8 ? out + ", …" : out;
  }

  void read_groups() {
    const Node* groups = draft_.root.find("groups");
    if (!is_written(groups) || groups->kind != NodeKind::Map) return;
    for (const Entry& entry : groups->entries) {
      if (const auto task = draft_.index.find(entry.key); task != draft_.index.end())
        draft_.out.error("duplicate-id", entry.key_span, "`" + entry.key + "` is a task, too",
                         "give the group another name; `needs` could mean either");
      std::vector<int> tasks;
      const Node* names = entry.value.find("tasks");
      for (const Node* name : read_many(names))
        for (const int task : named(*name, "tasks")) tasks.push_back(task);
      if (entry.value.kind == NodeKind::Map && read_many(names).empty())
        draft_.out.error("empty-group", entry.key_span, "the group `" + entry.key + "` has no task",
                         "name them: " + entry.key + ": {tasks: [a, b]}");
      add_group(entry, tasks);
      draft_.groups.emplace(entry.key, std::move(tasks));
    }
  }

  void add_group(const Entry& entry, std::vector<int> tasks) {
    std::sort(tasks.begin(), tasks.end());
    tasks.erase(std::unique(tasks.begin(), tasks.end()), tasks.end());
    Group group{entry.key, std::move(tasks), read_int(entry.value.find("max_parallel")).value_or(0), entry.key_span};
    if (group.max_parallel > 0)
      for (const int task : group.tasks)
        draft_.tasks[static_cast<std::size_t>(task)].task.groups.push_back(static_cast<int>(draft_.dag.groups.size()));
    draft_.dag.groups.push_back(std::move(group));
  }

  void apply_group_needs() {
    const Node* groups = draft_.root.find("groups");
    if (!is_written(groups) || groups->kind != NodeKind::Map) return;
    for (const Entry& entry : groups->entries)
      for (const Node* name : read_many(entry.value.find("needs")))
        for (const int upstream : named(*name, "needs"))
          for (const int task : draft_.groups[entry.key]) links(task).push_back({upstream, name->span});
  }

  void read_needs(int task) {
    const TaskDraft& draft = draft_.tasks[static_cast<std::size_t>(task)];
    if (draft.task.role == TaskRole::OnFailure || draft.task.role == TaskRole::OnSuccess) return;
    const bool own = draft.entry->value.find("needs") != nullptr;
    for (const Node* name : read_many(draft.merged.find("needs")))
      for (const int upstream : named(*name, "needs")) {
        // What all tasks need by default does not need itself.
        if (upstream == task && !own) continue;
        links(task).push_back({upstream, name->span});
      }
  }

  void settle(int task) {
    auto& mine = links(task);
    std::stable_sort(mine.begin(), mine.end(), [](const Link& a, const Link& b) { return a.upstream < b.upstream; });
    mine.erase(
        std::unique(mine.begin(), mine.end(), [](const Link& a, const Link& b) { return a.upstream == b.upstream; }),
        mine.end());
    for (const Link& link : mine)
      draft_.tasks[static_cast<std::size_t>(task)].task.needs.push_back(TaskId(id(link.upstream)));
  }

  // Kahn's algorithm; the ready task that stands first in the file goes next.
  void sort_topologically() {
    auto& downstream = draft_.dag.downstream;
    downstream.assign(draft_.tasks.size(), {});
    draft_.dag.enclosed.assign(draft_.tasks.size(), {});
    missing_.assign(draft_.tasks.size(), 0);
    sorted_.assign(draft_.tasks.size(), false);
    for (std::size_t task = 0; task < links_.size(); ++task) {
      missing_[task] = links_[task].size();
      for (const Link& link : links_[task])
        downstream[static_cast<std::size_t>(link.upstream)].push_back(static_cast<int>(task));
      if (missing_[task] == 0) ready_.push(static_cast<int>(task));
    }
    drain();
  }

  void drain() {
    while (!ready_.empty()) {
      const int task = ready_.top();
      ready_.pop();
      if (sorted_[static_cast<std::size_t>(task)]) continue;
      sorted_[static_cast<std::size_t>(task)] = true;
      draft_.dag.order.push_back(task);
      for (const int next : draft_.dag.downstream_of(task))
        if (--missing_[static_cast<std::size_t>(next)] == 0) ready_.push(next);
    }
  }

  // Every unsorted task has an unsorted upstream, so walking up from any of them ends in a cycle. One that was reported
  // counts as sorted, so that what only waits for it is not reported, and other cycles are.
  void report_cycles() {
    int reported = 0;
    for (std::size_t start = 0; start < sorted_.size() && reported < kReportedCycles; ++start)
      while (!sorted_[start] && reported++ < kReportedCycles) report_cycle_above(static_cast<int>(start));
  }

  void report_cycle_above(int task) {
    std::vector<int> path;
    std::vector<SourceSpan> places;
    std::vector<bool> walked(sorted_.size());
    while (!walked[static_cast<std::size_t>(task)]) {
      walked[static_cast<std::size_t>(task)] = true;
      path.push_back(task);
      const auto up = std::find_if(links(task).begin(), links(task).end(),
                                   [&](const Link& link) { return !sorted_[static_cast<std::size_t>(link.upstream)]; });
      places.push_back(up->place);
      task = up->upstream;
    }
    const auto from = static_cast<std::size_t>(std::find(path.begin(), path.end(), task) - path.begin());
    report_cycle(path, places, from);
    for (std::size_t i = from; i < path.size(); ++i) ready_.push(path[i]);
    drain();
  }

  // path[from..] is the cycle, each task before the one it needs; shown in the order in which they would run.
  void report_cycle(const std::vector<int>& path, const std::vector<SourceSpan>& places, std::size_t from) {
    const std::size_t last = path.size() - 1;
    std::string shown = "`" + id(path[from]);
    std::string help = "remove one of these needs: ";
    for (std::size_t i = last + 1; i-- > from;) shown += " → " + id(path[i]);
    for (std::size_t i = from; i <= last; ++i) {
      if (i > from) help += ", ";
      help += "line " + std::to_string(places[i].line) + " (" + id(path[i]) + " needs " +
              id(i == last ? path[from] : path[i + 1]) + ")";
    }
    if (from == last)
      draft_.out.error("cycle", places[from], "task `" + id(path[from]) + "` needs itself", "remove it from its needs");
    else
      draft_.out.error("cycle", places[from], "these tasks wait for each other: " + shown + "`", help);
  }

  // --- teardowns

  struct Teardown {
    int task;
    std::vector<int> setups;
    const Node* place;
  };

  void read_teardowns() {
    for (std::size_t task = 0; task < draft_.tasks.size(); ++task) {
      const TaskRole role = draft_.tasks[task].task.role;
      if (role == TaskRole::Teardown) read_setups(static_cast<int>(task));
    }
    for (const Teardown& teardown : teardowns_)
      for (const int setup : teardown.setups) links(teardown.task).push_back({setup, teardown.place->span});
    // What a teardown waits for follows from what is written alone, so that it does not matter who is read first.
    const auto below = downstream_of_links();
    for (const Teardown& teardown : teardowns_)
      if (!is_written(draft_.tasks[static_cast<std::size_t>(teardown.task)].merged.find("needs")))
        wait_for_all_below(teardown, below);
  }

  void read_setups(int task) {
    const TaskDraft& draft = draft_.tasks[static_cast<std::size_t>(task)];
    const Node* setups = draft.merged.find("teardown_for");
    Teardown teardown{task, {}, setups};
    if (read_many(setups).empty())
      draft_.out.error("bad-teardown", setups->span, "a teardown without a setup", "name the tasks it cleans up after");
    for (const Node* name : read_many(setups))
      for (const int setup : named(*name, "teardown_for")) {
        const Task& named_task = draft_.tasks[static_cast<std::size_t>(setup)].task;
        if (setup == task) {
          draft_.out.error("bad-teardown", name->span, "a task cannot be its own teardown",
                           "name the tasks it cleans up after");
        } else if (named_task.role == TaskRole::Teardown) {
          draft_.out.error("bad-teardown", name->span, "`" + named_task.id.str() + "` is a teardown, and so no setup",
                           "name the tasks that make what is cleaned up; `needs` orders teardowns");
        } else {
          teardown.setups.push_back(setup);
        }
      }
    std::sort(teardown.setups.begin(), teardown.setups.end());
    teardown.setups.erase(std::unique(teardown.setups.begin(), teardown.setups.end()), teardown.setups.end());
    for (const int setup : teardown.setups)
      draft_.tasks[static_cast<std::size_t>(task)].task.setups.push_back(TaskId(id(setup)));
    teardowns_.push_back(std::move(teardown));
  }

  [[nodiscard]] std::vector<std::vector<int>> downstream_of_links() const {
    std::vector<std::vector<int>> below(links_.size());
    for (std::size_t task = 0; task < links_.size(); ++task)
      for (const Link& link : links_[task])
        below[static_cast<std::size_t>(link.upstream)].push_back(static_cast<int>(task));
    return below;
  }

  // Everything that can be reached from `starts`, themselves left out; `enter` says where to go on.
  template <class Enter>
  static std::vector<bool> reach(const std::vector<int>& starts, const std::vector<std::vector<int>>& next,
                                 Enter enter) {
    std::vector<bool> reached(next.size());
    std::vector<int> open = starts;
    while (!open.empty()) {
      const int at = open.back();
      open.pop_back();
      for (const int to : next[static_cast<std::size_t>(at)]) {
        if (reached[static_cast<std::size_t>(to)] || !enter(to)) continue;
        reached[static_cast<std::size_t>(to)] = true;
        open.push_back(to);
      }
    }
    return reached;
  }

  // A teardown that names nothing else waits for whatever comes after its setups, but for other teardowns and for what
  // waits for itself.
  void wait_for_all_below(const Teardown& teardown, const std::vector<std::vector<int>>& below) {
    const auto after = reach({teardown.task}, below, [](int) { return true; });
    const auto work = reach(teardown.setups, below, [&](int task) {
      return draft_.tasks[static_cast<std::size_t>(task)].task.role != TaskRole::Teardown &&
             !after[static_cast<std::size_t>(task)];
    });
    for (std::size_t task = 0; task < work.size(); ++task)
      if (work[task] && may_imply(teardown))
        links(teardown.task).push_back({static_cast<int>(task), teardown.place->span});
  }

  // Between a setup and its teardown nothing runs unless the setup succeeded.
  void enclose(const Teardown& teardown, const std::vector<std::vector<int>>& above) {
    const auto& below = draft_.dag.downstream;
    const auto before = reach({teardown.task}, above, [](int) { return true; });
    for (const int setup : teardown.setups) {
      const auto after = reach({setup}, below, [&](int task) { return before[static_cast<std::size_t>(task)]; });
      for (std::size_t task = 0; task < after.size(); ++task)
        if (after[task]) enclose(static_cast<int>(task), setup, teardown);
    }
  }

  void enclose(int task, int setup, const Teardown& teardown) {
    Task& inside = draft_.tasks[static_cast<std::size_t>(task)].task;
    const TaskId name(id(setup));
    const auto has = [&](const std::vector<TaskId>& names) {
      return std::find(names.begin(), names.end(), name) != names.end();
    };
    if (inside.role != TaskRole::Body || has(inside.needs) || has(inside.enclosing_setups) || !may_imply(teardown))
      return;
    inside.enclosing_setups.push_back(name);
    draft_.dag.enclosed[static_cast<std::size_t>(setup)].push_back(task);
  }

  // Many teardowns over one long chain could imply more than fits into memory.
  bool may_imply(const Teardown& teardown) {
    if (++implied_ == kImpliedMax)
      draft_.out.error("too-many-needs", teardown.place->span,
                       "the teardowns of this DAG imply more than " + std::to_string(kImpliedMax) + " needs",
                       "write `needs` of each teardown: the last tasks that use what it cleans up");
    return implied_ < kImpliedMax;
  }

  static constexpr std::size_t kImpliedMax = 1'000'000;
  static constexpr int kReportedCycles = 20;

  Draft& draft_;
  std::vector<std::vector<Link>> links_;  // by task; upstream ascending once settled
  std::vector<Teardown> teardowns_;
  std::size_t implied_ = 0;
  std::vector<std::size_t> missing_;  // by task: upstream tasks not yet sorted
  std::vector<bool> sorted_;
  std::priority_queue<int, std::vector<int>, std::greater<>> ready_;
};

}  // namespace

void link_tasks(Draft& draft) { Linker(draft).run(); }

}  // namespace slipway::dag
