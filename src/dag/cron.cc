#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "dag/quoted.h"
#include "slipway/base/diagnostics.h"
#include "slipway/dag/schedule.h"

namespace slipway::dag {
namespace {

constexpr std::string_view kHelp =
    "write `minute hour day-of-month month day-of-week`, such as `30 2 * * *` (every day at 02:30)";

struct Field {
  std::string_view name;
  int min;
  int max;
  int names_from;  // the value of names[0]
  std::vector<std::string> names;
};

const std::array<Field, 5>& fields() {
  static const std::array<Field, 5> kFields{{
      {"minute", 0, 59, 0, {}},
      {"hour", 0, 23, 0, {}},
      {"day-of-month", 1, 31, 0, {}},
      {"month", 1, 12, 1, {"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}},
      {"day-of-week", 0, 7, 0, {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}},
  }};
  return kFields;
}

struct Preset {
  std::string_view name;
  std::string_view fields;
};
constexpr std::array<Preset, 8> kPresets{{{"@hourly", "0 * * * *"},
                                          {"@daily", "0 0 * * *"},
                                          {"@midnight", "0 0 * * *"},
                                          {"@weekly", "0 0 * * 0"},
                                          {"@monthly", "0 0 1 * *"},
                                          {"@quarterly", "0 0 1 */3 *"},
                                          {"@yearly", "0 0 1 1 *"},
                                          {"@annually", "0 0 1 1 *"}}};

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return out;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts{text.substr(0, text.find_first_of(separators))};
  while (parts.back().data() + parts.back().size() != text.data() + text.size()) {
    text.remove_prefix(static_cast<std::size_t>(parts.back().data() - text.data()) + parts.back().size() + 1);
    parts.push_back(text.substr(0, text.find_first_of(separators)));
  }
  return parts;
}

std::string takes(const Field& field) {
  std::string text = std::to_string(field.min) + "-" + std::to_string(field.max);
  if (field.max == 7) text += " (0 and 7 are Sunday)";
  if (!field.names.empty()) text += " or " + field.names.front() + "-" + field.names.back();
  return text;
}

// Collects what is wrong, so that one message names every mistake.
class CronParser {
 public:
  explicit CronParser(std::string_view text) : text_(text) {}

  Result<Cron> parse() {
    std::vector<std::string_view> words = split(text_, " \t\n\r");
    std::erase_if(words, [](std::string_view word) { return word.empty(); });
    count(words);
    std::array<std::uint64_t, 5> bits{};
    for (std::size_t i = 0; i < std::min(words.size(), bits.size()); ++i) bits[i] = field_bits(fields()[i], words[i]);
    if (!problems_.empty()) return failure();
    Cron cron;
    cron.minutes = bits[0];
    cron.hours = static_cast<std::uint32_t>(bits[1]);
    cron.days = static_cast<std::uint32_t>(bits[2]);
    cron.months = static_cast<std::uint32_t>(bits[3]);
    cron.weekdays = static_cast<std::uint32_t>((bits[4] | bits[4] >> 7U) & 0x7fU);
    cron.days_restricted = !words[2].starts_with('*');
    cron.weekdays_restricted = !words[4].starts_with('*');
    cron.hours_every = words[1].starts_with('*') && words[1].find(',') == std::string_view::npos;
    cron.text = text_;
    check_dates(cron, words[2], words[3]);
    if (!problems_.empty()) return failure();
    return cron;
  }

 private:
  void problem(std::string message, std::string help = {}) {
    problems_ += (problems_.empty() ? "" : "; ") + std::move(message);
    if (help_.empty()) help_ = std::move(help);
  }
  Error failure() const {
    return {ErrorCode::InvalidArgument, "cron " + quoted(text_) + ": " + problems_,
            help_.empty() ? std::string(kHelp) : help_};
  }

  void count(const std::vector<std::string_view>& words) {
    if (words.size() == 5) return;
    problem("it has " + std::to_string(words.size()) + (words.size() == 1 ? " field" : " fields") + ", cron takes 5",
            words.size() == 6 || words.size() == 7
                ? "leave out the seconds in front and the year at the end; " + std::string(kHelp)
                : std::string(kHelp));
  }

  std::uint64_t field_bits(const Field& field, std::string_view word) {
    std::uint64_t bits = 0;
    for (const std::string_view item : split(word, ",")) bits |= item_bits(field, item);
    return bits;
  }

  std::uint64_t item_bits(const Field& field, std::string_view item) {
    const auto slash = item.find('/');
    const std::string_view range = item.substr(0, slash);
    int step = 1;
    if (slash != std::string_view::npos && !parse_step(field, item, item.substr(slash + 1), step)) return 0;
    int low = field.min;
    int high = field.max == 7 ? 6 : field.max;
    if (range != "*" && !parse_range(field, range, slash != std::string_view::npos, low, high)) return 0;
    std::uint64_t bits = 0;
    for (int value = low; value <= high; value += step) bits |= std::uint64_t{1} << static_cast<unsigned>(value);
    return bits;
  }

  bool parse_step(const Field& field, std::string_view item, std::string_view text, int& step) {
    const int span = (field.max == 7 ? 6 : field.max) - field.min + 1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), step);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    if (whole && step >= 1 && step < span) return true;
    std::string help;
    if (whole && step >= span && item.starts_with('*') && field.max >= 23)
      help = "cron counts within one " + std::string(field.max == 59 ? "hour" : "day") +
             "; for a longer interval write `every: " + std::string(text) + (field.max == 59 ? "m`" : "h`");
    problem(std::string(field.name) + " " + quoted(item) + ": the step " + quoted(text) + " is not in 1-" +
                std::to_string(span - 1),
            std::move(help));
    return false;
  }

