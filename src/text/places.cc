#include "text/places.h"

#include <algorithm>

namespace slipway::text {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::size_t skip_spaces(std::string_view text, std::size_t at) {
  while (at < text.size() && is_space(text[at])) ++at;
  return at;
}

// Behind "&anchor" and "!tag", which stand before the value they belong to.
std::size_t skip_properties(std::string_view text, std::size_t at) {
  while (at < text.size() && (text[at] == '&' || text[at] == '!')) {
    while (at < text.size() && !is_space(text[at])) ++at;
    at = skip_spaces(text, at);
  }
  return at;
}

std::size_t line_end(std::string_view text, std::size_t at) { return std::min(text.find('\n', at), text.size()); }

// The offset behind the closing quote; npos if there is none.
std::size_t end_of_quoted(std::string_view text, std::size_t at) {
  const char quote = text[at];
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      if (quote == '"' || i + 1 >= text.size() || text[i + 1] != '\'') return i + 1;
      ++i;
    }
  }
  return std::string_view::npos;
}

// A plain scalar may be folded over lines: whatever is not white space must match byte by byte.
std::size_t end_of_plain(std::string_view text, std::size_t at, std::string_view value) {
  std::size_t end = at;
  for (const char c : value) {
    if (is_space(c)) continue;
    at = skip_spaces(text, at);
    if (at >= text.size() || text[at] != c) return end;
    end = ++at;
  }
  return end;
}

std::size_t leading_spaces(std::string_view line) { return std::min(line.find_first_not_of(' '), line.size()); }

// Spaces in front of the first line that is not empty.
std::size_t first_indent(std::string_view text) {
  const std::size_t first = std::min(text.find_first_not_of(" \r\n"), text.size());
  const std::size_t line = text.rfind('\n', first);
  return leading_spaces(text.substr(line == std::string_view::npos ? 0 : line + 1));
}

// The lines below the header that are empty or indented at least as the block is.
ScalarPlace place_block(std::string_view text, std::size_t at, std::string_view value) {
  const std::size_t header_end = line_end(text, at);
  ScalarPlace place{{at, header_end}, std::min(header_end + 1, text.size()), 0};
  const std::size_t written = first_indent(text.substr(place.content));
  place.indent = written - std::min(written, first_indent(value));
  for (std::size_t line = place.content; line < text.size(); line = line_end(text, line) + 1) {
    const std::string_view rest = text.substr(line);
    const std::size_t spaces = leading_spaces(rest);
    const bool blank = spaces == rest.size() || rest[spaces] == '\n' || rest[spaces] == '\r';
    if (!blank && spaces < std::max<std::size_t>(place.indent, 1)) break;
    if (!blank) place.whole.end = line_end(text, line);
  }
  return place;
}

}  // namespace

Places::Places(std::string_view text) : text_(text), starts_{0} {
  for (std::size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1))
    starts_.push_back(at + 1);
}

SourceSpan Places::span(Range range) const {
  const auto place = [&](std::size_t offset) {
    offset = std::min(offset, text_.size());
    const auto line = std::upper_bound(starts_.begin(), starts_.end(), offset) - starts_.begin();
    return std::pair(static_cast<int>(line),
                     static_cast<int>(offset - starts_[static_cast<std::size_t>(line - 1)]) + 1);
  };
  const auto [line, column] = place(range.begin);
  const auto [end_line, end_column] = place(std::max(range.begin, range.end));
  return {line, column, end_line, end_column};
}

std::size_t Places::line_start(std::size_t offset) const {
  return *(std::upper_bound(starts_.begin(), starts_.end(), std::min(offset, text_.size())) - 1);
}

std::string_view Places::line_at(std::size_t offset) const {
  const std::size_t start = line_start(offset);
  return text_.substr(start, line_end(text_, start) - start);
}

ScalarPlace place_scalar(std::string_view text, std::size_t offset, std::string_view value, bool plain) {
  const std::size_t at = skip_properties(text, std::min(offset, text.size()));
  if (plain || at >= text.size()) return {{at, end_of_plain(text, at, value)}, at, 0};
  if (text[at] == '|' || text[at] == '>') return place_block(text, at, value);
  if (text[at] == '"' || text[at] == '\'') return {{at, std::min(end_of_quoted(text, at), text.size())}, at + 1, 0};
  return {{at, at}, at, 0};
}

bool is_closed_quote(std::string_view text) { return end_of_quoted(text, 0) == text.size(); }

std::size_t behind_closer(std::string_view text, std::size_t offset, char closer) {
  for (std::size_t at = offset; at < text.size(); ++at) {
    if (text[at] == closer) return at + 1;
    if (text[at] == '#') {
      at = line_end(text, at);
    } else if (!is_space(text[at]) && text[at] != ',' && text[at] != ':') {
      break;
    }
  }
  return offset;
}

}  // namespace slipway::text
