#include "mlsteps/answer.h"

#include <cctype>

namespace slipway::mlsteps {
namespace {

bool is_word_byte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || std::isalnum(byte) != 0 || c == '_';
}

bool begins_with_word(std::string_view text, std::string_view word) {
  return text.starts_with(word) && (text.size() == word.size() || !is_word_byte(text[word.size()]));
}

}  // namespace

std::string trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1));
}

std::string answer_of(std::string_view generated, const std::vector<std::string>& labels) {
  const std::string text = trimmed(generated);
  if (labels.empty()) return trimmed(std::string_view(text).substr(0, text.find('\n')));
  std::string found;
  for (const auto& label : labels)
    if (label.size() > found.size() && begins_with_word(text, label)) found = label;
  return found;
}

}  // namespace slipway::mlsteps
