#include "kube/watch_lines.h"

namespace slipway::kube {

std::optional<std::string> LineSplitter::next() {
  while (true) {
    const auto end = buffer_.find('\n', searched_);
    if (end == std::string::npos) {
      buffer_.erase(0, at_);
      at_ = 0;
      searched_ = buffer_.size();
      return std::nullopt;
    }
    std::string line = buffer_.substr(at_, end - at_);
    at_ = searched_ = end + 1;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) return line;
  }
}

Result<WatchEvent> parse_event(std::string_view line) {
  auto value = parse_json(line, {.bytes_max = line.size() + 1});
  if (!value) return Error{ErrorCode::Corrupt, "watch event: " + value.error().message, {}};
  const auto type = kEventTypes.parse(value->get_string("type"));
  const bool whole = type && value->find("object") != nullptr && value->find("object")->is_object();
  if (!whole)
    return Error{ErrorCode::Corrupt, "watch event of type `" + value->get_string("type") + "` is not understood", {}};
  return WatchEvent{*type, std::move((*value)["object"])};
}

}  // namespace slipway::kube
