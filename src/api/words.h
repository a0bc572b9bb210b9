// Lists of words in texts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

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

}  // namespace slipway::api
