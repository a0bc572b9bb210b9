#include "ml/io/unicode.h"

#include <utf8proc.h>

#include <cstdlib>
#include <memory>

#include "slipway/base/assert.h"

namespace slipway::ml {
namespace {

// What follows a lead byte: how many bytes in all, and the range of the second one (Unicode table 3-7). Size 0: no
// lead.
struct Lead {
  std::uint32_t size = 0;
  unsigned char second_min = 0x80;
  unsigned char second_max = 0xBF;
};

Lead lead_of(unsigned char byte) {
  if (byte < 0x80) return {.size = 1};
  if (byte < 0xC2) return {};
  if (byte < 0xE0) return {.size = 2};
  if (byte == 0xE0) return {.size = 3, .second_min = 0xA0};
  if (byte == 0xED) return {.size = 3, .second_max = 0x9F};
  if (byte < 0xF0) return {.size = 3};
  if (byte == 0xF0) return {.size = 4, .second_min = 0x90};
  if (byte < 0xF4) return {.size = 4};
  if (byte == 0xF4) return {.size = 4, .second_max = 0x8F};
  return {};
}

// How many bytes from `at` are the longest well-formed beginning of a code point (0 when even the lead is none).
std::uint32_t well_formed(std::string_view text, std::size_t at, const Lead& lead) {
  if (lead.size == 0) return 0;
  std::uint32_t n = 1;
  for (; n < lead.size && at + n < text.size(); ++n) {
    const auto byte = static_cast<unsigned char>(text[at + n]);
    const unsigned char low = n == 1 ? lead.second_min : 0x80;
    const unsigned char high = n == 1 ? lead.second_max : 0xBF;
    if (byte < low || byte > high) break;
  }
  return n;
}

}  // namespace

CodePoint code_point_at(std::string_view text, std::size_t at) {
  SLIPWAY_ASSERT(at < text.size());
  const auto first = static_cast<unsigned char>(text[at]);
  const Lead lead = lead_of(first);
  if (lead.size == 1) return {.value = first, .size = 1};
  if (lead.size == 0 || well_formed(text, at, lead) != lead.size) return {.value = 0xFFFD, .size = 1, .valid = false};
  char32_t value = first & (0xFFU >> (lead.size + 1));
  for (std::uint32_t i = 1; i < lead.size; ++i)
    value = (value << 6U) | (static_cast<unsigned char>(text[at + i]) & 0x3FU);
  return {.value = value, .size = lead.size};
}

void append_utf8(std::string& out, char32_t value) {
  utf8proc_uint8_t buffer[4];
  const auto size = utf8proc_encode_char(static_cast<utf8proc_int32_t>(value), buffer);
  out.append(reinterpret_cast<const char*>(buffer), static_cast<std::size_t>(size));
}

CharClass char_class(char32_t value) {
  if (value == '\r' || value == '\n') return CharClass::Newline;
  if (value == ' ' || (value >= 0x09 && value <= 0x0D) || value == 0x85) return CharClass::Space;
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(value));
  if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) return CharClass::Letter;
  if (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO) return CharClass::Number;
  if (category >= UTF8PROC_CATEGORY_ZS && category <= UTF8PROC_CATEGORY_ZP) return CharClass::Space;
  return CharClass::Other;
}

bool is_word(char32_t value) {
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(value));
  if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL)
    return true;  // L*, M*, Nd, Nl in that order
  if (category == UTF8PROC_CATEGORY_PC || value == 0x200C || value == 0x200D) return true;
  // Circled and squared letters: Other_Alphabetic that is no mark.
  return (value >= 0x24B6 && value <= 0x24E9) || (value >= 0x1F130 && value <= 0x1F149) ||
         (value >= 0x1F150 && value <= 0x1F169) || (value >= 0x1F170 && value <= 0x1F189);
}

std::string normal_form(std::string_view text, NormalForm form) {
  int options = UTF8PROC_STABLE;
  options |= form == NormalForm::Nfc || form == NormalForm::Nfkc ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
  if (form == NormalForm::Nfkc || form == NormalForm::Nfkd) options |= UTF8PROC_COMPAT;
  utf8proc_uint8_t* out = nullptr;
  const auto size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &out, static_cast<utf8proc_option_t>(options));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(out, &std::free);
  SLIPWAY_ASSERT(size >= 0);
  return std::string(reinterpret_cast<const char*>(out), static_cast<std::size_t>(size));
}

std::size_t unfinished_suffix(std::string_view bytes) {
  for (std::size_t n = 1; n <= 3 && n <= bytes.size(); ++n) {
    const std::size_t at = bytes.size() - n;
    const Lead lead = lead_of(static_cast<unsigned char>(bytes[at]));
    if (lead.size > n && well_formed(bytes, at, lead) == n) return n;
  }
  return 0;
}

std::string to_valid_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) {
    const Lead lead = lead_of(static_cast<unsigned char>(bytes[at]));
    const std::uint32_t good = well_formed(bytes, at, lead);
    if (good != 0 && good == lead.size) {
      out.append(bytes.substr(at, good));
    } else {
      out.append(kReplacement);
    }
    at += good == 0 ? 1 : good;
  }
  return out;
}

bool is_valid_utf8(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const CodePoint point = code_point_at(bytes, at);
    if (!point.valid) return false;
    at += point.size;
  }
  return true;
}

}  // namespace slipway::ml
