#include "slipway/text/format.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "slipway/text/node.h"
#include "text/places.h"

namespace slipway::text {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr std::size_t kStep = 2;  // columns a level

enum class LineKind : unsigned char {
  Structure,  // keys, items, comments, nothing
  Flow,       // goes on with a [list] or {map} of a line before
  Folded,     // goes on with a text of a line before, whose indentation does not count
  Block,      // of a | or > text
};

// What the tree tells of a line; columns count from 0.
struct Line {
  std::string_view text;  // without the line break
  LineKind kind = LineKind::Structure;
  std::size_t block_indent = 0;           // of a Block line: the columns that are no part of the text
  bool explicit_indent = false;           // of a Block line: its header says how many
  bool goes_on = false;                   // a Folded line follows, so that white space at its end may count
  std::optional<std::size_t> key;         // where its key begins, if the key is one of a map by lines
  std::optional<Range> gap;               // the white space between `:` and the value, if it is to become one space
  std::optional<Range> flow;              // a list or map in brackets that begins and ends here
  std::optional<std::size_t> long_value;  // where a value begins that goes on below
};

std::string_view without_end(std::string_view text) {
  const auto last = text.find_last_not_of(" \t");
  return last == std::string_view::npos ? std::string_view() : text.substr(0, last + 1);
}

std::size_t indent_of(std::string_view text) {
  const auto first = text.find_first_not_of(' ');
  return first == std::string_view::npos ? text.size() : first;
}

std::vector<Line> split(std::string_view text) {
  std::vector<Line> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back({.text = line});
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// Writes what the tree knows into the lines.
class Marker {
 public:
  Marker(std::string_view text, std::vector<Line>& lines) : text_(text), lines_(lines) {
    std::size_t at = 0;
    for (std::size_t i = 0; i <= lines.size(); ++i) {
      starts_.push_back(at);
      at = std::min(text.find('\n', at), text.size() - 1) + 1;
    }
  }

  void mark(const Node& node, bool inside_flow) {
    if (node.kind == NodeKind::Null) return;  // it may stand nowhere
    const std::size_t begin = value_begin(node.span);
    const char first = begin < text_.size() ? text_[begin] : '\0';
    const bool flow = !node.is_scalar() && (first == '[' || first == '{');
    if (node.is_scalar())
      mark_scalar(node, begin, first);
    else if (flow)
      mark_flow(node.span, begin, inside_flow);
    for (const Node& item : node.items) mark(item, inside_flow || flow);
    for (std::size_t i = 0; i < node.entries.size(); ++i) {
      if (!inside_flow && !flow) mark_key(node, i);
      mark(node.entries[i].value, inside_flow || flow);
    }
  }

 private:
  Line& line(int number) { return lines_[static_cast<std::size_t>(number - 1)]; }
  [[nodiscard]] std::size_t offset(int number, int column) const {
    return starts_[static_cast<std::size_t>(number - 1)] + static_cast<std::size_t>(column - 1);
  }

  // Behind an anchor, which the span of a list or map begins with.
  [[nodiscard]] std::size_t value_begin(const SourceSpan& span) const {
    std::size_t at = offset(span.line, span.column);
    if (at < text_.size() && text_[at] == '&')
      at = std::min(text_.find_first_not_of(" \t", text_.find_first_of(" \t\r\n", at)), text_.size());
    return at;
  }

  static int last_line(const SourceSpan& span) {
    return span.end_column == 1 && span.end_line > span.line ? span.end_line - 1 : span.end_line;
  }

  void mark_below(const SourceSpan& span, LineKind kind) {
    for (int number = span.line + 1; number <= last_line(span); ++number) line(number).kind = kind;
  }

  void mark_scalar(const Node& node, std::size_t begin, char first) {
    if (first == '|' || first == '>') return mark_block(node, begin);
    if (last_line(node.span) == node.span.line) return;
    mark_below(node.span, LineKind::Folded);
    for (int number = node.span.line; number < last_line(node.span); ++number) line(number).goes_on = true;
    if (line(node.span.line).kind == LineKind::Structure)
      line(node.span.line).long_value = static_cast<std::size_t>(node.span.column - 1);
  }

  void mark_block(const Node& node, std::size_t begin) {
    const ScalarPlace place = place_scalar(text_, begin, node.scalar, false);
    const std::string_view header = text_.substr(begin, text_.find_first_of(" \t\r\n#", begin) - begin);
    int last = std::max(last_line(node.span), node.span.line);
    // Empty lines behind a text count where `+` keeps them.
    if (header.find('+') != std::string_view::npos)
      while (static_cast<std::size_t>(last) < lines_.size() && without_end(line(last + 1).text).empty()) ++last;
    for (int number = node.span.line + 1; number <= last; ++number) {
      line(number).kind = LineKind::Block;
      line(number).block_indent = place.indent;
      line(number).explicit_indent = header.find_first_of("123456789") != std::string_view::npos;
    }
  }

  void mark_flow(const SourceSpan& span, std::size_t begin, bool inside_flow) {
    const std::size_t column = begin - starts_[static_cast<std::size_t>(span.line - 1)];
    if (span.end_line != span.line) {
      mark_below(span, LineKind::Flow);
      if (!inside_flow) line(span.line).long_value = column;
    } else if (!inside_flow) {
      line(span.line).flow = Range{column, static_cast<std::size_t>(span.end_column - 1)};
    }
  }

  // The columns of the `:` and the value behind it, where both stand in one line.
  struct Colon {
    int line = 0;
    std::size_t behind = 0, value = 0;
  };
  [[nodiscard]] std::optional<Colon> colon_of(const Entry& entry) const {
    const std::string_view text = lines_[static_cast<std::size_t>(entry.key_span.end_line - 1)].text;
    const auto colon = text.find(':', static_cast<std::size_t>(entry.key_span.end_column - 1));
    if (colon == std::string_view::npos) return std::nullopt;
    const auto value = text.find_first_not_of(" \t", colon + 1);
    if (value == std::string_view::npos || text[value] == '#') return std::nullopt;
    return Colon{entry.key_span.end_line, colon + 1, value};
  }

  // Values that begin in one column with the one above or below were lined up, and stay so.
  void mark_key(const Node& map, std::size_t index) {
    const Entry& entry = map.entries[index];
    line(entry.key_span.line).key = static_cast<std::size_t>(entry.key_span.column - 1);
    const auto own = colon_of(entry);
    if (!own) return;
    const std::string_view space =
        lines_[static_cast<std::size_t>(own->line - 1)].text.substr(own->behind, own->value - own->behind);
    if (space == " ") return;
    const auto lined_up = [&](std::size_t other) {
      if (other >= map.entries.size()) return false;
      const auto colon = colon_of(map.entries[other]);
      return colon && colon->value == own->value && std::abs(colon->line - own->line) == 1;
    };
    if (space.find('\t') != std::string_view::npos || (!lined_up(index - 1) && !lined_up(index + 1)))
      line(own->line).gap = Range{own->behind, own->value};
  }

  std::string_view text_;
  std::vector<Line>& lines_;
  std::vector<std::size_t> starts_;
};

// Behind the quote that closes the text which begins at `at`.
std::size_t quote_end(std::string_view text, std::size_t at) {
  const char quote = text[at];
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\')
      ++i;
    else if (text[i] == quote && quote == '\'' && text.substr(i + 1, 1) == "'")
      ++i;
    else if (text[i] == quote)
      return i + 1;
  }
  return text.size();
}

// `[ a,b ]` -> `[a, b]`. `text` begins with a bracket and ends with the one that closes it. White space that touches
// no bracket, comma or colon is part of a text and stays.
std::string tidy_flow(std::string_view text) {
  std::string out;
  char before = '\0';             // the last character that is no space
  bool after_quoted_key = false;  // `before` is the colon in {"a":1}
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t word = text.find_first_not_of(" \t", at);
    const std::string_view space = text.substr(at, word - at);
    const char c = text[word];
    const bool opened = before == '\0' || before == '[' || before == '{';
    const bool closes = c == ']' || c == '}';
    const bool separated = before == ',' || (before == ':' && !space.empty());
    if (separated && !closes && c != ',')
      out += ' ';
    else if (!opened && !closes && c != ',')
      out += space;
    const bool quoted = (c == '"' || c == '\'') && (opened || separated || after_quoted_key);
    const std::size_t end = quoted ? quote_end(text, word) : word + 1;
    out += text.substr(word, end - word);
    after_quoted_key = c == ':' && (before == '"' || before == '\'');
    before = c;
    at = end;
  }
  return out;
}

