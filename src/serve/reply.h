// What a client is answered: the bodies and stream pieces of every endpoint. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "serve/ask.h"
#include "slipway/ml/generator.h"
#include "slipway/ml/tokenizer.h"
#include "slipway/serve/model_server.h"

namespace slipway::serve {

// One continuation, as far as it is known.
struct Choice {
  std::size_t prompt = 0;  // which one it continues
  std::string text = {};   // what is certain
  std::size_t tokens = 0;
  std::vector<ml::Logprobs> logprobs = {};
  std::vector<ml::Logprobs> prompt_logprobs = {};  // of the prompt's tokens but the first, if they are echoed
  bool done = false;
  ml::Generation end = {};  // without its text and log-probabilities, once done

  bool begun = false;  // a piece was streamed
  std::size_t text_sent = 0;
  std::size_t logprobs_sent = 0;
};

// A request and its answer.
struct Exchange {
  Ask ask;
  ResponseFormat format = ResponseFormat::Text;
  std::string id;  // "cmpl-…"
  std::int64_t created_s = 0;
  std::string model;
  std::vector<std::string> prompt_texts;
  std::vector<ml::TokenId> first_tokens;  // of each prompt
  std::int64_t prompt_tokens = 0;         // of all prompts
  std::vector<Choice> choices;            // n for the first prompt, n for the second, …
  ml::Tokenizer tokenizer;
};

// The body of a reply that is not streamed; every choice is done.
[[nodiscard]] std::string whole_reply(const Exchange& exchange);

// /v1: server-sent events. /generate: JSON lines with the text so far, or predictions of the new text, each ended by a
// NUL.
[[nodiscard]] std::string_view stream_content_type(const Exchange& exchange);
// What choice `index` has to say since its last piece; empty if nothing. Counts it as sent.
[[nodiscard]] std::string stream_piece(Exchange& exchange, std::size_t index);
// Behind the last piece of all.
[[nodiscard]] std::string stream_end(const Exchange& exchange);
// In place of further pieces.
[[nodiscard]] std::string stream_error(const Exchange& exchange, const Refusal& refusal);

}  // namespace slipway::serve
