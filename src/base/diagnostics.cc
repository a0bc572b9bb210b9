#include "slipway/base/diagnostics.h"

#include <algorithm>
#include <numeric>

#include "slipway/base/display_width.h"

namespace slipway {
namespace {

std::string_view line_of(std::string_view text, int line) {
  for (; line > 1; --line) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  auto result = text.substr(0, text.find('\n'));
  if (!result.empty() && result.back() == '\r') result.remove_suffix(1);
  return result;
}

// Control bytes would move the terminal's cursor and with it the caret.
std::string printable(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return out;
}

bool continues(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0U) == 0x80U;
}

struct Excerpt {
  std::string text;
  std::size_t indent;  // display columns before the first caret
  std::size_t carets;
};

Excerpt excerpt(std::string_view line, const SourceSpan& span) {
  constexpr std::size_t kWidthMax = 120;
  const std::size_t begin = std::min(line.size(), static_cast<std::size_t>(std::max(span.column, 1) - 1));
  std::size_t end =
      span.end_line == span.line ? static_cast<std::size_t>(std::max(span.end_column, 1) - 1) : line.size();
  end = std::clamp(end, begin, line.size());
  std::size_t from = begin > kWidthMax / 2 && line.size() > kWidthMax ? begin - kWidthMax / 2 : 0;
  while (continues(line, from)) ++from;
  std::size_t to = std::min(line.size(), from + kWidthMax);
  while (continues(line, to)) ++to;
  end = std::min(end, to);
  const std::string lead = from > 0 ? "…" : "";
  return {lead + printable(line.substr(from, to - from)) + (to < line.size() ? "…" : ""),
          display_width(lead) + display_width(line.substr(from, begin - from)),
          std::max<std::size_t>(1, display_width(line.substr(begin, end - begin)))};
}

}  // namespace

void Diagnostics::error(std::string code, SourceSpan span, std::string message, std::string help) {
  items_.push_back({Severity::Error, std::move(code), std::move(message), std::move(help), span});
}
void Diagnostics::warning(std::string code, SourceSpan span, std::string message, std::string help) {
  items_.push_back({Severity::Warning, std::move(code), std::move(message), std::move(help), span});
}
void Diagnostics::append(Diagnostics other) {
  std::move(other.items_.begin(), other.items_.end(), std::back_inserter(items_));
}
bool Diagnostics::has_errors() const {
  return std::any_of(items_.begin(), items_.end(), [](const Diagnostic& d) { return d.severity == Severity::Error; });
}
void Diagnostics::sort() {
  std::stable_sort(items_.begin(), items_.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return std::pair(a.span.line, a.span.column) < std::pair(b.span.line, b.span.column);
  });
}

std::string render(const Diagnostic& diagnostic, const SourceText& source) {
  const auto& span = diagnostic.span;
  std::string out = source.name;
  if (span.known()) out += ":" + std::to_string(span.line) + ":" + std::to_string(span.column);
  out += diagnostic.severity == Severity::Error ? ": error[" : ": warning[";
  out += diagnostic.code + "]: " + diagnostic.message;
  if (!span.known()) return diagnostic.help.empty() ? out : out + "\n   help: " + diagnostic.help;
  const Excerpt shown = excerpt(line_of(source.text, span.line), span);
  const std::string number = std::to_string(span.line);
  const std::string gutter(std::max<std::size_t>(5, number.size() + 3), ' ');
  out += "\n" + gutter.substr(number.size()) + number + " | " + shown.text;
  out += "\n" + gutter + " | " + std::string(shown.indent, ' ') + std::string(shown.carets, '^');
  if (!diagnostic.help.empty()) out += " help: " + diagnostic.help;
  return out;
}

Value to_value(const Diagnostic& diagnostic, std::string_view file) {
  return Value::Object{{"file", file},
                       {"line", diagnostic.span.line},
                       {"column", diagnostic.span.column},
                       {"end_line", diagnostic.span.end_line},
                       {"end_column", diagnostic.span.end_column},
                       {"severity", diagnostic.severity == Severity::Error ? "error" : "warning"},
                       {"code", diagnostic.code},
                       {"message", diagnostic.message},
                       {"help", diagnostic.help}};
}

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  std::optional<std::string> best;
  for (const auto& candidate : candidates) {
    // Optimal string alignment distance: a swap of neighbours costs one.
    std::vector<std::size_t> before(candidate.size() + 1), last(candidate.size() + 1), row(candidate.size() + 1);
    std::iota(last.begin(), last.end(), std::size_t{0});
    for (std::size_t i = 1; i <= word.size(); ++i) {
      row[0] = i;
      for (std::size_t j = 1; j <= candidate.size(); ++j) {
        const std::size_t change = last[j - 1] + (word[i - 1] == candidate[j - 1] ? 0 : 1);
        row[j] = std::min({change, last[j] + 1, row[j - 1] + 1});
        if (i > 1 && j > 1 && word[i - 1] == candidate[j - 2] && word[i - 2] == candidate[j - 1])
          row[j] = std::min(row[j], before[j - 2] + 1);
      }
      before = std::exchange(last, row);
    }
    if (last.back() < best_distance && last.back() < std::max(word.size(), candidate.size())) {
      best_distance = last.back();
      best = candidate;
    }
  }
  return best;
}

}  // namespace slipway
