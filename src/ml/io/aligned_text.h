// Text that remembers which bytes of the input each of its bytes came from, through every rewriting.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "slipway/ml/tokenizer.h"

namespace slipway::ml {

class AlignedText {
 public:
  AlignedText() = default;
  // The input itself; bytes that are no UTF-8 become U+FFFD.
  [[nodiscard]] static AlignedText of_input(std::string_view input);

  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }
  [[nodiscard]] std::size_t size() const { return text_.size(); }
  [[nodiscard]] std::string_view view(ByteSpan range) const {
    return std::string_view(text_).substr(range.begin, range.end - range.begin);
  }
  // The input bytes that a non-empty range of the text stands for.
  [[nodiscard]] ByteSpan origin(ByteSpan range) const {
    return {origin_[range.begin].begin, origin_[range.end - 1].end};
  }
  // Where the input stands in front of byte `at` of the text.
  [[nodiscard]] std::uint32_t origin_before(std::size_t at) const;

  void append(std::string_view bytes, ByteSpan origin);
  void append(const AlignedText& other, ByteSpan range);
  [[nodiscard]] AlignedText slice(ByteSpan range) const;

 private:
  std::string text_;
  std::vector<ByteSpan> origin_;  // as long as text_
};

}  // namespace slipway::ml
