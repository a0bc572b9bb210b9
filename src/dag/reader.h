// Reads values that passed the structure check. What is absent, null or malformed (and so reported) gives nothing.
#pragma once

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "slipway/base/enum_table.h"
#include "slipway/base/time.h"
#include "slipway/dag/template.h"
#include "slipway/text/node.h"

namespace slipway::dag {

[[nodiscard]] inline bool is_written(const text::Node* node) {
  return node != nullptr && node->kind != text::NodeKind::Null;
}

[[nodiscard]] inline std::optional<std::string> read_text(const text::Node* node) {
  if (!is_written(node) || !node->is_scalar()) return std::nullopt;
  return node->scalar;
}

[[nodiscard]] inline std::optional<bool> read_bool(const text::Node* node) {
  if (node == nullptr || node->kind != text::NodeKind::Boolean) return std::nullopt;
  return node->boolean;
}

[[nodiscard]] inline std::optional<double> read_number(const text::Node* node) {
  const bool number =
      node != nullptr && (node->kind == text::NodeKind::Integer || node->kind == text::NodeKind::Number);
  return number && std::isfinite(node->number) ? std::optional(node->number) : std::nullopt;
}

[[nodiscard]] inline std::optional<int> read_int(const text::Node* node) {
  const auto number = read_number(node);
  return number && std::abs(*number) < 2e9 ? std::optional(static_cast<int>(*number)) : std::nullopt;
}

[[nodiscard]] inline std::optional<Duration> read_duration(const text::Node* node) {
  const auto text = read_text(node);
  const auto duration = text ? parse_duration(*text) : Result<Duration>(Error{});
  return duration ? std::optional(*duration) : std::nullopt;
}

template <class E, std::size_t N>
[[nodiscard]] std::optional<E> read_word(const text::Node* node, const EnumTable<E, N>& table) {
  const auto text = read_text(node);
  return text ? table.parse(*text) : std::nullopt;
}

[[nodiscard]] inline std::optional<Template> read_template(const text::Node* node) {
  if (!is_written(node) || !node->is_scalar()) return std::nullopt;
  return Template{node->scalar, node->content, node->by_lines};
}

// The items of a list, or the one value that stands for a list of one.
[[nodiscard]] inline std::vector<const text::Node*> read_many(const text::Node* node) {
  std::vector<const text::Node*> many;
  if (!is_written(node)) return many;
  if (node->kind != text::NodeKind::List) return {node};
  for (const text::Node& item : node->items) many.push_back(&item);
  return many;
}

// Assigns where something was read.
template <class T, class U>
void assign(T& target, std::optional<U> value) {
  if (value) target = *std::move(value);
}

}  // namespace slipway::dag