// Puts every line where its level says.
class Formatter {
 public:
  explicit Formatter(const std::vector<Line>& lines) : lines_(lines) {}

  std::string run() && {
    for (const Line& line : lines_) take(line);
    flush_comments(std::nullopt, levels_);
    return std::move(out_);
  }

 private:
  // A list or map by lines that is open: the column of its items or keys, as it was and as it is to be.
  struct Level {
    std::size_t before = 0, after = 0;
    bool list = false;
  };
  struct Comment {
    std::size_t column = 0;
    std::string_view text;
    bool space_above = false;
  };

  void take(const Line& line) {
    switch (line.kind) {
      case LineKind::Structure: return take_structure(line);
      case LineKind::Flow: return take_flow(without_end(line.text));
      case LineKind::Folded: return shift(line.goes_on ? line.text : without_end(line.text));
      case LineKind::Block: return take_block(line);
    }
  }

  void take_flow(std::string_view text) {
    if (text.empty())
      space_above_ = true;
    else
      shift(text);
  }

  void take_structure(const Line& line) {
    const std::string_view text = line.goes_on ? line.text : without_end(line.text);
    const std::size_t indent = indent_of(text);
    if (indent == text.size()) {
      space_above_ = !out_.empty() || !comments_.empty();
      return;
    }
    if (text[indent] == '#') {
      comments_.push_back({indent, text.substr(indent), std::exchange(space_above_, false)});
      return;
    }
    if (is_marker(text)) {
      flush_comments(Level{0, 0, false}, levels_);
      levels_.clear();
      return emit(text, 0);
    }
    take_content(line, text, indent);
  }

