#include "slipway/base/ids.h"

#include <charconv>

namespace slipway {
namespace {

bool is_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// A canonical decimal number from 0 (no sign, no leading zero), or -1.
int parse_number(std::string_view text) {
  int number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.front() == '-') return -1;
  return text.size() > 1 && text.front() == '0' ? -1 : number;
}

}  // namespace

bool is_id(std::string_view text) {
  if (text.empty() || text.size() > 100 || !is_alnum(text.front()) || !is_alnum(text.back())) return false;
  for (const char c : text)
    if (!is_alnum(c) && c != '-' && c != '.' && c != '_') return false;
  return true;
}

std::string TaskKey::str() const {
  return map_index == kUnmapped ? task.str() : task.str() + "[" + std::to_string(map_index) + "]";
}

std::string AttemptId::str() const { return run.str() + "/" + key.str() + "/" + std::to_string(number); }

std::optional<AttemptId> AttemptId::parse(std::string_view text) {
  const auto first = text.find('/');
  const auto second = text.find('/', first == std::string_view::npos ? first : first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) return std::nullopt;
  const auto run = text.substr(0, first);
  auto node = text.substr(first + 1, second - first - 1);
  const int number = second + 1 < text.size() ? parse_number(text.substr(second + 1)) : -1;
  int map_index = TaskKey::kUnmapped;
  if (const auto bracket = node.find('['); bracket != std::string_view::npos) {
    if (node.back() != ']' || bracket + 2 >= node.size()) return std::nullopt;
    map_index = parse_number(node.substr(bracket + 1, node.size() - bracket - 2));
    if (map_index < 0) return std::nullopt;
    node = node.substr(0, bracket);
  }
  if (!is_id(run) || !is_id(node) || number < 1) return std::nullopt;
  return AttemptId{RunId(std::string(run)), TaskKey{TaskId(std::string(node)), map_index}, number};
}

}  // namespace slipway
