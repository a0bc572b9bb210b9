#include <fmt/format.h>

#include "slipway/base/file.h"
#include "steps/examples.h"

namespace slipway::steps {
namespace {

constexpr std::size_t kFileBytesMax = std::size_t{1} << 30U;

// Cuts the list into its elements, so that an error can name the line and only one element is parsed at a time.
class Elements {
 public:
  Elements(std::string_view text, std::string name) : text_(text), name_(std::move(name)) {}

  // The next element as text; empty at the end.
  Result<std::string_view> next() {
    skip_blanks();
    if (!begun_) {
      if (!text_.substr(at_).starts_with('[')) return error("a list `[…]` of examples is wanted");
      ++at_;
      begun_ = true;
      skip_blanks();
    } else if (at_ < text_.size() && text_[at_] == ',') {
      ++at_;
      skip_blanks();
    } else if (at_ >= text_.size() || text_[at_] != ']') {
      return error("expected `,` or `]`");
    }
    if (at_ < text_.size() && text_[at_] == ']') return end();
    line_ = current_line_;
    return element();
  }

  [[nodiscard]] std::int64_t line() const { return line_; }
  [[nodiscard]] Error error(std::string_view problem) const {
    return {ErrorCode::Corrupt, fmt::format("{}:{}: {}", name_, begun_ ? line_ : 1, problem), {}};
  }

 private:
  void skip_blanks() {
    for (; at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos; ++at_)
      if (text_[at_] == '\n') ++current_line_;
  }

  Result<std::string_view> end() {
    ++at_;
    skip_blanks();
    if (at_ != text_.size()) return error("text after the end of the list");
    return std::string_view();
  }

  // Up to the comma or bracket that ends it; brackets and quotes inside are followed, the rest is the parser's
  // business.
  Result<std::string_view> element() {
    const std::size_t begin = at_;
    int depth = 0;
    bool quoted = false;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\n') ++current_line_;
      if (quoted) {
        if (c == '\\') ++at_;
        quoted = c != '"';
        continue;
      }
      if (depth == 0 && (c == ',' || c == ']')) return text_.substr(begin, at_ - begin);
      quoted = c == '"';
      depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
    }
    return error("the list is not closed");
  }

  std::string_view text_;
  std::string name_;
  std::size_t at_ = 0;
  bool begun_ = false;
  std::int64_t current_line_ = 1;
  std::int64_t line_ = 1;
};

Result<Example> example_of(const Value& element, const Elements& elements) {
  Value::Object out;
  for (const std::string key : {"instruction", "input", "output"}) {
    const Value* text = element.find(key);
    if (text != nullptr && text->is_string()) {
      out.emplace(key, *text);
    } else if (text == nullptr && key == "input") {
      out.emplace(key, "");
    } else {
      Error error = elements.error(fmt::format("the example has no text `{}`", key));
      error.help = "each example needs `instruction` and `output`; `input` may be absent or empty";
      return error;
    }
  }
  return Example{out.at("instruction").as_string(), Value(std::move(out)).dump()};
}

}  // namespace

Result<Examples> read_alpaca_json(const std::filesystem::path& file, std::optional<std::int64_t> limit) {
  SLIPWAY_TRY_ASSIGN(const std::string text, read_whole_file(file, kFileBytesMax));
  Elements elements(text, file.string());
  Examples examples;
  for (; !limit || examples.rows_read < *limit; ++examples.rows_read) {
    SLIPWAY_TRY_ASSIGN(const std::string_view element, elements.next());
    if (element.empty()) break;
    const auto parsed = parse_json(element);
    if (!parsed) return elements.error(parsed.error().message);
    SLIPWAY_TRY_ASSIGN(Example example, example_of(*parsed, elements));
    examples.list.push_back(std::move(example));
  }
  return examples;
}

}  // namespace slipway::steps
