// Which instances and which attempt an event is about.
#pragma once

#include <optional>
#include <type_traits>

#include "slipway/run/run.h"

namespace slipway::run {

struct Affected {
  std::optional<TaskKey> key;
  std::optional<AttemptId> attempt;
};

template <class T>
concept HasAttempt = requires(const T& event) {
  event.id.key;
};
template <class T>
concept HasKey = requires(const T& event) {
  event.key;
};

[[nodiscard]] inline Affected affected_by(const EventBody& body) {
  return std::visit(
      [](const auto& event) -> Affected {
        using Body = std::decay_t<decltype(event)>;
        if constexpr (HasAttempt<Body>) return {event.id.key, event.id};
        if constexpr (HasKey<Body>) return {event.key, std::nullopt};
        return {};
      },
      body);
}

// The task of an event that changes every instance of it: an expansion, or the reset of what was expanded.
[[nodiscard]] inline std::optional<TaskId> whole_task_of(const Run& run, const EventBody& body) {
  if (const auto* expanded = std::get_if<TaskExpanded>(&body)) return expanded->task;
  const auto* reset = std::get_if<TaskReset>(&body);
  if (reset == nullptr || reset->key.map_index != TaskKey::kUnmapped || run.mapped(reset->key.task).empty())
    return std::nullopt;
  return reset->key.task;
}

}  // namespace slipway::run
