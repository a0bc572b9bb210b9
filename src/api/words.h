// Lists of words in texts, and the words of enum tables.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "slipway/base/enum_table.h"
#include "slipway/base/result.h"

namespace slipway::api {

// "a b? c" -> {"a", "b?", "c"}.
[[nodiscard]] inline std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> result;
  while (!text.empty()) {
    const auto word = text.substr(0, text.find(' '));
    text.remove_prefix(word.size() < text.size() ? word.size() + 1 : word.size());
    if (!word.empty()) result.emplace_back(word);
  }
  return result;
}

// {"a", "b"} -> "a, b".
[[nodiscard]] inline std::string join(const std::vector<std::string>& texts) {
  std::string result;
  for (const auto& text : texts) result += (result.empty() ? "" : ", ") + text;
  return result;
}

// "one of: running, failed": what a request may say.
template <class E, std::size_t N>
[[nodiscard]] std::string one_of(const EnumTable<E, N>& table) {
  std::vector<std::string> known;
  for (const auto& row : table.rows()) known.emplace_back(row.text);
  return "one of: " + join(known);
}

// InvalidArgument "`text` is no <what>".
template <class E, std::size_t N>
[[nodiscard]] Result<E> word_of(const EnumTable<E, N>& table, const std::string& text, std::string_view what) {
  if (const auto value = table.parse(text)) return *value;
  return Error{ErrorCode::InvalidArgument, "`" + text + "` is no " + std::string(what), one_of(table)};
}

}  // namespace slipway::api
