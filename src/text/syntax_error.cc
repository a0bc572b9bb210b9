#include "text/syntax_error.h"

#include <yaml-cpp/exceptions.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>

namespace slipway::text {
namespace {

struct Advice {
  std::string_view complaint;  // a prefix of yaml-cpp's text
  std::string_view message;
  std::string_view help;
};

constexpr std::string_view kCheckIndent =
    "keys of one map and items of one list begin in the same column; look for a quote or bracket left open above, too";

const std::array kAdvice{
    Advice{YAML::ErrorMsg::END_OF_MAP, "this line does not fit the map above it", kCheckIndent},
    Advice{YAML::ErrorMsg::END_OF_SEQ, "this line does not fit the list above it", kCheckIndent},
    Advice{YAML::ErrorMsg::FLOW_END, "this bracket closes nothing", "remove it, or put the text in quotes"},
    Advice{YAML::ErrorMsg::BLOCK_ENTRY, "a list item cannot begin here",
           "put `- ` on a line of its own below the key, or write [a, b]"},
    Advice{YAML::ErrorMsg::MAP_KEY, "a key cannot begin here", kCheckIndent},
    Advice{YAML::ErrorMsg::INVALID_ESCAPE, "this escape does not exist",
           "in double quotes a backslash begins an escape: double it, or use single quotes"},
    Advice{YAML::ErrorMsg::INVALID_HEX, "this escape needs hexadecimal digits", "as in \"\\x41\" or \"\\u00e9\""},
    Advice{YAML::ErrorMsg::INVALID_UNICODE, "this escape names no character", "code points end at 10FFFF"},
    Advice{YAML::ErrorMsg::DOC_IN_SCALAR, "`---` stands inside quoted text", "close the quote above"},
    Advice{YAML::ErrorMsg::CHAR_IN_BLOCK, "only a comment may follow `|` or `>` on the same line",
           "begin the text on the next line, indented"},
    Advice{YAML::ErrorMsg::ZERO_INDENT_IN_BLOCK, "a block of text needs an indentation", "write `|` or `|2`"},
    Advice{YAML::ErrorMsg::ANCHOR_NOT_FOUND, "`&` begins an anchor, and no name follows",
           "put text that begins with `&` in quotes"},
    Advice{YAML::ErrorMsg::CHAR_IN_ANCHOR, "`&` begins an anchor, and this is no name of one",
           "put text that begins with `&` in quotes"},
    Advice{YAML::ErrorMsg::MULTIPLE_ANCHORS, "one value has two anchors", "keep one"},
    Advice{YAML::ErrorMsg::ALIAS_CONTENT, "an alias stands for a whole value; nothing can be added to it",
           "write the value out"},
};

Diagnostic problem(SourceSpan span, std::string message, std::string help) {
  return {Severity::Error, "yaml-syntax", std::move(message), std::move(help), span};
}

std::optional<Diagnostic> tab_in_front(std::size_t at, const Places& places) {
  const std::string_view line = places.line_at(at);
  const std::size_t tab = line.find_first_not_of(' ');
  if (tab == std::string_view::npos || line[tab] != '\t') return std::nullopt;
  const std::size_t begin = places.line_start(at) + tab;
  return problem(places.span({begin, begin + 1}), "a tab indents this line",
                 "indent with spaces; YAML takes no tabs there");
}

// The rest of the line as one would quote it.
std::string_view rest_of_line(std::size_t at, const Places& places) {
  std::string_view rest = places.line_at(at).substr(at - places.line_start(at));
  rest = rest.substr(0, rest.find(" #"));
  while (!rest.empty() && (rest.back() == ' ' || rest.back() == '\r')) rest.remove_suffix(1);
  return rest;
}

// YAML allows `[really?]`; the parser below does not.
std::optional<Diagnostic> question_mark(std::size_t at, const Places& places) {
  const std::string_view text = places.text();
  constexpr std::string_view kBefore = " \t\r\n,[]{}";
  if (at == 0 || text[at] != '?' || kBefore.find(text[at - 1]) != std::string_view::npos) return std::nullopt;
  std::size_t begin = at;
  while (begin > 0 && text[begin - 1] != '\n' && kBefore.substr(4).find(text[begin - 1]) == std::string_view::npos &&
         !(text[begin - 1] == ' ' && begin > 1 && text[begin - 2] == ':'))
    --begin;
  begin = std::min(text.find_first_not_of(' ', begin), at);
  std::size_t end = std::min(text.find_first_of(",]}\r\n", at), text.size());
  while (text[end - 1] == ' ') --end;
  return problem(places.span({begin, end}), "text with a `?` needs quotes inside `{ }` and `[ ]`",
                 "write \"" + std::string(text.substr(begin, end - begin)) + "\"");
}

Diagnostic reserved_character(std::size_t at, const Places& places) {
  const std::string_view rest = rest_of_line(at, places);
  const std::string first(rest.substr(0, 1));
  return problem(places.span({at, at + std::max<std::size_t>(1, rest.size())}),
                 "text cannot begin with `" + first + "`", "put it in quotes: \"" + std::string(rest) + "\"");
}

Diagnostic stray_colon(std::size_t at, const Places& places) {
  const std::size_t start = places.line_start(at);
  const std::string_view line = places.line_at(at);
  const std::size_t first = line.find(": ");
  if (first == std::string_view::npos || start + first >= at)
    return problem(places.span({at, at + 1}), "a `:` stands where no key can be", std::string(kCheckIndent));
  const std::size_t value = std::min(line.find_first_not_of(' ', first + 1), line.size());
  return problem(places.span({at, at + 1}), "a second `: ` on one line begins a map inside plain text",
                 "put the text in quotes: '" + std::string(rest_of_line(start + value, places)) + "'");
}

Diagnostic bad_alias(std::size_t at, const Places& places) {
  const std::string_view rest = rest_of_line(at, places);
  return problem(places.span({at, at + std::max<std::size_t>(1, rest.size())}),
                 "`*` begins an alias, and no anchor of that name stands above",
                 "put text in quotes: \"" + std::string(rest) + "\"; an alias `*name` needs its `&name` first");
}

Diagnostic open_bracket(const ParserState& state, const Places& places) {
  const std::string_view text = places.text();
  if (state.at > 0 && text.substr(state.at - 1, 3) == "${{") {
    const std::size_t end = text.find("}}", state.at);
    const Range range{state.at - 1, end == std::string_view::npos ? state.at + 2 : end + 2};
    return problem(places.span(range), "an expression inside `{ }` or `[ ]` needs quotes",
                   "write \"" + std::string(text.substr(range.begin, range.end - range.begin)) + "\"");
  }
  const bool same_line = state.opened && places.line_start(*state.opened) == places.line_start(state.at);
  const std::size_t at = state.opened && !same_line ? *state.opened : state.at;
  const std::string bracket(state.opened ? text.substr(*state.opened, 1) : "{");
  return problem(places.span({at, at + 1}), "the `" + bracket + "` is not closed, or a `,` is missing",
                 std::string("close it with `") + (bracket == "{" ? "}" : "]") + "`");
}

bool behind_quote(const ParserState& state, std::string_view text) {
  if (state.read_until == 0 || state.read_until > state.at) return false;
  const char before = text[state.read_until - 1];
  return (before == '"' || before == '\'') &&
         text.substr(state.read_until, state.at - state.read_until).find('\n') == std::string_view::npos;
}

std::string hex(unsigned char byte) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  return {kDigits[byte >> 4U], kDigits[byte & 15U]};
}

// Bytes of the valid UTF-8 character at the front of `text`, or 0. Surrogates and overlong forms are refused.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0U) != 0x80U) return 0;
  const unsigned second = byte(1);
  const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool outside = (first == 0xed && second >= 0xa0) || (first == 0xf4 && second >= 0x90);
  return overlong || outside ? 0 : length;
}

}  // namespace