  static bool is_marker(std::string_view text) {
    return text.starts_with('%') || text == "---" || text.starts_with("--- ") || text == "...";
  }
  static bool is_item(std::string_view text, std::size_t at) {
    return text[at] == '-' && (at + 1 == text.size() || text[at + 1] == ' ');
  }

  void take_content(const Line& line, std::string_view text, std::size_t at) {
    const bool item = is_item(text, at);
    const std::vector<Level> above = levels_;
    Level level = enter(at, item);
    flush_comments(level, above);
    const Level first = level;
    std::string begin;
    while (at < text.size() && is_item(text, at)) {
      begin += "-";
      at = std::min(text.find_first_not_of(' ', at + 1), text.size());
      if (at < text.size()) begin += " ";
      if (at == text.size() || (!is_item(text, at) && line.key != at)) break;  // a scalar opens no level
      level = Level{at, level.after + kStep, is_item(text, at)};
      levels_.push_back(level);
    }
    parent_ = level;
    emit(begin + tidy(line, text, at, first.after + begin.size()), first.after);
  }

  // The level of what begins in this column, opened if it is new.
  Level enter(std::size_t column, bool list) {
    while (!levels_.empty() && levels_.back().before > column) levels_.pop_back();
    // A list may stand in the column of the key that it belongs to; the next key ends it.
    while (!list && !levels_.empty() && levels_.back().list && levels_.back().before == column) levels_.pop_back();
    const bool known = !levels_.empty() && levels_.back().before == column && levels_.back().list == list;
    if (!known) levels_.push_back({column, levels_.empty() ? 0 : levels_.back().after + kStep, list});
    return levels_.back();
  }

  // The rest of a line from `at` on, which comes to stand in column `to`; notes how far a value moves that goes on
  // below. Edits from the end on, so that columns in front of them hold.
  std::string tidy(const Line& line, std::string_view text, std::size_t at, std::size_t to) {
    std::string rest(text.substr(at));
    if (line.flow && line.flow->begin >= at)
      rest.replace(line.flow->begin - at, line.flow->end - line.flow->begin,
                   tidy_flow(text.substr(line.flow->begin, line.flow->end - line.flow->begin)));
    const bool narrowed = line.gap && line.gap->begin >= at && line.gap->end > line.gap->begin;
    const std::size_t dropped = narrowed ? line.gap->end - line.gap->begin - 1 : 0;
    if (narrowed) rest.replace(line.gap->begin - at, dropped + 1, " ");
    if (line.long_value)
      move_ = static_cast<std::ptrdiff_t>(to) - static_cast<std::ptrdiff_t>(at) -
              static_cast<std::ptrdiff_t>(*line.long_value >= at && narrowed ? dropped : 0);
    return rest;
  }

