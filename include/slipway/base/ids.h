// Strong text types: a RunId cannot be passed where a DagId is meant.
#pragma once

#include <compare>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace slipway {

template <class Tag>
class Id {
 public:
  Id() = default;
  explicit Id(std::string text) : text_(std::move(text)) {}

  [[nodiscard]] const std::string& str() const { return text_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }
  auto operator<=>(const Id&) const = default;
  friend std::ostream& operator<<(std::ostream& out, const Id& id) { return out << id.text_; }

 private:
  std::string text_;
};

using DagId = Id<struct DagTag>;          // [a-z0-9]([-a-z0-9._]*[a-z0-9])?, at most 100 bytes
using TaskId = Id<struct TaskTag>;        // the same alphabet
using RunId = Id<struct RunTag>;          // 26 characters of Crockford base32, lower case, sorts by creation (ULID)
using VersionId = Id<struct VersionTag>;  // hex SHA-256 of a DAG file's bytes
using PoolId = Id<struct PoolTag>;
using ServiceId = Id<struct ServiceTag>;

// Whether `text` has the alphabet and length of a DAG, task, pool or service id. Such a text is safe as a path
// component.
[[nodiscard]] bool is_id(std::string_view text);

// A node of a run: a task, or one element of a mapped task.
struct TaskKey {
  static constexpr int kUnmapped = -1;

  TaskId task;
  int map_index = kUnmapped;

  auto operator<=>(const TaskKey&) const = default;
  // "finetune" or "finetune[3]".
  [[nodiscard]] std::string str() const;
};

// One launch of a task instance. Numbers count from 1 within (run, task, map_index) and never restart, so the
// text form "RUN/TASK/N" or "RUN/TASK[I]/N" names the attempt for ever; it is also its folder below <home>/attempts.
struct AttemptId {
  RunId run;
  TaskKey key;
  int number = 0;

  auto operator<=>(const AttemptId&) const = default;
  [[nodiscard]] std::string str() const;
  // Inverse of str(); nullopt for anything else, so that no path can hide in it.
  [[nodiscard]] static std::optional<AttemptId> parse(std::string_view text);
};

}  // namespace slipway

template <class Tag>
struct std::hash<slipway::Id<Tag>> {
  std::size_t operator()(const slipway::Id<Tag>& id) const noexcept { return std::hash<std::string>{}(id.str()); }
};
