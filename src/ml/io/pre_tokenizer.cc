#include "ml/io/pre_tokenizer.h"

#include <algorithm>

#include "ml/io/byte_level.h"
#include "ml/io/normalizer.h"
#include "ml/io/unicode.h"

namespace slipway::ml {
namespace {

struct Piece {
  ByteSpan range;
  bool match = false;
};

std::vector<Piece> cut_literal(std::string_view text, const std::string& literal) {
  std::vector<Piece> out;
  std::size_t done = 0;
  while (!literal.empty()) {
    const std::size_t hit = text.find(literal, done);
    if (hit == std::string_view::npos) break;
    out.push_back({{static_cast<std::uint32_t>(done), static_cast<std::uint32_t>(hit)}, false});
    done = hit + literal.size();
    out.push_back({{static_cast<std::uint32_t>(hit), static_cast<std::uint32_t>(done)}, true});
  }
  out.push_back({{static_cast<std::uint32_t>(done), static_cast<std::uint32_t>(text.size())}, false});
  return out;
}

std::vector<Piece> cut(std::string_view text, const SplitStep& step) {
  std::vector<Piece> pieces;
  if (const auto* literal = std::get_if<std::string>(&step.pattern)) {
    pieces = cut_literal(text, *literal);
  } else {
    for (const ByteSpan match : matches(std::get<SplitRegex>(step.pattern), text)) pieces.push_back({match, true});
  }
  std::erase_if(pieces, [](const Piece& piece) { return piece.range.begin == piece.range.end; });
  if (step.invert)
    for (Piece& piece : pieces) piece.match = !piece.match;
  return pieces;
}

// Joins neighbours for which `joined(left, right)` holds, looking at the pieces as they were cut.
template <class Joined>
std::vector<Piece> join(const std::vector<Piece>& pieces, Joined joined) {
  std::vector<Piece> out;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (i > 0 && joined(i)) {
      out.back().range.end = pieces[i].range.end;
    } else {
      out.push_back(pieces[i]);
    }
  }
  return out;
}

std::vector<Piece> arrange(std::vector<Piece> pieces, SplitBehavior behavior) {
  const auto match = [&](std::size_t i) { return pieces[i].match; };
  switch (behavior) {
    case SplitBehavior::Removed: std::erase_if(pieces, [](const Piece& piece) { return piece.match; }); return pieces;
    case SplitBehavior::Isolated: return pieces;
    case SplitBehavior::Contiguous: return join(pieces, [&](std::size_t i) { return match(i) == match(i - 1); });
    case SplitBehavior::MergedWithPrevious:
      return join(pieces, [&](std::size_t i) { return match(i) && !match(i - 1); });
    case SplitBehavior::MergedWithNext: return join(pieces, [&](std::size_t i) { return match(i - 1) && !match(i); });
  }
  return pieces;
}

Words apply_step(const SplitStep& step, Words words) {
  std::vector<ByteSpan> ranges;
  for (const ByteSpan word : words.ranges)
    for (const Piece& piece : arrange(cut(words.text.view(word), step), step.behavior))
      ranges.push_back({word.begin + piece.range.begin, word.begin + piece.range.end});
  words.ranges = std::move(ranges);
  return words;
}

Words apply_step(const ByteLevelStep& step, Words words) {
  if (step.add_prefix_space) {
    Words spaced;
    for (const ByteSpan word : words.ranges) {
      const auto begin = static_cast<std::uint32_t>(spaced.text.size());
      const std::uint32_t origin = words.text.origin(word).begin;
      if (words.text.view(word).front() != ' ') spaced.text.append(" ", {origin, origin});
      spaced.text.append(words.text, word);
      spaced.ranges.push_back({begin, static_cast<std::uint32_t>(spaced.text.size())});
    }
    words = std::move(spaced);
  }
  if (step.use_regex) words = apply_step(SplitStep{.pattern = SplitRegex::Gpt2}, std::move(words));
  Words mapped;
  for (const ByteSpan word : words.ranges) {
    const auto begin = static_cast<std::uint32_t>(mapped.text.size());
    for (std::uint32_t i = word.begin; i < word.end; ++i)
      mapped.text.append(byte_symbol(static_cast<unsigned char>(words.text.text()[i])), words.text.origin({i, i + 1}));
    mapped.ranges.push_back({begin, static_cast<std::uint32_t>(mapped.text.size())});
  }
  return mapped;
}

Words apply_step(const MetaspaceStep& step, Words words) {
  Words marked;
  for (const ByteSpan word : words.ranges) {
    const auto begin = static_cast<std::uint32_t>(marked.text.size());
    const std::uint32_t origin = words.text.origin(word).begin;
    const std::string_view text = words.text.view(word);
    const bool first = step.prepend == Prepend::Always || (step.prepend == Prepend::First && origin == 0);
    if (first && !text.starts_with(' ') && !text.starts_with(step.replacement))
      marked.text.append(step.replacement, {origin, origin});
    for (std::uint32_t at = word.begin; at < word.end; ++at) {
      const ByteSpan byte{at, at + 1};
      if (words.text.view(byte) == " ") {
        marked.text.append(step.replacement, words.text.origin(byte));
      } else {
        marked.text.append(words.text, byte);
      }
    }
    marked.ranges.push_back({begin, static_cast<std::uint32_t>(marked.text.size())});
  }
  if (!step.split) return marked;
  return apply_step(SplitStep{.pattern = step.replacement, .behavior = SplitBehavior::MergedWithNext},
                    std::move(marked));
}

bool get_bool(const Value& spec, std::string_view key, bool fallback) {
  const Value* member = spec.find(key);
  return member != nullptr && member->is_bool() ? member->as_bool() : fallback;
}

Result<SplitStep> parse_split(const Value& spec) {
  SplitStep step;
  const auto behavior = kSplitBehaviors.parse(spec.get_string("behavior"));
  if (!behavior) return Error{ErrorCode::Corrupt, "Split has no known behavior: " + spec.dump(), {}};
  step.behavior = *behavior;
  step.invert = get_bool(spec, "invert", false);
  const Value* pattern = spec.find("pattern");
  const Value* regex = pattern != nullptr ? pattern->find("Regex") : nullptr;
  if (regex == nullptr || !regex->is_string()) {
    SLIPWAY_TRY_ASSIGN(step.pattern, literal_pattern(pattern != nullptr ? *pattern : Value()));
    return step;
  }
  const auto known = known_regex(regex->as_string());
  if (!known)
    return Error{ErrorCode::Unsupported,
                 "pre-tokenizer splits by a regular expression this build does not know: " + regex->as_string(),
                 "known are those of GPT-2, Llama 3 and Qwen 2"};
  step.pattern = *known;
  return step;
}

Result<void> append_steps(const Value& spec, std::vector<PreTokenizer::Step>& steps) {
  if (spec.is_null()) return {};
  const std::string type = spec.get_string("type");
  if (type == "Split") {
    SLIPWAY_TRY_ASSIGN(SplitStep step, parse_split(spec));
    steps.emplace_back(std::move(step));
  } else if (type == "ByteLevel") {
    steps.emplace_back(ByteLevelStep{.add_prefix_space = get_bool(spec, "add_prefix_space", true),
                                     .use_regex = get_bool(spec, "use_regex", true)});
  } else if (type == "Metaspace") {
    SLIPWAY_TRY_ASSIGN(MetaspaceStep step, parse_metaspace(spec));
    steps.emplace_back(std::move(step));
  } else if (const Value* list = spec.find("pretokenizers");
             type == "Sequence" && list != nullptr && list->is_array()) {
    for (const Value& step : list->as_array()) SLIPWAY_TRY(append_steps(step, steps));
  } else {
    return Error{ErrorCode::Unsupported, "pre_tokenizer `" + type + "` is not one this build knows",
                 "known are Sequence, Split, ByteLevel and Metaspace"};
  }
  return {};
}

}  // namespace

