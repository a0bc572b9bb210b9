// The `normalizer` of a tokenizer.json: a list of rewriting steps.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "ml/io/aligned_text.h"
#include "ml/io/unicode.h"
#include "slipway/base/value.h"

namespace slipway::ml {

// Every occurrence of a literal becomes another.
struct ReplaceStep {
  std::string from;
  std::string to;
};
// Put in front of any text that is not empty.
struct PrependStep {
  std::string prefix;
};

class Normalizer {
 public:
  using Step = std::variant<ReplaceStep, PrependStep, NormalForm>;

  // null, one normaliser, or a Sequence of them.
  [[nodiscard]] static Result<Normalizer> parse(const Value& spec);

  [[nodiscard]] AlignedText apply(AlignedText text) const;
  [[nodiscard]] std::string apply(std::string_view text) const { return apply(AlignedText::of_input(text)).text(); }

 private:
  std::vector<Step> steps_;
};

// {"String": "x"} -> x; a {"Regex": …} or anything else is Unsupported.
[[nodiscard]] Result<std::string> literal_pattern(const Value& spec);
[[nodiscard]] std::string replace_all(std::string_view text, const ReplaceStep& step);

}  // namespace slipway::ml
