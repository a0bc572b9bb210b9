// Text that must not appear in logs, bodies or errors. It has no stream operator and no conversion; whoever needs the
// bytes says so with reveal(), which reviewers can search for. The memory is wiped when the value dies.
#pragma once

#include <string>
#include <utility>

namespace slipway {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  Secret(const Secret&) = default;
  Secret(Secret&& other) noexcept : text_(std::move(other.text_)) { other.wipe(); }
  Secret& operator=(Secret other) noexcept {
    text_.swap(other.text_);
    return *this;
  }
  ~Secret() { wipe(); }

  [[nodiscard]] const std::string& reveal() const { return text_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }

 private:
  void wipe() noexcept;

  std::string text_;
};

}  // namespace slipway
