#include "ml/io/aligned_text.h"

#include "ml/io/unicode.h"

namespace slipway::ml {

AlignedText AlignedText::of_input(std::string_view input) {
  AlignedText out;
  out.text_.reserve(input.size());
  out.origin_.reserve(input.size());
  for (std::uint32_t at = 0; at < input.size();) {
    const CodePoint point = code_point_at(input, at);
    out.append(point.valid ? input.substr(at, point.size) : kReplacement, {at, at + point.size});
    at += point.size;
  }
  return out;
}

std::uint32_t AlignedText::origin_before(std::size_t at) const {
  if (origin_.empty()) return 0;
  return at < origin_.size() ? origin_[at].begin : origin_.back().end;
}

void AlignedText::append(std::string_view bytes, ByteSpan origin) {
  text_.append(bytes);
  origin_.resize(text_.size(), origin);
}

void AlignedText::append(const AlignedText& other, ByteSpan range) {
  text_.append(other.view(range));
  origin_.insert(origin_.end(), other.origin_.begin() + range.begin, other.origin_.begin() + range.end);
}

AlignedText AlignedText::slice(ByteSpan range) const {
  AlignedText out;
  out.append(*this, range);
  return out;
}

}  // namespace slipway::ml
