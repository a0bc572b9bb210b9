#include "ml/io/unicode.h"

#include <gtest/gtest.h>

#include "ml/io/byte_level.h"
#include "ml/io/normalizer.h"

namespace slipway::ml {
namespace {

TEST(Unicode, EveryCodePointRoundTrips) {
  for (char32_t value = 0; value <= 0x10FFFF; value = value == 0xD7FF ? 0xE000 : value + 1) {
    std::string bytes;
    append_utf8(bytes, value);
    const CodePoint point = code_point_at(bytes, 0);
    ASSERT_TRUE(point.valid && point.value == value && point.size == bytes.size()) << static_cast<unsigned>(value);
  }
}

struct Lossy {
  std::string bytes;
  std::string text;
};
// Expected values: Rust's String::from_utf8_lossy (Unicode 3.9, maximal subparts).
TEST(Unicode, IllFormedPartsBecomeOneReplacementEach) {
  const std::string r(kReplacement);
  for (const Lossy& row : std::vector<Lossy>{{"a\xff"
                                              "b",
                                              "a" + r + "b"},
                                             {"\xe4\xb8", r},
                                             {"\xe4\xb8"
                                              "a",
                                              r + "a"},
                                             {"\xf0\x9f\x98\xf0\x9f\x98\x80", r + "\xf0\x9f\x98\x80"},
                                             {"\xed\xa0\x80", r + r + r},
                                             {"\xc0\x80", r + r},
                                             {"\xf4\x90\x80\x80", r + r + r + r},
                                             {"\x80\x80", r + r}}) {
    EXPECT_EQ(to_valid_utf8(row.bytes), row.text);
    EXPECT_FALSE(is_valid_utf8(row.bytes));
  }
}

TEST(Unicode, KnowsWhatMayStillBecomeACodePoint) {
  EXPECT_EQ(unfinished_suffix("abc"), 0U);
  EXPECT_EQ(unfinished_suffix("a\xf0\x9f\x98"), 3U);
  EXPECT_EQ(unfinished_suffix("a\xe4\xb8"), 2U);
  EXPECT_EQ(unfinished_suffix("a\xc3"), 1U);
  EXPECT_EQ(unfinished_suffix("\xe4\xb8\xad"), 0U);
  EXPECT_EQ(unfinished_suffix("\xed\xa0"), 0U);  // a surrogate can never be finished
  EXPECT_EQ(unfinished_suffix("\x80\x80\x80"), 0U);
}

TEST(Unicode, Classes) {
  for (const char32_t c : {U'a', U'Z', U'é', U'ß', U'ʰ', U'中', U'あ', U'א'})
    EXPECT_EQ(char_class(c), CharClass::Letter);
  for (const char32_t c : {U'7', U'٣', U'Ⅷ', U'½'}) EXPECT_EQ(char_class(c), CharClass::Number);
  for (const char32_t c : {U'\t', U'\v', U' ', U'\u0085', U'\u00A0', U'\u2003', U'\u2028', U'\u3000'})
    EXPECT_EQ(char_class(c), CharClass::Space);
  for (const char32_t c : {U'\r', U'\n'}) EXPECT_EQ(char_class(c), CharClass::Newline);
  for (const char32_t c : {U'!', U'\u200B', U'\u0301', U'\u2581', U'\u00AD'})
    EXPECT_EQ(char_class(c), CharClass::Other);
  EXPECT_TRUE(is_word(U'_') && is_word(U'\u0301') && is_word(U'\u24B6') && is_word(U'\u200D'));
  EXPECT_FALSE(is_word(U'-') || is_word(U'½') || is_word(U' '));
}

TEST(ByteLevel, IsABijection) {
  for (int byte = 0; byte < 256; ++byte) {
    const CodePoint point = code_point_at(byte_symbol(static_cast<unsigned char>(byte)), 0);
    EXPECT_EQ(symbol_byte(point.value), static_cast<unsigned char>(byte));
  }
  EXPECT_EQ(byte_symbol(' '), "Ġ");
  EXPECT_EQ(byte_symbol('\n'), "Ċ");
  EXPECT_FALSE(symbol_byte(U' '));
  EXPECT_FALSE(symbol_byte(U'中'));
}

// Cutting in front of code points below U+0300 must not change the result.
TEST(Normalizer, PiecewiseNfcIsNfc) {
  auto spec = parse_json(R"({"type":"NFC"})");
  const auto normalizer = Normalizer::parse(*spec);
  ASSERT_TRUE(normalizer);
  for (const std::string text : {"e\u0301a\u0300", "\u1100\u1161\u11A8 x", "q\u0307\u0323", "\u0308\u0301",
                                 "\u2126\u212B", "\u0958\u0929", "a\u0301\u4E2De\u0301", "\U0001D15E", "plain"})
    EXPECT_EQ(normalizer->apply(text), normal_form(text, NormalForm::Nfc)) << text;
}

TEST(Normalizer, KeepsOrigins) {
  auto spec = parse_json(R"({"type":"NFC"})");
  const auto normalizer = Normalizer::parse(*spec);
  ASSERT_TRUE(normalizer);
  const AlignedText text = normalizer->apply(AlignedText::of_input("ab e\u0301 c"));
  ASSERT_EQ(text.text(), "ab \u00e9 c");
  EXPECT_EQ(text.origin({0, 2}), (ByteSpan{0, 2}));
  EXPECT_EQ(text.origin({3, 5}), (ByteSpan{3, 6}));
  EXPECT_EQ(text.origin({6, 7}), (ByteSpan{7, 8}));
}

}  // namespace
}  // namespace slipway::ml
