#include "cli/run_view.h"

#include <algorithm>
#include <cstdio>

#include "cli/exit_code.h"
#include "cli/print.h"
#include "cli/table.h"

namespace slipway::cli {
namespace {

// How a state looks: a shape and a word beside the colour, for those who see no colour.
struct Look {
  std::string_view state, mark, ascii_mark, color;
};
constexpr Look kLooks[] = {
    {"none", "·", ".", "90"},
    {"scheduled", "○", "o", "36"},
    {"waiting", "◷", "w", "36"},
    {"queued", "○", "o", "36"},
    {"active", "▶", ">", "34"},
    {"running", "▶", ">", "34"},
    {"up_for_retry", "↻", "r", "33"},
    {"stopping", "■", "s", "33"},
    {"cancelling", "■", "s", "33"},
    {"success", "✔", "+", "32"},
    {"failed", "✘", "x", "31"},
    {"skipped", "↷", "-", "90"},
    {"upstream_failed", "✘", "x", "31"},
    {"removed", "-", "-", "90"},
    {"cancelled", "■", "c", "33"},
};

const Look& look_of(std::string_view state) {
  for (const Look& look : kLooks)
    if (look.state == state) return look;
  return kLooks[0];
}

std::string paint(const std::string& text, std::string_view color, const ViewOptions& options) {
  return options.color ? "\x1b[" + std::string(color) + "m" + text + "\x1b[0m" : text;
}

std::string detail_of(const Value& task, const std::map<std::string, Progress>& progress) {
  const auto state = task.get_string("state");
  if (state == "active" || state == "queued") {
    const auto it = progress.find(task_name(task));
    return it == progress.end() ? task.get_string("reason") : it->second.text();
  }
  if (state == "success" && task.find("outputs") != nullptr) {
    const Value* outputs = task.find("outputs");
    if (outputs == nullptr || !outputs->is_object() || outputs->as_object().empty()) return "";
    std::string text;
    for (const auto& [name, value] : outputs->as_object())
      text += (text.empty() ? "" : "  ") + name + "=" + rounded(value);
    return text;
  }
  return task.get_string("reason");
}

std::string task_line(const Value& task, const std::map<std::string, Progress>& progress, std::size_t name_width,
                      const ViewOptions& options) {
  const auto state = task.get_string("state");
  const Look& look = look_of(state);
  const auto name = task_name(task);
  const auto took = elapsed(task.find("started_at"), task.find("ended_at"), options.now);
  std::string line = "  " + std::string(options.ascii ? look.ascii_mark : look.mark) + " " + name +
                     std::string(name_width - display_width(name) + 2, ' ') + state +
                     std::string(std::max<std::size_t>(16 - std::min<std::size_t>(16, state.size()), 1), ' ') + took +
                     std::string(std::max<std::size_t>(8 - std::min<std::size_t>(8, took.size()), 1), ' ') +
                     detail_of(task, progress);
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return paint(cut(line, options.width, options.ascii), look.color, options);
}

constexpr std::size_t kUnfolded = 5;  // instances of a mapped task that are shown one by one

std::string counts_text(const std::vector<const Value*>& tasks) {
  std::map<std::string, int> counts;
  for (const Value* task : tasks) ++counts[task->get_string("state")];
  std::string text;
  for (const auto& [state, count] : counts) text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + state;
  return text;
}

// One line for many instances: the state that matters most, from the first start to the last end.
Value folded(const std::string& name, const std::vector<const Value*>& instances) {
  constexpr std::string_view kOrder[] = {"active", "stopping", "queued",    "up_for_retry",    "waiting", "scheduled",
                                         "none",   "failed",   "cancelled", "upstream_failed", "success", "skipped"};
  Value line =
      Value::Object{{"task", name}, {"map_index", -1}, {"state", "removed"}, {"reason", counts_text(instances)}};
  std::string started, ended;
  bool over = true;
  std::size_t best = std::size(kOrder);
  for (const Value* instance : instances) {
    const auto rank = static_cast<std::size_t>(
        std::find(std::begin(kOrder), std::end(kOrder), instance->get_string("state")) - std::begin(kOrder));
    best = std::min(best, rank);
    const std::string from = instance->get_string("started_at");
    const std::string to = instance->get_string("ended_at");
    if (!from.empty() && (started.empty() || from < started)) started = from;
    ended = std::max(ended, to);
    over = over && !to.empty();
  }
  if (best < std::size(kOrder)) line["state"] = kOrder[best];
  if (!started.empty()) line["started_at"] = started;
  if (over) line["ended_at"] = ended;
  return line;
}

// A placeholder that expanded is its instances; many of those are one line, and those that failed.
Value::Array fold_instances(const Value::Array& tasks) {
  Value::Array lines;
  for (std::size_t i = 0; i < tasks.size();) {
    const std::string id = tasks[i].get_string("task");
    std::vector<const Value*> live;
    std::size_t next = i;
    for (; next < tasks.size() && tasks[next].get_string("task") == id; ++next)
      if (next == i || tasks[next].get_string("state") != "removed") live.push_back(&tasks[next]);
    i = next;
    if (live.size() > 1 && live.front()->get_string("state") == "removed") live.erase(live.begin());
    if (live.size() > kUnfolded) {
      lines.push_back(folded(id + "[" + std::to_string(live.size()) + "]", live));
      std::erase_if(live, [](const Value* instance) { return instance->get_string("state") != "failed"; });
      live.resize(std::min(live.size(), kUnfolded));
    }
    for (const Value* instance : live) lines.push_back(*instance);
  }
  return lines;
}

// Where that is still too much: a group is one line at the place of its first task, and its failures.
Value::Array fold_groups(const Value::Array& tasks) {
  std::map<std::string, std::vector<const Value*>> groups;
  for (const Value& task : tasks)
    if (task.get_string("state") != "removed") groups[task.get_string("group")].push_back(&task);
  Value::Array lines;
  for (const Value& task : tasks) {
    const std::string group = task.get_string("group");
    if (group.empty()) {
      lines.push_back(task);
      continue;
    }
    const auto found = groups.find(group);
    if (found == groups.end() || task.get_string("state") == "removed") continue;
    lines.push_back(folded(group + " (" + std::to_string(found->second.size()) + ")", found->second));
    for (const Value* member : found->second)
      if (member->get_string("state") == "failed") lines.push_back(*member);
    groups.erase(found);
  }
  return lines;
}

// Failures and active tasks are always shown; then file order, as many as fit.
std::vector<const Value*> chosen(const Value::Array& tasks, std::size_t room) {
  std::vector<const Value*> all;
  for (const Value& task : tasks) all.push_back(&task);
  if (all.size() <= room) return all;
  const auto rank = [](const Value* task) {
    const auto state = task->get_string("state");
    if (state == "failed") return 0;
    if (state == "active" || state == "stopping" || state == "up_for_retry") return 1;
    if (state == "queued" || state == "scheduled" || state == "waiting") return 2;
    return state == "upstream_failed" ? 3 : 4;
  };
  std::vector<const Value*> ranked = all;
  std::stable_sort(ranked.begin(), ranked.end(), [&](const Value* a, const Value* b) { return rank(a) < rank(b); });
  ranked.resize(room);
  std::vector<const Value*> kept;
  for (const Value* task : all)
    if (std::find(ranked.begin(), ranked.end(), task) != ranked.end()) kept.push_back(task);
  return kept;
}

std::string counts_line(const Value::Array& tasks) {
  std::vector<const Value*> all;
  for (const Value& task : tasks)
    if (task.get_string("state") != "removed") all.push_back(&task);
  return "  " + std::to_string(all.size()) + " tasks: " + counts_text(all);
}

std::optional<double> seconds_between(const Value* from, const Value* to) {
  if (from == nullptr || to == nullptr || !from->is_string() || !to->is_string()) return std::nullopt;
  const auto begin = parse_rfc3339(from->as_string()), end = parse_rfc3339(to->as_string());
  if (!begin || !end) return std::nullopt;
  return std::chrono::duration<double>(*end - *begin).count();
}

// "  eta 12s", or that it takes longer than it used to.
std::string outlook(const Value& run, const ViewOptions& options) {
  if (!options.usual_s || run.get_string("state") != "running") return "";
  const Value now = to_rfc3339(options.now);
  const auto took = seconds_between(run.find("started_at"), &now);
  if (!took) return "";
  return *took < *options.usual_s ? "  eta " + short_duration(*options.usual_s - *took)
                                  : "  longer than the usual " + short_duration(*options.usual_s);
}

}  // namespace

std::optional<double> usual_duration(const Value& body, std::string_view except) {
  std::vector<double> took;
  for (const Value& run : list_of(body, "runs")) {
    const auto seconds = seconds_between(run.find("started_at"), run.find("ended_at"));
    if (seconds && run.get_string("id") != except) took.push_back(*seconds);
  }
  if (took.empty()) return std::nullopt;
  std::sort(took.begin(), took.end());
  return took[took.size() / 2];
}

std::string Progress::text() const {
  std::string out;
  char buffer[64];
  if (step && steps) out = "step " + std::to_string(*step) + "/" + std::to_string(*steps);
  if (loss) {
    std::snprintf(buffer, sizeof buffer, "%sloss %.3f", out.empty() ? "" : "  ", *loss);
    out += buffer;
  }
  if (eta_s) out += (out.empty() ? "eta " : "  eta ") + short_duration(*eta_s);
  return out;
}

std::optional<Progress> parse_progress(std::string_view line) {
  constexpr std::string_view kWord = "progress ";
  if (line.substr(0, kWord.size()) != kWord) return std::nullopt;
  const auto value = parse_json(line.substr(kWord.size()), {.bytes_max = 4096, .depth_max = 4});
  if (!value || !value->is_object()) return std::nullopt;
  Progress progress;
  const auto number = [&](const char* name) -> std::optional<double> {
    const Value* member = value->find(name);
    return member != nullptr && member->is_number() ? std::optional<double>(member->as_double()) : std::nullopt;
  };
  if (const auto step = number("step")) progress.step = static_cast<std::int64_t>(*step);
  if (const auto steps = number("steps")) progress.steps = static_cast<std::int64_t>(*steps);
  progress.loss = number("loss");
  progress.eta_s = number("eta_s");
  return progress;
}

std::string task_name(const Value& task) {
  const auto index = task.get_int("map_index", -1);
  return task.get_string("task") + (index < 0 ? "" : "[" + std::to_string(index) + "]");
}

std::vector<std::string> draw_run(const Value& body, const std::map<std::string, Progress>& progress,
                                  const ViewOptions& options) {
  static const Value kNothing;
  const Value* found = body.find("run");
  const Value& run = found == nullptr ? kNothing : *found;
  const Value::Array& every = list_of(body, "tasks");
  const std::size_t room = options.height_max > 3 ? options.height_max - 2 : 1;
  auto tasks = fold_instances(every);
  if (tasks.size() > room) tasks = fold_instances(fold_groups(every));
  const auto state = run.get_string("state");
  const Look& look = look_of(state);
  std::vector<std::string> lines;
  lines.push_back(paint(std::string(options.ascii ? look.ascii_mark : look.mark) + " " + run.get_string("dag") + "  " +
                            run.get_string("id") + "  " + state + "  " +
                            elapsed(run.find("started_at"), run.find("ended_at"), options.now) + outlook(run, options),
                        look.color, options));
  const auto shown = chosen(tasks, room);
  std::size_t name_width = 8;
  for (const Value* task : shown) name_width = std::max(name_width, display_width(task_name(*task)));
  for (const Value* task : shown) lines.push_back(task_line(*task, progress, name_width, options));
  if (shown.size() < tasks.size()) lines.push_back(counts_line(every));
  return lines;
}

std::string change_line(const Value& before, const Value& after, Instant now) {
  const auto state = after.get_string("state");
  if (before.get_string("state") == state && before.get_int("attempt") == after.get_int("attempt")) return "";
  std::string line = to_rfc3339(now).substr(11, 8) + " " + task_name(after) + " " + state;
  if (state == "active" && after.get_int("attempt") > 1)
    line += " (attempt " + std::to_string(after.get_int("attempt")) + ")";
  const auto detail = detail_of(after, {});
  return detail.empty() ? line : line + ": " + detail;
}

bool is_over(const Value& body) {
  const Value* run = body.find("run");
  const auto state = run == nullptr ? "" : run->get_string("state");
  return state == "success" || state == "failed" || state == "cancelled";
}

int exit_code_of_run(const Value& body) {
  const Value* run = body.find("run");
  const auto state = run == nullptr ? "" : run->get_string("state");
  return state == "success" ? kOk : state == "cancelled" ? kCancelled : kFailed;
}

}  // namespace slipway::cli
