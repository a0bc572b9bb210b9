#include "kube/merge.h"

#include <algorithm>
#include <array>
#include <utility>

namespace slipway::kube {
namespace {

// Which member names an element, by the list's key (k8s.io/api core/v1, patchMergeKey).
constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kMergeKeys{{
    {"containers", "name"},
    {"initContainers", "name"},
    {"volumes", "name"},
    {"env", "name"},
    {"volumeMounts", "mountPath"},
    {"volumeDevices", "devicePath"},
    {"ports", "containerPort"},
    {"imagePullSecrets", "name"},
    {"hostAliases", "ip"},
    {"topologySpreadConstraints", "topologyKey"},
}};

std::string_view merge_key(std::string_view list) {
  for (const auto& [name, key] : kMergeKeys)
    if (name == list) return key;
  return {};
}

void merge_list(Value& into, const Value& patch, std::string_view key) {
  for (const Value& element : patch.as_array()) {
    const Value* name = element.find(key);
    auto& all = into.as_array();
    const auto known = std::find_if(all.begin(), all.end(), [&](const Value& one) {
      return name != nullptr && one.find(key) != nullptr && *one.find(key) == *name;
    });
    if (known == all.end()) {
      all.push_back(element);
    } else {
      strategic_merge(*known, element);
    }
  }
}

}  // namespace

void strategic_merge(Value& into, const Value& patch) {
  if (!patch.is_object() || !into.is_object()) {
    into = patch;
    return;
  }
  for (const auto& [key, value] : patch.as_object()) {
    const std::string_view by = merge_key(key);
    if (value.is_null()) {
      into.as_object().erase(key);
    } else if (!by.empty() && value.is_array() && into.find(key) != nullptr && into[key].is_array()) {
      merge_list(into[key], value, by);
    } else if (value.is_object() && into.find(key) != nullptr) {
      strategic_merge(into[key], value);
    } else {
      into[key] = value;
    }
  }
}

}  // namespace slipway::kube
