#include "serve/reply.h"

#include <algorithm>

namespace slipway::serve {
namespace {

std::string event(const Value& value) { return "data: " + value.dump() + "\n\n"; }

bool is_openai(const Exchange& exchange) { return exchange.ask.endpoint != Endpoint::Generate; }

Value usage_of(const Exchange& exchange) {
  std::int64_t completion = 0;
  for (const auto& choice : exchange.choices) completion += static_cast<std::int64_t>(choice.tokens);
  return Value::Object{{"prompt_tokens", exchange.prompt_tokens},
                       {"completion_tokens", completion},
                       {"total_tokens", exchange.prompt_tokens + completion}};
}

Value::Object envelope(const Exchange& exchange, std::string_view object) {
  return {{"id", exchange.id}, {"object", object}, {"created", exchange.created_s}, {"model", exchange.model}};
}

Value finish_reason(const Choice& choice) {
  return choice.done ? Value(ml::kFinishReasons.text(choice.end.finish)) : Value();
}

// vLLM's addition: what ended it, if it was not the model's own end.
Value stop_reason(const Choice& choice) {
  if (choice.end.stop_string) return *choice.end.stop_string;
  if (choice.end.stop_token) return *choice.end.stop_token;
  return {};
}

std::string token_text(const Exchange& exchange, ml::TokenId id) {
  return exchange.tokenizer.decode(std::span(&id, 1), false);
}

// The form of /v1/completions: parallel lists.
class ListedLogprobs {
 public:
  explicit ListedLogprobs(const Exchange& exchange) : exchange_(exchange) {}

  // `known` is null for the first token of a prompt, of which the model thought nothing.
  void add(ml::TokenId id, const ml::Logprobs* known) {
    const std::string text = token_text(exchange_, id);
    tokens_.emplace_back(text);
    offsets_.emplace_back(std::int64_t(offset_));
    offset_ += text.size();
    own_.emplace_back(known != nullptr ? Value(static_cast<double>(known->chosen.logprob)) : Value());
    if (known == nullptr) {
      top_.emplace_back(Value());
      return;
    }
    Value::Object best{{text, static_cast<double>(known->chosen.logprob)}};
    for (const auto& one : known->likeliest)
      best.emplace(token_text(exchange_, one.id), static_cast<double>(one.logprob));
    top_.emplace_back(std::move(best));
  }
  // A token of an earlier piece.
  void skip(ml::TokenId id) { offset_ += token_text(exchange_, id).size(); }

  Value take() {
    return Value::Object{{"tokens", std::move(tokens_)},
                         {"token_logprobs", std::move(own_)},
                         {"top_logprobs", std::move(top_)},
                         {"text_offset", std::move(offsets_)}};
  }

