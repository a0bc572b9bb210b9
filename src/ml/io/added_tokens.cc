#include "ml/io/added_tokens.h"

#include <algorithm>

#include "ml/io/unicode.h"

namespace slipway::ml {
namespace {

// The start of the code point that ends at `end`; end > 0.
std::size_t code_point_before(std::string_view text, std::size_t end) {
  std::size_t at = end - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) --at;
  return at;
}

bool touches_word(std::string_view text, std::size_t begin, std::size_t end) {
  const bool before = begin > 0 && is_word(code_point_at(text, code_point_before(text, begin)).value);
  const bool after = end < text.size() && is_word(code_point_at(text, end).value);
  return before || after;
}

std::size_t blanks_before(std::string_view text, std::size_t at) {
  while (at > 0) {
    const std::size_t previous = code_point_before(text, at);
    if (!is_space(code_point_at(text, previous).value)) break;
    at = previous;
  }
  return at;
}

std::size_t blanks_after(std::string_view text, std::size_t at) {
  while (at < text.size() && is_space(code_point_at(text, at).value)) at += code_point_at(text, at).size;
  return at;
}

ByteSpan byte_span(std::size_t begin, std::size_t end) {
  return {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
}

}  // namespace

void TokenFinder::add(std::string pattern, const AddedToken* token) {
  if (pattern.empty()) return;
  auto& lengths = lengths_[static_cast<unsigned char>(pattern[0])];
  const auto place = std::lower_bound(lengths.begin(), lengths.end(), pattern.size(), std::greater<>());
  if (place == lengths.end() || *place != pattern.size()) lengths.insert(place, pattern.size());
  patterns_.try_emplace(std::move(pattern), token);
}

const AddedToken* TokenFinder::longest_at(std::string_view text, std::size_t at, std::size_t& length) const {
  for (const std::size_t candidate : lengths_[static_cast<unsigned char>(text[at])]) {
    if (candidate > text.size() - at) continue;
    const auto it = patterns_.find(text.substr(at, candidate));
    if (it == patterns_.end()) continue;
    length = candidate;
    return it->second;
  }
  return nullptr;
}

std::vector<TextPart> TokenFinder::split(std::string_view text) const {
  std::vector<TextPart> parts;
  std::size_t done = 0;
  for (std::size_t at = 0, length = 0; at < text.size();) {
    const AddedToken* token = longest_at(text, at, length);
    if (token == nullptr) {
      ++at;
      continue;
    }
    std::size_t begin = at;
    std::size_t end = at + length;
    at = end;
    if (token->single_word && touches_word(text, begin, end)) continue;
    if (token->lstrip) begin = std::max(blanks_before(text, begin), done);
    if (token->rstrip) end = blanks_after(text, end);
    if (begin >= end) continue;  // the token before took its blanks
    if (done < begin) parts.push_back({nullptr, byte_span(done, begin)});
    parts.push_back({token, byte_span(begin, end)});
    done = end;
  }
  if (done < text.size() || parts.empty()) parts.push_back({nullptr, byte_span(done, text.size())});
  return parts;
}

Result<std::vector<AddedToken>> parse_added_tokens(const Value& list, const Vocabulary& vocabulary) {
  std::vector<AddedToken> tokens;
  if (list.is_null()) return tokens;
  if (!list.is_array()) return Error{ErrorCode::Corrupt, "added_tokens is no list", {}};
  for (const Value& item : list.as_array()) {
    const Value* id = item.find("id");
    const Value* content = item.find("content");
    if (id == nullptr || !id->is_int() || id->as_int() < 0 || id->as_int() > INT32_MAX || content == nullptr ||
        !content->is_string())
      return Error{ErrorCode::Corrupt, "added token " + item.dump() + " needs an id and a content", {}};
    const auto flag = [&](std::string_view key, bool fallback) {
      const Value* member = item.find(key);
      return member != nullptr && member->is_bool() ? member->as_bool() : fallback;
    };
    const auto known = vocabulary.find(content->as_string());
    tokens.push_back({.id = known.value_or(static_cast<TokenId>(id->as_int())),
                      .content = content->as_string(),
                      .single_word = flag("single_word", false),
                      .lstrip = flag("lstrip", false),
                      .rstrip = flag("rstrip", false),
                      .normalized = flag("normalized", !flag("special", false)),
                      .special = flag("special", false)});
  }
  return tokens;
}

}  // namespace slipway::ml
