// `slipway tokenize`: text to token ids and back, a JSONL file to a JSONL file, or one text to stdout.
#pragma once

#include <string>

#include "slipway/mlsteps/step.h"

namespace slipway::mlsteps {

struct TokenizeOptions {
  std::string tokenizer;  // tokenizer.json or its folder
  std::string input;   // lines {"text", "add_special_tokens" (true)}; decoding: {"ids", "skip_special_tokens" (false)}
  std::string output;  // lines {"ids"}; decoding: {"text"}
  bool decode = false;
  std::string text;  // instead of input and output: {"ids", "tokens"} go to stdout
};

[[nodiscard]] int run_tokenize(const TokenizeOptions& options, const StepIo& io);

}  // namespace slipway::mlsteps