  // A line that goes on moves as far as its value did, and stays to the right of what it belongs to if it was.
  void shift(std::string_view text) {
    const std::size_t indent = indent_of(text);
    if (indent == text.size()) return emit(text, 0);
    const auto moved = static_cast<std::ptrdiff_t>(indent) + move_;
    const std::size_t least = indent > parent_.before ? parent_.after + 1 : 0;
    emit(text.substr(indent), std::max(moved, static_cast<std::ptrdiff_t>(least)));
  }

  // An indentation that the header tells is counted from the level's column; any other is a step.
  void take_block(const Line& line) {
    const std::size_t cut = std::min(line.block_indent, indent_of(line.text));
    const std::string_view text = line.text.substr(cut);
    const std::size_t to =
        line.explicit_indent ? line.block_indent + parent_.after - parent_.before : parent_.after + kStep;
    emit(text, text.empty() ? 0 : static_cast<std::ptrdiff_t>(to));
  }

  // A comment belongs to what follows, if it stands in its column, else to the innermost level above in whose column it
  // stands.
  void flush_comments(std::optional<Level> next, const std::vector<Level>& above) {
    const bool space_above = std::exchange(space_above_, false);
    for (const Comment& comment : std::exchange(comments_, {})) {
      space_above_ = comment.space_above;
      emit(comment.text, static_cast<std::ptrdiff_t>(column_of(comment, next, above)));
    }
    space_above_ = space_above;
  }

  static std::size_t column_of(const Comment& comment, std::optional<Level> next, const std::vector<Level>& above) {
    if (next && next->before == comment.column) return next->after;
    for (auto level = above.rbegin(); level != above.rend(); ++level)
      if (level->before == comment.column) return level->after;
    if (next) return next->after;
    for (auto level = above.rbegin(); level != above.rend(); ++level)
      if (level->before < comment.column) return level->after;
    return 0;
  }

  void emit(std::string_view text, std::ptrdiff_t column) {
    if (std::exchange(space_above_, false)) out_ += "\n";
    out_.append(static_cast<std::size_t>(column), ' ').append(text).append("\n");
  }

  const std::vector<Line>& lines_;
  std::string out_;
  std::vector<Level> levels_;
  std::vector<Comment> comments_;
  bool space_above_ = false;  // an empty line is due
  Level parent_;              // of the last key or item: what a text or list that goes on below belongs to
  std::ptrdiff_t move_ = 0;   // how far to the right the last value that goes on moved
};

bool is_same(const Node& a, const Node& b) {
  if (a.kind != b.kind || a.scalar != b.scalar || a.items.size() != b.items.size() ||
      a.entries.size() != b.entries.size())
    return false;
  for (std::size_t i = 0; i < a.items.size(); ++i)
    if (!is_same(a.items[i], b.items[i])) return false;
  for (std::size_t i = 0; i < a.entries.size(); ++i)
    if (a.entries[i].key != b.entries[i].key || !is_same(a.entries[i].value, b.entries[i].value)) return false;
  return true;
}

// Everything that is no white space, comments included.
std::string ink(std::string_view text) {
  std::string out;
  std::copy_if(text.begin(), text.end(), std::back_inserter(out),
               [](char c) { return c != ' ' && c != '\t' && c != '\n' && c != '\r'; });
  return out;
}

std::string reformed(std::string_view text, const Node& root) {
  std::vector<Line> lines = split(text);
  if (!lines.empty()) Marker(text, lines).mark(root, false);
  return Formatter(lines).run();
}

std::string_view without_mark(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  return text;
}

}  // namespace

ParseResult<std::string> format_yaml(const SourceText& source) {
  const SourceText plain{source.name, std::string(without_mark(source.text))};
  auto read = parse_yaml(plain);
  ParseResult<std::string> result{{}, std::move(read.diagnostics)};
  if (!read.value) return result;
  std::string text = reformed(plain.text, *read.value);
  const auto again = parse_yaml({source.name, text});
  if (again.value && ink(text) == ink(plain.text) && is_same(*read.value, *again.value) &&
      reformed(text, *again.value) == text)
    result.value = std::move(text);
  else
    result.diagnostics.error("yaml-format", {1, 1, 1, 1},
                             "this file cannot be formatted without a change of what it says",
                             "it stays as it is; simpler indentation or quotes may help");
  return result;
}

}  // namespace slipway::text