Diagnostic unclosed_quote(std::size_t at, const Places& places) {
  return problem(places.span({at, at + 1}), "this quote is never closed", "close it at the end of the text");
}

Diagnostic explain_syntax_error(std::string_view complaint, ParserState state, const Places& places) {
  namespace msg = YAML::ErrorMsg;
  const std::string_view text = places.text();
  const std::size_t at = state.at = std::min(state.at, text.size());
  if (const auto tab = tab_in_front(at, places)) return *tab;
  if (state.opened && at < text.size())
    if (const auto question = question_mark(at, places)) return *question;
  if (complaint == msg::UNKNOWN_TOKEN && at < text.size()) return reserved_character(at, places);
  if (complaint == msg::MAP_VALUE) return stray_colon(at, places);
  if (complaint == msg::EOF_IN_SCALAR) return unclosed_quote(text.find_first_of("\"'", state.read_until), places);
  if (complaint == msg::END_OF_MAP_FLOW || complaint == msg::END_OF_SEQ_FLOW) return open_bracket(state, places);
  if (complaint == msg::UNKNOWN_ANCHOR || complaint == msg::ALIAS_NOT_FOUND || complaint == msg::CHAR_IN_ALIAS)
    return bad_alias(std::min(text.rfind('*', at), at), places);
  const auto span = places.span({at, at + 1});
  if (behind_quote(state, text))
    return problem(span, "text goes on behind its closing quote",
                   "inside single quotes write '' for a quote, inside double quotes \\\"");
  for (const Advice& advice : kAdvice)
    if (complaint.starts_with(advice.complaint))
      return problem(span, std::string(advice.message), std::string(advice.help));
  return problem(span, "this is no valid YAML: " + std::string(complaint), std::string(kCheckIndent));
}

void check_encoding(const Places& places, Diagnostics& diagnostics) {
  const std::string_view text = places.text();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text.substr(at));
    const auto byte = static_cast<unsigned char>(text[at]);
    if (length == 0) {
      diagnostics.error("yaml-encoding", places.span({at, at + 1}), "byte 0x" + hex(byte) + " is no UTF-8",
                        "save the file as UTF-8");
      return;
    }
    if ((byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7f) {
      diagnostics.error("yaml-encoding", places.span({at, at + 1}), "control character 0x" + hex(byte),
                        "remove it, or write it as an escape in double quotes: \"\\x" + hex(byte) + "\"");
      return;
    }
    at += length;
  }
}

}  // namespace slipway::text