 private:
  const Exchange& exchange_;
  Value::Array tokens_, own_, top_, offsets_;
  std::size_t offset_ = 0;
};

// From the `first` new token on; echoed ones come with the first piece.
Value listed_logprobs(const Exchange& exchange, const Choice& choice, std::size_t first) {
  if (!exchange.ask.params.logprobs) return {};
  ListedLogprobs list(exchange);
  if (exchange.ask.echo && !choice.begun) {
    list.add(exchange.first_tokens[choice.prompt], nullptr);
    for (const auto& known : choice.prompt_logprobs) list.add(known.chosen.id, &known);
  } else if (exchange.ask.echo) {
    list.skip(exchange.first_tokens[choice.prompt]);
    for (const auto& known : choice.prompt_logprobs) list.skip(known.chosen.id);
  }
  for (std::size_t i = 0; i < choice.logprobs.size(); ++i) {
    const auto& known = choice.logprobs[i];
    if (i < first) {
      list.skip(known.chosen.id);
    } else {
      list.add(known.chosen.id, &known);
    }
  }
  return list.take();
}

Value::Object token_logprob(const Exchange& exchange, const ml::TokenLogprob& token) {
  const std::string text = token_text(exchange, token.id);
  Value::Array bytes;
  for (const char c : text) bytes.emplace_back(static_cast<int>(static_cast<unsigned char>(c)));
  return {{"token", text}, {"logprob", static_cast<double>(token.logprob)}, {"bytes", std::move(bytes)}};
}

// The form of /v1/chat/completions: a list of objects.
Value chat_logprobs(const Exchange& exchange, const Choice& choice, std::size_t first) {
  if (!exchange.ask.params.logprobs) return {};
  Value::Array content;
  for (std::size_t i = first; i < choice.logprobs.size(); ++i) {
    auto entry = token_logprob(exchange, choice.logprobs[i].chosen);
    Value::Array top;
    for (const auto& one : choice.logprobs[i].likeliest) top.emplace_back(token_logprob(exchange, one));
    entry.emplace("top_logprobs", std::move(top));
    content.emplace_back(std::move(entry));
  }
  return Value::Object{{"content", std::move(content)}};
}

std::string with_prompt(const Exchange& exchange, const Choice& choice, const std::string& text) {
  return exchange.prompt_texts[choice.prompt] + text;
}

Value completion_choice(const Exchange& exchange, std::size_t index) {
  const Choice& choice = exchange.choices[index];
  return Value::Object{{"index", std::int64_t(index)},
                       {"text", exchange.ask.echo ? with_prompt(exchange, choice, choice.text) : choice.text},
                       {"logprobs", listed_logprobs(exchange, choice, 0)},
                       {"finish_reason", finish_reason(choice)},
                       {"stop_reason", stop_reason(choice)}};
}

Value chat_choice(const Exchange& exchange, std::size_t index) {
  const Choice& choice = exchange.choices[index];
  return Value::Object{
      {"index", std::int64_t(index)},
      {"message", Value::Object{{"role", "assistant"}, {"content", choice.text}, {"refusal", Value()}}},
      {"logprobs", chat_logprobs(exchange, choice, 0)},
      {"finish_reason", finish_reason(choice)},
      {"stop_reason", stop_reason(choice)}};
}

std::string trimmed(const std::string& text, std::string_view blanks) {
  const auto begin = text.find_first_not_of(blanks);
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

Value generated(const Exchange& exchange) {
  Value::Array texts, counts;
  for (const Choice& choice : exchange.choices) {
    counts.emplace_back(std::int64_t(choice.tokens));
    switch (exchange.format) {
      case ResponseFormat::Text: texts.emplace_back(with_prompt(exchange, choice, choice.text)); break;
      case ResponseFormat::Predictions:
        texts.emplace_back(exchange.ask.raw_response
                               ? choice.text
                               : "Prompt:\n" + trimmed(exchange.prompt_texts[choice.prompt], " \t\r\n\f\v") +
                                     "\nOutput:\n" + trimmed(choice.text, "\n"));
        break;
    }
  }
  if (exchange.format == ResponseFormat::Text) return Value::Object{{"text", std::move(texts)}};
  Value::Object reply{{"predictions", std::move(texts)}};
  if (exchange.ask.raw_response) reply.emplace("output_token_counts", std::move(counts));
  return reply;
}

Value chunk(const Exchange& exchange, Value::Array choices) {
  const bool chat = exchange.ask.endpoint == Endpoint::Chat;
  auto object = envelope(exchange, chat ? "chat.completion.chunk" : "text_completion");
  object.emplace("choices", std::move(choices));
  if (exchange.ask.include_usage) object.emplace("usage", Value());
  return object;
}

std::string openai_piece(const Exchange& exchange, std::size_t index, const std::string& news) {
  const Choice& choice = exchange.choices[index];
  const bool chat = exchange.ask.endpoint == Endpoint::Chat;
  std::string out;
  if (chat && !choice.begun)
    out += event(chunk(exchange, {Value::Object{{"index", std::int64_t(index)},
                                                {"delta", Value::Object{{"role", "assistant"}, {"content", ""}}},
                                                {"logprobs", Value()},
                                                {"finish_reason", Value()}}}));
  Value::Object entry{{"index", std::int64_t(index)}, {"finish_reason", finish_reason(choice)}};
  if (choice.done) entry.emplace("stop_reason", stop_reason(choice));
  if (chat) {
    entry.emplace("delta", news.empty() ? Value::Object{} : Value::Object{{"content", news}});
    entry.emplace("logprobs", chat_logprobs(exchange, choice, choice.logprobs_sent));
  } else {
    entry.emplace("text", exchange.ask.echo && !choice.begun ? with_prompt(exchange, choice, news) : news);
    entry.emplace("logprobs", listed_logprobs(exchange, choice, choice.logprobs_sent));
  }
  return out + event(chunk(exchange, {std::move(entry)}));
}

std::string generate_piece(const Exchange& exchange, const std::string& news) {
  if (exchange.format == ResponseFormat::Text) return generated(exchange).dump() + "\n";
  return Value(Value::Object{{"predictions", Value::Array{news}}}).dump() + std::string(1, '\0');
}

}  // namespace

std::string whole_reply(const Exchange& exchange) {
  if (!is_openai(exchange)) return generated(exchange).dump();
  const bool chat = exchange.ask.endpoint == Endpoint::Chat;
  auto object = envelope(exchange, chat ? "chat.completion" : "text_completion");
  Value::Array choices;
  for (std::size_t i = 0; i < exchange.choices.size(); ++i)
    choices.push_back(chat ? chat_choice(exchange, i) : completion_choice(exchange, i));
  object.emplace("choices", std::move(choices));
  object.emplace("usage", usage_of(exchange));
  return Value(std::move(object)).dump();
}

std::string_view stream_content_type(const Exchange& exchange) {
  return is_openai(exchange) ? "text/event-stream; charset=utf-8" : "application/json";
}

std::string stream_piece(Exchange& exchange, std::size_t index) {
  Choice& choice = exchange.choices[index];
  const std::string news = choice.text.substr(choice.text_sent);
  const bool has_logprobs = choice.logprobs_sent < choice.logprobs.size();
  if (news.empty() && !has_logprobs && !choice.done) return {};
  std::string piece = is_openai(exchange) ? openai_piece(exchange, index, news) : generate_piece(exchange, news);
  choice.begun = true;
  choice.text_sent = choice.text.size();
  choice.logprobs_sent = choice.logprobs.size();
  return piece;
}

std::string stream_end(const Exchange& exchange) {
  if (!is_openai(exchange)) return {};
  std::string out;
  if (exchange.ask.include_usage) {
    Value last = chunk(exchange, {});
    last["usage"] = usage_of(exchange);
    out += event(last);
  }
  return out + "data: [DONE]\n\n";
}

std::string stream_error(const Exchange& exchange, const Refusal& refusal) {
  if (!is_openai(exchange)) return error_reply(refusal).dump() + "\n";
  return event(error_reply(refusal)) + "data: [DONE]\n\n";
}

}  // namespace slipway::serve
