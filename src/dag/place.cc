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

// "name/key" of a Secret of the namespace.
std::optional<SecretKey> read_secret_key(const Node* node, Diagnostics& out) {
  const auto text = read_text(node);
  if (!text) return std::nullopt;
  const auto slash = text->find('/');
  if (slash != std::string::npos && slash > 0 && slash + 1 < text->size())
    return SecretKey{text->substr(0, slash), text->substr(slash + 1)};
  out.error("bad-secret", node->span, "`" + *text + "` names no key of a Secret",
            "write the Secret and the key: k8s: kaggle/token");
  return std::nullopt;
}

// {name, file}: as that file; {name}: as a variable, like the name alone.
void read_secret_entry(const Node& node, Task& task, Diagnostics& out) {
  const auto name = read_text(node.find("name"));
  if (!name)
    return out.error("missing-field", node.span, "this entry names no secret", "write {name: TOKEN, file: token}");
  if (auto key = read_secret_key(node.find("k8s"), out)) task.pod.secrets[*name] = *std::move(key);
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

void read_texts(const Node* node, std::map<std::string, Template>& out) {
  if (!is_written(node) || node->kind != NodeKind::Map) return;
  for (const Entry& entry : node->entries)
    if (auto text = read_template(&entry.value)) out.emplace(entry.key, *std::move(text));
}

void read_gpu(const Node* node, Pod& pod) {
  if (!is_written(node)) return;
  if (node->kind != NodeKind::Map) return assign(pod.gpus, read_int(node));
  pod.gpus = read_int(node->find("count")).value_or(1);
  assign(pod.gpu_type, read_text(node->find("type")));
}

void read_sources(const Node& node, Pod& pod, Diagnostics& out) {
  for (const Node* from : read_many(node.find("env_from"))) {
    if (from->kind != NodeKind::Map) continue;
    const auto secret = read_text(from->find("secret"));
    const auto config_map = read_text(from->find("configmap"));
    if (secret.has_value() == config_map.has_value())
      out.error("bad-env-from", from->span, "an entry names one object", "write {secret: NAME} or {configmap: NAME}");
    if (secret) pod.env_secrets.push_back(*secret);
    if (config_map) pod.env_config_maps.push_back(*config_map);
  }
}

void read_pod(const Node& node, Pod& pod, Diagnostics& out) {
  assign(pod.namespace_name, read_text(node.find("namespace")));
  assign(pod.image_pull_policy, read_text(node.find("image_pull_policy")));
  for (const Node* word : read_many(node.find("args")))
    if (auto text = read_template(word)) pod.args.push_back(*std::move(text));
  if (const Node* resources = node.find("resources"); is_written(resources) && resources->kind == NodeKind::Map) {
    assign(pod.disk_bytes, read_quantity(resources->find("disk"), 1));
    read_gpu(resources->find("gpu"), pod);
  }
  read_texts(node.find("labels"), pod.labels);
  read_texts(node.find("annotations"), pod.annotations);
  if (const Node* fragment = node.find("pod"); is_written(fragment)) pod.fragment = text::to_value(*fragment);
  pod.baseline = read_text(node.find("security")) == "baseline";
  assign(pod.service_account, read_text(node.find("service_account")));
  assign(pod.start_timeout, read_duration(node.find("start_timeout")));
  pod.retry_on_delete = read_text(node.find("on_delete")) == "retry";
  assign(pod.trust_exit_zero, read_bool(node.find("trust_exit_zero")));
  read_sources(node, pod, out);
}

}  // namespace

void read_place(const Node& node, Task& task, Diagnostics& out) {
  task.place = read_word(node.find("executor"), kPlaces);
  read_pod(node, task.pod, out);
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
