// What a client asks for, whichever endpoint it used: JSON bodies to values. Pure.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "slipway/base/value.h"
#include "slipway/ml/chat_template.h"
#include "slipway/ml/sampling.h"

namespace slipway::serve {

enum class Endpoint : std::uint8_t { Generate, Completions, Chat };

using Prompt = std::variant<std::string, std::vector<ml::TokenId>>;

struct Ask {
  Endpoint endpoint = Endpoint::Generate;
  std::string model;                      // empty: the base model
  std::vector<Prompt> prompts;            // at least one, unless it is a chat
  std::vector<ml::ChatMessage> messages;  // of a chat: at least one
  ml::SamplingParams params;
  bool max_tokens_given = false;
  bool add_special_tokens = true;  // to a prompt that is text
  bool add_generation_prompt = true;
  bool stream = false;
  bool include_usage = false;  // a last piece of the stream counts the tokens
  bool echo = false;           // the prompt stands before the output
  bool raw_response = false;   // predictions without the prompt around them
};

// Why a request is not served, in the terms of OpenAI's errors.
struct Refusal {
  int status = 400;
  std::string message;
  std::string param = {};  // the field that is to blame
  std::string code = {};   // "model_not_found"
};

using Parsed = std::variant<Ask, Refusal>;

// Reads the body of POST /generate ({"prompt", …sampling parameters}, or {"instances": [{…}]}), /v1/completions or
// /v1/chat/completions. A field that is unknown, of the wrong type or out of range is refused by name: a typing error
// in a parameter must not pass as its default. Fields that cannot change a text here (`user`, `metadata`, …) are
// ignored.
[[nodiscard]] Parsed parse_ask(Endpoint endpoint, const std::string& body);

// {"error": {"message", "type", "param", "code"}}
[[nodiscard]] Value error_reply(const Refusal& refusal);

}  // namespace slipway::serve
