// Any text is read as a tokenizer or refused. What is read encodes any text, with spans inside it, and streams what it
// decodes. The input is a tokenizer.json and a text, a NUL between.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "slipway/base/assert.h"
#include "slipway/ml/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::ml;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = input.find('\0');
  const std::string_view text = cut == std::string_view::npos ? "a bc" : input.substr(cut + 1);
  const auto tokenizer = Tokenizer::parse(input.substr(0, cut));
  if (!tokenizer) {
    SLIPWAY_ASSERT(!tokenizer.error().message.empty());
    return 0;
  }
  const Encoding encoding = tokenizer->encode_with_spans(text, SpecialTokens::Add);
  SLIPWAY_ASSERT(encoding.ids.size() == encoding.spans.size());
  for (const ByteSpan span : encoding.spans) SLIPWAY_ASSERT(span.begin <= span.end && span.end <= text.size());
  StreamDecoder stream(*tokenizer, false);
  std::string pieces;
  for (const TokenId id : encoding.ids) pieces += stream.push(id);
  pieces += stream.finish();
  SLIPWAY_ASSERT(pieces == tokenizer->decode(encoding.ids, false));
  return 0;
}
