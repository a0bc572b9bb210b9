#include "ml/io/tokenizer_file.h"

#include <algorithm>
#include <charconv>

#include "ml/io/unicode.h"

namespace slipway::ml {
namespace {

constexpr auto kNpos = std::string_view::npos;

// The member of an object by name; empty if it has none or is no object. The last one counts, as for parse_json.
std::string_view member(std::string_view object, std::string_view name) {
  JsonCursor cursor(object);
  std::string_view found;
  if (!cursor.take('{')) return {};
  do {
    const auto key = cursor.string();
    if (!key || !cursor.take(':')) return {};
    const auto value = cursor.value();
    if (!value) return {};
    if (*key == name) found = *value;
  } while (cursor.take(','));
  return cursor.take('}') ? found : std::string_view();
}

struct Cut {
  std::string_view part;
  std::string_view empty;  // what stands there instead
};

}  // namespace

void JsonCursor::skip_blanks() {
  while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r'))
    ++at_;
}

bool JsonCursor::at_end() {
  skip_blanks();
  return at_ == text_.size();
}

bool JsonCursor::take(char punctuation) {
  skip_blanks();
  if (at_ >= text_.size() || text_[at_] != punctuation) return false;
  ++at_;
  return true;
}

std::size_t JsonCursor::string_end(std::size_t at) const {
  for (++at; at < text_.size(); ++at) {
    if (text_[at] == '"') return at + 1;
    if (text_[at] == '\\') ++at;
  }
  return kNpos;
}

std::optional<std::string> JsonCursor::string() {
  skip_blanks();
  if (at_ >= text_.size() || text_[at_] != '"') return std::nullopt;
  const std::size_t end = string_end(at_);
  if (end == kNpos) return std::nullopt;
  const std::string_view quoted = text_.substr(at_, end - at_);
  const std::string_view inner = quoted.substr(1, quoted.size() - 2);
  const bool plain = std::all_of(inner.begin(), inner.end(),
                                 [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != '\\'; });
  if (plain && is_valid_utf8(inner)) {
    at_ = end;
    return std::string(inner);
  }
  const auto parsed = parse_json(quoted);  // escapes, or what is no JSON
  if (!parsed) return std::nullopt;
  at_ = end;
  return parsed->as_string();
}

std::optional<std::int64_t> JsonCursor::integer() {
  skip_blanks();
  std::int64_t value = 0;
  const char* begin = text_.data() + at_;
  const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
  if (error != std::errc()) return std::nullopt;
  at_ += static_cast<std::size_t>(end - begin);
  return value;
}

std::optional<std::string_view> JsonCursor::value() {
  skip_blanks();
  const std::size_t begin = at_;
  int depth = 0;
  for (std::size_t at = begin; at < text_.size(); ++at) {
    const char c = text_[at];
    if (c == '"') {
      at = string_end(at);
      if (at == kNpos) return std::nullopt;
      --at;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']' || c == ',') {
      if (depth == 0) {
        at_ = at;
        return text_.substr(begin, at - begin);
      }
      depth -= c == ',' ? 0 : 1;
    }
  }
  return std::nullopt;
}

Result<TokenizerFile> split_tokenizer_file(std::string_view text, std::size_t bytes_max) {
  const std::string_view model = member(text, "model");
  const std::string_view vocab = member(model, "vocab");
  const std::string_view merges = member(model, "merges");
  std::vector<Cut> cuts;
  if (!vocab.empty()) cuts.push_back({vocab, "{}"});
  if (!merges.empty()) cuts.push_back({merges, "[]"});
  std::sort(cuts.begin(), cuts.end(), [](const Cut& a, const Cut& b) { return a.part.data() < b.part.data(); });
  std::string rest;
  std::size_t done = 0;
  for (const Cut& cut : cuts) {
    const auto begin = static_cast<std::size_t>(cut.part.data() - text.data());
    rest.append(text.substr(done, begin - done)).append(cut.empty);
    done = begin + cut.part.size();
  }
  rest.append(text.substr(done));
  auto parsed = parse_json(rest, {.bytes_max = bytes_max});
  if (!parsed) return Error{ErrorCode::Corrupt, parsed.error().message, parsed.error().help};
  return TokenizerFile{*std::move(parsed), vocab, merges};
}

}  // namespace slipway::ml
