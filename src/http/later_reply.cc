#include "slipway/http/later_reply.h"

#include <utility>

namespace slipway::http {

void LaterReply::send(Response whole) {
  std::function<void()> unneeded;  // destroyed after the lock
  const std::lock_guard lock(mutex_);
  if (over_) return;
  unneeded = std::exchange(gone_, nullptr);
  next_.whole = std::move(whole);
  over_ = next_.ended = true;
  if (wake_) wake_();
}

void LaterReply::begin(Response head) {
  const std::lock_guard lock(mutex_);
  if (over_) return;
  next_.bytes = std::exchange(head.body, {});
  next_.head = std::move(head);
  if (wake_) wake_();
}

bool LaterReply::write(std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  if (over_) return false;
  next_.bytes += bytes;
  over_ = next_.cut = next_.bytes.size() > unsent_bytes_max_;
  if (wake_) wake_();
  return !over_;
}

void LaterReply::end() {
  std::function<void()> unneeded;
  const std::lock_guard lock(mutex_);
  if (over_) return;
  unneeded = std::exchange(gone_, nullptr);
  over_ = next_.ended = true;
  if (wake_) wake_();
}

void LaterReply::on_gone(std::function<void()> gone) {
  {
    const std::lock_guard lock(mutex_);
    if (!lost_) {
      if (!over_ || next_.cut) gone_ = std::move(gone);
      return;
    }
  }
  gone();
}

void LaterReply::attach(std::function<void()> wake) {
  const std::lock_guard lock(mutex_);
  wake_ = std::move(wake);
}

LaterReply::Taken LaterReply::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(next_, {});
}

void LaterReply::lose() {
  std::function<void()> gone;
  {
    const std::lock_guard lock(mutex_);
    lost_ = !over_ || gone_;
    over_ = true;
    wake_ = nullptr;
    gone = std::exchange(gone_, nullptr);
  }
  if (gone) gone();
}

}  // namespace slipway::http
