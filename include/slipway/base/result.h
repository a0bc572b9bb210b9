// Result<T>: a T or an Error. The names are those of C++23 std::expected, which g++ 12 does not have.
#pragma once

#include <type_traits>
#include <utility>
#include <variant>

#include "slipway/base/assert.h"
#include "slipway/base/error.h"

namespace slipway {

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  // Reading the wrong side is a programmer error.
  [[nodiscard]] T& value() & { return checked(); }
  [[nodiscard]] const T& value() const& { return const_cast<Result*>(this)->checked(); }
  [[nodiscard]] T&& value() && { return std::move(checked()); }
  T& operator*() & { return checked(); }
  const T& operator*() const& { return const_cast<Result*>(this)->checked(); }
  T&& operator*() && { return std::move(checked()); }
  T* operator->() { return &checked(); }
  const T* operator->() const { return &const_cast<Result*>(this)->checked(); }

  [[nodiscard]] const Error& error() const& {
    SLIPWAY_ASSERT(!has_value());
    return std::get<1>(state_);
  }
  [[nodiscard]] Error&& error() && {
    SLIPWAY_ASSERT(!has_value());
    return std::get<1>(std::move(state_));
  }

  template <class U>
  [[nodiscard]] T value_or(U&& fallback) const& {
    return has_value() ? std::get<0>(state_) : static_cast<T>(std::forward<U>(fallback));
  }

 private:
  T& checked() {
    SLIPWAY_ASSERT(has_value());
    return std::get<0>(state_);
  }

  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : error_(std::in_place_index<1>, std::move(error)) {}

  [[nodiscard]] bool has_value() const noexcept { return error_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }
  [[nodiscard]] const Error& error() const& {
    SLIPWAY_ASSERT(!has_value());
    return std::get<1>(error_);
  }

 private:
  std::variant<std::monostate, Error> error_;
};

}  // namespace slipway

#define SLIPWAY_CONCAT_(a, b) a##b
#define SLIPWAY_CONCAT(a, b) SLIPWAY_CONCAT_(a, b)

// Returns the error of `expression` from the enclosing function, if it has one.
#define SLIPWAY_TRY(expression)                                                                                 \
  do {                                                                                                          \
    if (auto try_result_ = (expression); !try_result_) return ::slipway::Error(std::move(try_result_).error()); \
  } while (false)

// Declares or assigns `target` from the value of `expression`, or returns its error.
#define SLIPWAY_TRY_ASSIGN(target, expression) \
  SLIPWAY_TRY_ASSIGN_(SLIPWAY_CONCAT(try_result_, __LINE__), target, expression)
#define SLIPWAY_TRY_ASSIGN_(temporary, target, expression)               \
  auto temporary = (expression);                                         \
  if (!temporary) return ::slipway::Error(std::move(temporary).error()); \
  target = *std::move(temporary)
