// One table per enum: parse, print, completion, JSON Schema and docs derive from its rows.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace slipway {

template <class E>
struct EnumRow {
  E value;
  std::string_view text;
  std::string_view doc;
};

// Rows are in the order of the enumerators, which count up from 0; the constructor checks it at compile time.
template <class E, std::size_t N>
class EnumTable {
 public:
  consteval explicit EnumTable(std::array<EnumRow<E>, N> rows) : rows_(rows) {
    for (std::size_t i = 0; i < N; ++i)
      if (static_cast<std::size_t>(rows_[i].value) != i) throw "row order differs from enumerator order";
  }

  [[nodiscard]] constexpr std::string_view text(E value) const { return rows_[static_cast<std::size_t>(value)].text; }
  [[nodiscard]] constexpr std::string_view doc(E value) const { return rows_[static_cast<std::size_t>(value)].doc; }

  [[nodiscard]] constexpr std::optional<E> parse(std::string_view text) const {
    for (const auto& row : rows_)
      if (row.text == text) return row.value;
    return std::nullopt;
  }

  [[nodiscard]] constexpr const std::array<EnumRow<E>, N>& rows() const { return rows_; }
  [[nodiscard]] static constexpr std::size_t size() { return N; }

 private:
  std::array<EnumRow<E>, N> rows_;
};

}  // namespace slipway