Result<MetaspaceStep> parse_metaspace(const Value& spec) {
  MetaspaceStep step{.replacement = spec.get_string("replacement"), .split = get_bool(spec, "split", true)};
  const auto prepend = kPrepends.parse(spec.get_string("prepend_scheme", "always"));
  if (!prepend || step.replacement.empty() || code_point_at(step.replacement, 0).size != step.replacement.size())
    return Error{ErrorCode::Corrupt, "Metaspace needs one character and a known prepend_scheme: " + spec.dump(), {}};
  // Older files have a yes or no instead of the scheme.
  step.prepend = get_bool(spec, "add_prefix_space", true) ? *prepend : Prepend::Never;
  return step;
}

Result<PreTokenizer> PreTokenizer::parse(const Value& spec) {
  PreTokenizer pre_tokenizer;
  SLIPWAY_TRY(append_steps(spec, pre_tokenizer.steps_));
  return pre_tokenizer;
}

Words PreTokenizer::apply(AlignedText text) const {
  Words words{.text = std::move(text), .ranges = {}};
  if (!words.text.empty()) words.ranges.push_back({0, static_cast<std::uint32_t>(words.text.size())});
  for (const Step& step : steps_)
    words = std::visit([&](const auto& one) { return apply_step(one, std::move(words)); }, step);
  return words;
}

}  // namespace slipway::ml
