// A file descriptor that closes itself.
#pragma once

#include <utility>

namespace slipway {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { reset(); }

  // Closes it now.
  void reset() noexcept;
  // Gives it to the caller, who closes it: where the error of close() counts.
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

  [[nodiscard]] int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

}  // namespace slipway
