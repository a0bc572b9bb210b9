// The `pre_tokenizer` of a tokenizer.json: cuts a text into the words that BPE sees one by one.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "ml/io/aligned_text.h"
#include "ml/io/split_pattern.h"
#include "slipway/base/enum_table.h"
#include "slipway/base/value.h"

namespace slipway::ml {

enum class SplitBehavior : std::uint8_t { Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous };

inline constexpr EnumTable<SplitBehavior, 5> kSplitBehaviors{{{
    {SplitBehavior::Removed, "Removed", "matches are dropped"},
    {SplitBehavior::Isolated, "Isolated", "each match is a word"},
    {SplitBehavior::MergedWithPrevious, "MergedWithPrevious", "a match ends the word before it"},
    {SplitBehavior::MergedWithNext, "MergedWithNext", "a match begins the word after it"},
    {SplitBehavior::Contiguous, "Contiguous", "neighbouring matches are one word"},
}}};

struct SplitStep {
  std::variant<std::string, SplitRegex> pattern;
  SplitBehavior behavior = SplitBehavior::Isolated;
  bool invert = false;  // what does not match counts as the match
};
// Bytes to the printable alphabet of byte-level BPE, see byte_level.h.
struct ByteLevelStep {
  bool add_prefix_space = false;
  bool use_regex = true;  // cut with SplitRegex::Gpt2 first
};
// Blanks become `replacement`, one is put in front, and each begins a word. SentencePiece's way, of newer Llama 2
// files.
enum class Prepend : std::uint8_t { Always, First, Never };

inline constexpr EnumTable<Prepend, 3> kPrepends{{{
    {Prepend::Always, "always", "in front of each piece between added tokens"},
    {Prepend::First, "first", "in front of the text"},
    {Prepend::Never, "never", "nowhere"},
}}};

struct MetaspaceStep {
  std::string replacement;  // one character
  Prepend prepend = Prepend::Always;
  bool split = true;
};
// From a pre-tokeniser or a decoder of the type Metaspace.
[[nodiscard]] Result<MetaspaceStep> parse_metaspace(const Value& spec);

struct Words {
  AlignedText text;
  std::vector<ByteSpan> ranges;  // of text; in order, disjoint, not empty
};

class PreTokenizer {
 public:
  using Step = std::variant<SplitStep, ByteLevelStep, MetaspaceStep>;

  // null, one pre-tokeniser, or a Sequence of them.
  [[nodiscard]] static Result<PreTokenizer> parse(const Value& spec);
  [[nodiscard]] Words apply(AlignedText text) const;

 private:
  std::vector<Step> steps_;
};

}  // namespace slipway::ml
