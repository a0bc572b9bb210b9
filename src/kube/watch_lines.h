// The bytes of a watch as lines, and a line as an event; pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "slipway/base/enum_table.h"
#include "slipway/base/result.h"
#include "slipway/base/value.h"

namespace slipway::kube {

// Chunks cut lines anywhere.
class LineSplitter {
 public:
  explicit LineSplitter(std::size_t line_bytes_max) : bytes_max_(line_bytes_max) {}

  void add(std::string_view bytes) { buffer_.append(bytes); }
  // The next whole line without its break; empty ones are passed over.
  [[nodiscard]] std::optional<std::string> next();
  // A line that is not whole yet is longer than the limit.
  [[nodiscard]] bool overflowed() const { return buffer_.size() - at_ > bytes_max_; }

 private:
  std::size_t bytes_max_;
  std::string buffer_;
  std::size_t at_ = 0;        // begin of the unread
  std::size_t searched_ = 0;  // no line break before here
};

enum class EventType : unsigned char { Added, Modified, Deleted, Bookmark, Error };
inline constexpr EnumTable<EventType, 5> kEventTypes{{{
    {EventType::Added, "ADDED", "an object that matches now"},
    {EventType::Modified, "MODIFIED", "a new version of it"},
    {EventType::Deleted, "DELETED", "it is gone or matches no longer; with its last state"},
    {EventType::Bookmark, "BOOKMARK", "only a resource version"},
    {EventType::Error, "ERROR", "a Status; the watch is over"},
}}};

struct WatchEvent {
  EventType type = EventType::Bookmark;
  Value object;
};
// Corrupt if the line is no event.
[[nodiscard]] Result<WatchEvent> parse_event(std::string_view line);

}  // namespace slipway::kube
