#include "slipway/base/sha256.h"
#include "slipway/kube/logs.h"

namespace slipway::kube {
namespace {

struct Split {
  LogLine line;
  std::optional<Instant> second;
};

// "2024-11-01T06:30:00.123456789Z text"; the offset may also be the node's.
Split split(std::string_view whole) {
  const auto space = whole.find(' ');
  Split out{{whole.substr(0, space), space == std::string_view::npos ? std::string_view() : whole.substr(space + 1)},
            {}};
  constexpr std::size_t kShortest = 20;  // a date alone is no stamp
  if (out.line.stamp.size() < kShortest) return out;
  if (const auto at = parse_rfc3339(out.line.stamp)) out.second = std::chrono::floor<std::chrono::seconds>(*at);
  return out;
}

std::string digest(const LogLine& line) {
  const auto hash = sha256(std::string(line.stamp) + " " + std::string(line.text));
  return {hash.begin(), hash.end()};
}

}  // namespace

std::string LogCursor::since() const { return second_ ? to_rfc3339(*second_).substr(0, 19) + "Z" : std::string(); }

void LogCursor::begin() {
  partial_.clear();
  to_drop_ = held_;
  asked_ = second_;
}

bool LogCursor::is_new(const LogLine& line) {
  const auto at = parse_rfc3339(line.stamp);
  if (!at) return false;
  const Instant second = std::chrono::floor<std::chrono::seconds>(*at);
  if (asked_ && second < *asked_) return false;
  if (second_ && second < *second_) return true;  // the node's clock was set back
  if (!second_ || second > *second_) {
    second_ = second;
    held_.clear();
    to_drop_.clear();
  }
  std::string key = digest(line);
  if (const auto it = to_drop_.find(key); it != to_drop_.end()) {
    if (--it->second == 0) to_drop_.erase(it);
    return false;
  }
  ++held_[std::move(key)];
  return true;
}

void LogCursor::stored(const LogLine& line) { (void)is_new(line); }

void LogCursor::put(std::string_view whole, bool partial, const Emit& emit) {
  Split parts = split(whole);
  parts.line.partial = partial;
  if (parts.second && is_new(parts.line)) emit(parts.line);
}

// The first part of a line that is too long; the rest goes on under the same stamp.
void LogCursor::cut(const Emit& emit) {
  const std::string stamp = partial_.substr(0, partial_.find(' '));
  put(std::string_view(partial_).substr(0, kLineBytesMax), true, emit);
  partial_.erase(0, kLineBytesMax);
  partial_.insert(0, stamp + " ");
}

void LogCursor::take(std::string_view bytes, const Emit& emit) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    partial_.append(bytes.substr(0, end));
    while (partial_.size() > kLineBytesMax) cut(emit);
    if (end == std::string_view::npos) return;
    bytes.remove_prefix(end + 1);
    const std::string whole = std::exchange(partial_, {});
    if (!whole.empty()) put(whole, false, emit);
  }
}

void LogCursor::finish(const Emit& emit) {
  const std::string whole = std::exchange(partial_, {});
  if (!whole.empty()) put(whole, true, emit);
}

}  // namespace slipway::kube
