// Bodies of /generate: JSON to sampling parameters and results to JSON. Pure.
#pragma once

#include <string>
#include <vector>

#include "slipway/base/value.h"
#include "slipway/ml/generator.h"
#include "slipway/serve/model_server.h"

namespace slipway::serve {

struct GenerateCall {
  std::string prompt;
  std::string model;  // empty: the base model
  ml::SamplingParams params;
  bool raw_response = false;  // predictions without the prompt around them
};

// Reads the body of POST /generate: {"prompt", …sampling parameters}, or {"instances": [{…}]}. A field that is unknown,
// of the wrong type or out of range is InvalidArgument, and the message names it: a typing error in a parameter must
// not pass as its default.
[[nodiscard]] Result<GenerateCall> parse_generate(const std::string& body);

struct GenerateResult {
  std::string prompt;
  std::vector<ml::Generation> generations;  // one per n
};

// {"text": [prompt + output…]}, or {"predictions": ["Prompt:\n<prompt>\nOutput:\n<output>"…]}.
[[nodiscard]] Value generate_reply(const GenerateResult& result, ResponseFormat format, bool raw_response);

// {"error": {"code", "message"}}
[[nodiscard]] Value error_reply(std::string_view code, std::string_view message);

}  // namespace slipway::serve
