// Training text: from JSONL lines to token sequences with labels.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "slipway/base/enum_table.h"
#include "slipway/base/result.h"
#include "slipway/ml/model.h"
#include "slipway/ml/tokenizer.h"

namespace slipway::ml {

// Which known implementation is reproduced to the letter.
enum class Compat : std::uint8_t { None, Hf };
inline constexpr EnumTable<Compat, 2> kCompats{{{
    {Compat::None, "none", "slipway's own rules: bos and eos added, eos learned, labels found by text offset"},
    {Compat::Hf, "hf", "transformers 4.46.1, peft 0.13.2, trl 0.11.4, their traps included"},
}}};

// A tokenised sample. labels[i] is ids[i] if the model learns to predict that token, else kIgnoreLabel; labels[0] never
// counts, because nothing predicts the first token. Both vectors have equal length.
struct Sample {
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> labels;

  [[nodiscard]] std::int64_t label_count() const;
};

// One line of a data set.
struct TextSample {
  std::string text;
  // Byte offset in `text` of the first byte to learn; npos: the response template is nowhere, nothing to learn.
  std::size_t learn_from = 0;
  bool eos = true;                                    // whether the end-of-sequence token follows
  SpecialTokens special_tokens = SpecialTokens::Add;  // whether the tokenizer puts its own around the text
  std::string where;                                  // "train.jsonl:12"
};

struct DatasetRules {
  Compat compat = Compat::None;
  std::string response_template;  // learn only what follows it; empty: all of `text`, the completion of a pair
  std::int64_t max_seq_length = 512;
  double skip_ratio_max = 0.1;   // samples without a label beyond this share are an error
  bool keep_unlabelled = false;  // leave them in their place, without effect; hf compatibility always does
  // true: learn completions only, and refuse data that does not show where they begin; false: learn every token; none:
  // as the fields of a line suggest.
  std::optional<bool> completion_only = {};
  // Samples one behind the other, cut into blocks of max_seq_length tokens, as trl 0.11.4 ConstantLengthDataset does it
  // (a block's samples see one another). What is left over is a shorter block, or lost under hf compatibility.
  bool packing = false;
};

struct Dataset {
  std::vector<Sample> samples;
  std::int64_t without_labels = 0;  // left out, or kept without effect
  std::int64_t truncated = 0;       // longer than max_seq_length; none with packing
  std::int64_t tokens = 0;
  std::int64_t labels = 0;
};

// Reads a JSONL file, or all *.jsonl of a folder in name order. Each line is an object with one of: `text`;
// `prompt` and `completion`; `messages` (made a text by the chat template of `model_folder`); `instruction`, optional
// `input`, and `output`; or `prompt` alone (learned whole; under hf compatibility followed by "\n" and the eos token,
// as its usual script does). Errors name file and line.
[[nodiscard]] Result<std::vector<TextSample>> read_text_samples(const std::filesystem::path& path,
                                                                const DatasetRules& rules,
                                                                const std::filesystem::path& model_folder = {});

// Tokenises and labels. Default: bos as the tokenizer's template gives it, eos at the end and learned, a token is
// learned if it ends behind learn_from. Under hf compatibility: nothing added, every eos unlearned (pad = eos there),
// and the response template is searched among the tokens, the last match counts. Too long samples lose their tail.
// InvalidArgument if more than skip_ratio_max have no label (the message shows one) or no sample is left. `eos`: the
// token that ends a text (the tokenizer's eos_token, not the model's list of stop tokens).
[[nodiscard]] Result<Dataset> tokenize_samples(const std::vector<TextSample>& texts, const Tokenizer& tokenizer,
                                               TokenId eos, const DatasetRules& rules);

}  // namespace slipway::ml
