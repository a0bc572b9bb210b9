#include "dag/place.h"

#include <algorithm>
#include <cmath>

#include "dag/reader.h"
#include "dag/scalar_rules.h"

namespace slipway::dag {
namespace {

using text::Entry;
using text::Node;
using text::NodeKind;

// No process starts in less.
constexpr std::int64_t kMemoryMin = 4 << 20;

// The quantity times `unit` as a whole number; numbers too large for one are cut.
std::optional<std::int64_t> read_quantity(const Node* node, double unit) {
  if (!is_written(node) || !node->is_scalar()) return std::nullopt;
  const auto value = node->kind == NodeKind::Text ? quantity_of(node->scalar) : std::optional(node->number);
  if (!value || !(*value >= 0)) return std::nullopt;
  return static_cast<std::int64_t>(std::ceil(std::min(*value * unit, 9e18)));
}

void read_resources(const Node* node, Task& task, Diagnostics& out) {
  if (!is_written(node) || node->kind != NodeKind::Map) return;
  assign(task.resources.cpu_milli, read_quantity(node->find("cpu"), 1000));
  const auto memory = read_quantity(node->find("memory"), 1);
  assign(task.resources.memory_bytes, memory);
  if (memory && *memory < kMemoryMin)
    out.error("bad-memory", node->find("memory")->span,
              "`" + node->find("memory")->scalar + "` is " + std::to_string(*memory) +
                  (*memory == 1 ? " byte" : " bytes") + " of memory, and no process starts in so little",
              "write a unit: 512Mi, 4Gi");
}

// `has_memory`: something stands in resources.memory, sound or not.
void read_on_oom(const Node* node, bool has_memory, Task& task, Diagnostics& out) {
  if (!is_written(node) || node->kind != NodeKind::Map) return;
  OnOom& steps = task.on_oom.emplace();
  const Node* const memory = node->find("memory");
  if (is_written(memory) && is_factor(memory->scalar))
    assign(steps.factor, quantity_of(std::string_view(memory->scalar).substr(1)));
  assign(steps.max_bytes, read_quantity(node->find("max"), 1));
  if (is_written(memory) && !(steps.factor > 1))
    out.error("bad-on-oom", memory->span, "this is no more memory than before", "write a factor above 1: memory: x1.5");
  if (!has_memory)
    return out.error("bad-on-oom", node->span, "`on_oom` raises `resources.memory`, and the task has none",
                     "write how much it begins with: resources: {memory: 4Gi}");
  if (!is_written(node->find("max")))
    out.error("bad-on-oom", node->span, "`on_oom` says no `max`", "write how much it may come to: max: 64Gi");
  else if (steps.max_bytes > 0 && steps.max_bytes <= task.resources.memory_bytes)
    out.error("bad-on-oom", node->find("max")->span, "`max` is no more than `resources.memory`",
              "write more, or remove `on_oom`");
}

bool is_file_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  };
  return !name.empty() && name.size() <= 100 && name.front() != '.' && std::all_of(name.begin(), name.end(), fits);
}

// {name, file}: as that file; {name}: as a variable, like the name alone.
void read_secret_entry(const Node& node, Task& task, Diagnostics& out) {
  const auto name = read_text(node.find("name"));
  if (!name)
    return out.error("missing-field", node.span, "this entry names no secret", "write {name: TOKEN, file: token}");
  const auto file = read_text(node.find("file"));
  if (!file) return task.secrets.push_back(*name);
  if (!is_file_name(*file))
    out.error("bad-file", node.find("file")->span, "`" + *file + "` is no name of a file",
              "write the name alone: file: key.json; the command finds its path in $" + *name + "_FILE");
  const bool twice = std::any_of(task.secret_files.begin(), task.secret_files.end(),
                                 [&](const auto& known) { return known.first == *name || known.second == *file; });
  if (twice)
    out.error("duplicate-file", node.span, "a secret or a file of this name stands in the list already", "keep one");
  task.secret_files.emplace(*name, *file);
}

}  // namespace

void read_place(const Node& node, Task& task, Diagnostics& out) {
  read_resources(node.find("resources"), task, out);
  const Node* const resources = node.find("resources");
  const bool has_memory = is_written(resources) && is_written(resources->find("memory"));
  read_on_oom(node.find("on_oom"), has_memory, task, out);
  assign(task.run_as, read_text(node.find("run_as")));
  if (const Node* inputs = node.find("inputs"); is_written(inputs) && inputs->kind == NodeKind::Map)
    for (const Entry& entry : inputs->entries)
      if (auto uri = read_template(&entry.value)) task.inputs.emplace(entry.key, *std::move(uri));
}

void read_secrets(const Node& node, Task& task, Diagnostics& out) {
  for (const Node* name : read_many(node.find("secrets"))) {
    if (name->kind == NodeKind::Text) task.secrets.push_back(name->scalar);
    if (name->kind == NodeKind::Map) read_secret_entry(*name, task, out);
  }
  std::sort(task.secrets.begin(), task.secrets.end());
  task.secrets.erase(std::unique(task.secrets.begin(), task.secrets.end()), task.secrets.end());
  for (const auto& name : task.secrets)
    if (const Entry* both = task.env.contains(name) ? node.find("env")->find_entry(name) : nullptr)
      out.error("env-and-secret", both->key_span, "`" + name + "` is an environment variable and a secret of this task",
                "remove one");
}

}  // namespace slipway::dag