  bool parse_range(const Field& field, std::string_view text, bool stepped, int& low, int& high) {
    const auto dash = text.find('-');
    if (!parse_value(field, text.substr(0, dash), low)) return false;
    if (dash == std::string_view::npos) {
      if (!stepped) high = low;
      return true;
    }
    if (!parse_value(field, text.substr(dash + 1), high)) return false;
    if (high == 0 && field.max == 7 && low > 0) high = 7;
    if (low <= high) return true;
    problem(std::string(field.name) + " " + quoted(text) + " runs backwards",
            "write two ranges: `" + std::string(text.substr(0, dash)) + "-" +
                std::to_string(field.max == 7 ? 6 : field.max) + "," + std::to_string(field.min) + "-" +
                std::string(text.substr(dash + 1)) + "`");
    return false;
  }

  bool parse_value(const Field& field, std::string_view text, int& value) {
    const auto name = std::find(field.names.begin(), field.names.end(), upper(text));
    if (name != field.names.end()) {
      value = field.names_from + static_cast<int>(name - field.names.begin());
      return true;
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error == std::errc() && end == text.data() + text.size() && text.front() != '-';
    if (whole && value >= field.min && value <= field.max) return true;
    if (text.empty()) {
      problem(std::string(field.name) + " has an empty item; it takes " + takes(field));
      return false;
    }
    problem(std::string(field.name) + " " + quoted(text) + (whole ? " is not in " : " is not understood; it takes ") +
                takes(field),
            value_help(field, text));
    return false;
  }

  static std::string value_help(const Field& field, std::string_view text) {
    if (text == "?") return "write `*` where any value will do";
    if (text.find_first_of("LW#") != std::string_view::npos &&
        text.find_first_of("0123456789") != std::string_view::npos)
      return "L, W and # are not cron; name the days, or decide in a `when:`";
    const auto close = nearest(upper(text), field.names);
    return close ? "did you mean `" + *close + "`?" : std::string();
  }

  // Every other combination has a day in some year.
  void check_dates(const Cron& cron, std::string_view days, std::string_view months) {
    if (cron.days_restricted && cron.weekdays_restricted) return;
    static constexpr std::array<unsigned, 12> kLengths{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    for (unsigned month = 1; month <= 12; ++month)
      if (((cron.months >> month) & 1U) != 0 && (cron.days & ((std::uint64_t{2} << kLengths[month - 1]) - 1)) != 0)
        return;
    problem("it never fires: no day-of-month " + quoted(days) + " in month " + quoted(months),
            "February has 29 days at most; April, June, September and November have 30");
  }

  std::string_view text_;
  std::string problems_;
  std::string help_;
};

Result<Cron> parse_preset(std::string_view text) {
  std::vector<std::string> names;
  for (const Preset& preset : kPresets) {
    names.emplace_back(preset.name);
    if (preset.name != text) continue;
    Result<Cron> cron = CronParser(preset.fields).parse();
    cron->text = text;
    return cron;
  }
  std::string list;
  for (const auto& name : names) list += (list.empty() ? "" : " ") + name;
  const auto close = nearest(text, names);
  return Error{ErrorCode::InvalidArgument, quoted(text) + " is no schedule preset",
               close ? "did you mean `" + *close + "`?" : "the presets are " + list};
}

}  // namespace

Result<Cron> parse_cron(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  const auto last = text.find_last_not_of(" \t\r\n");
  if (first == std::string_view::npos)
    return Error{ErrorCode::InvalidArgument, "the cron expression is empty", std::string(kHelp)};
  text = text.substr(first, last - first + 1);
  return text.front() == '@' ? parse_preset(text) : CronParser(text).parse();
}

}  // namespace slipway::dag
