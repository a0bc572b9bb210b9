#include "kube/object_cache.h"

#include <set>

namespace slipway::kube {
namespace {

constexpr const char* kKept[] = {"name", "namespace", "uid", "resourceVersion"};

std::string metadata(const Value& object, std::string_view key) {
  const Value* found = object.find("metadata");
  return found == nullptr ? std::string() : found->get_string(key);
}

bool same_object(const Value& a, const Value& b) { return metadata(a, "uid") == metadata(b, "uid"); }

}  // namespace

std::string key_of(const Value& object) { return metadata(object, "namespace") + "/" + metadata(object, "name"); }

Value ObjectCache::projected(Value object) const {
  if (!project_) {
    if (object.find("metadata") != nullptr) object["metadata"].as_object().erase("managedFields");
    return object;
  }
  Value kept(Value::Object{});
  for (const char* key : kKept)
    if (std::string text = metadata(object, key); !text.empty()) kept[key] = std::move(text);
  Value out = project_(std::move(object));
  for (auto& [key, value] : kept.as_object()) out["metadata"][key] = value;
  return out;
}

void ObjectCache::put(std::string key, Value object, std::vector<Change>& changes) {
  const auto it = objects_.find(key);
  if (it == objects_.end()) {
    changes.push_back({ChangeKind::Added, object, false});
    objects_.emplace(std::move(key), std::move(object));
    return;
  }
  if (!same_object(it->second, object)) {
    changes.push_back({ChangeKind::Removed, std::move(it->second), true});
    changes.push_back({ChangeKind::Added, object, false});
  } else if (metadata(it->second, "resourceVersion") != metadata(object, "resourceVersion")) {
    changes.push_back({ChangeKind::Modified, object, false});
  }
  it->second = std::move(object);
}

std::vector<Change> ObjectCache::replace(std::vector<Value> objects) {
  std::vector<Change> changes;
  std::set<std::string> seen;
  for (const Value& object : objects) seen.insert(key_of(object));
  for (auto it = objects_.begin(); it != objects_.end();) {
    if (seen.count(it->first) > 0) {
      ++it;
      continue;
    }
    changes.push_back({ChangeKind::Removed, std::move(it->second), true});
    it = objects_.erase(it);
  }
  for (Value& object : objects) {
    std::string key = key_of(object);
    put(std::move(key), projected(std::move(object)), changes);
  }
  return changes;
}

std::vector<Change> ObjectCache::apply(EventType type, Value object) {
  std::vector<Change> changes;
  std::string key = key_of(object);
  Value kept = projected(std::move(object));
  if (type != EventType::Deleted) {
    put(std::move(key), std::move(kept), changes);
    return changes;
  }
  const auto it = objects_.find(key);
  if (it == objects_.end() || !same_object(it->second, kept)) return changes;
  objects_.erase(it);
  changes.push_back({ChangeKind::Removed, std::move(kept), false});
  return changes;
}

}  // namespace slipway::kube
