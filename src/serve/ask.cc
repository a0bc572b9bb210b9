#include "serve/ask.h"

#include <algorithm>
#include <span>

#include "serve/fields.h"
#include "slipway/base/diagnostics.h"

namespace slipway::serve {
namespace {

constexpr std::size_t kPromptsMax = 256;

struct Field {
  std::string_view name;
  Problem (*read)(const Value& value, Ask& ask);
};

Problem ignore(const Value&, Ask&) { return std::nullopt; }

Problem read_logit_bias(const Value& value, Ask& ask) {
  if (!value.is_object()) return "must be an object of token ids and numbers";
  for (const auto& [key, bias] : value.as_object()) {
    int id = 0;
    double number = 0;
    const auto parsed = parse_json(key);
    if (!parsed || read_whole(*parsed, id) || read_number(bias, number))
      return "must be an object of token ids and numbers";
    ask.params.logit_bias.emplace_back(id, number);
  }
  return std::nullopt;
}

Problem read_max_tokens(const Value& value, Ask& ask) {
  ask.max_tokens_given = true;
  return read_whole(value, ask.params.max_tokens);
}

Problem read_stream_options(const Value& value, Ask& ask) {
  if (!value.is_object()) return "must be an object";
  for (const auto& [name, member] : value.as_object()) {
    if (name != "include_usage") return "takes include_usage only, not `" + name + "`";
    if (auto problem = read_flag(member, ask.include_usage)) return problem;
  }
  return std::nullopt;
}

// What every endpoint takes.
constexpr Field kSampling[] = {
    {"model", [](const Value& v, Ask& a) { return read_text(v, a.model); }},
    {"stream", [](const Value& v, Ask& a) { return read_flag(v, a.stream); }},
    {"temperature", [](const Value& v, Ask& a) { return read_number(v, a.params.temperature); }},
    {"top_k", [](const Value& v, Ask& a) { return read_whole(v, a.params.top_k); }},
    {"top_p", [](const Value& v, Ask& a) { return read_number(v, a.params.top_p); }},
    {"min_p", [](const Value& v, Ask& a) { return read_number(v, a.params.min_p); }},
    {"repetition_penalty", [](const Value& v, Ask& a) { return read_number(v, a.params.repetition_penalty); }},
    {"frequency_penalty", [](const Value& v, Ask& a) { return read_number(v, a.params.frequency_penalty); }},
    {"presence_penalty", [](const Value& v, Ask& a) { return read_number(v, a.params.presence_penalty); }},
    {"max_tokens", read_max_tokens},
    {"min_tokens", [](const Value& v, Ask& a) { return read_whole(v, a.params.min_tokens); }},
    {"n", [](const Value& v, Ask& a) { return read_whole(v, a.params.n); }},
    {"seed", [](const Value& v, Ask& a) { return read_seed(v, a.params.seed); }},
    {"stop", [](const Value& v, Ask& a) { return read_stop(v, a.params.stop); }},
    {"stop_token_ids", [](const Value& v, Ask& a) { return read_ids(v, a.params.stop_token_ids); }},
    {"logit_bias", read_logit_bias},
    {"include_stop_str_in_output", [](const Value& v, Ask& a) { return read_flag(v, a.params.include_stop); }},
    {"ignore_eos", [](const Value& v, Ask& a) { return read_flag(v, a.params.ignore_eos); }},
    {"skip_special_tokens", [](const Value& v, Ask& a) { return read_flag(v, a.params.skip_special_tokens); }},
};

// Accounting and routing of OpenAI's service.
constexpr Field kIgnored[] = {{"user", ignore},
                              {"metadata", ignore},
                              {"store", ignore},
                              {"service_tier", ignore},
                              {"safety_identifier", ignore},
                              {"prompt_cache_key", ignore},
                              {"parallel_tool_calls", ignore}};

constexpr Field kGenerate[] = {
    {"prompt", [](const Value& v, Ask& a) { return read_text(v, std::get<std::string>(a.prompts.emplace_back())); }},
    {"raw_response", [](const Value& v, Ask& a) { return read_flag(v, a.raw_response); }},
};

Problem read_prompt(const Value& value, Ask& ask) {
  constexpr const char* kForms = "must be text, a list of texts, a list of token ids or a list of such lists";
  if (value.is_string()) {
    ask.prompts.emplace_back(value.as_string());
    return std::nullopt;
  }
  if (!value.is_array() || value.as_array().empty()) return kForms;
  const auto& items = value.as_array();
  if (items.size() > kPromptsMax && !items.front().is_number()) return "has more than 256 prompts";
  const auto add_ids = [&ask](const Value& list) {
    std::vector<ml::TokenId> ids;
    Problem problem = read_ids(list, ids);
    if (!problem) ask.prompts.emplace_back(std::move(ids));
    return problem;
  };
  if (items.front().is_number()) return add_ids(value) ? Problem(kForms) : std::nullopt;
  for (const auto& item : items) {
    if (item.is_string()) {
      ask.prompts.emplace_back(item.as_string());
    } else if (add_ids(item)) {
      return kForms;
    }
  }
  return std::nullopt;
}

Problem read_logprobs(const Value& value, Ask& ask) {
  int count = 0;
  if (auto problem = read_whole(value, count)) return problem;
  ask.params.logprobs = count;
  return std::nullopt;
}

Problem must_be_empty(const Value& value, Ask&) {
  if (value.is_string() && value.as_string().empty()) return std::nullopt;
  if (value.is_array() && value.as_array().empty()) return std::nullopt;
  return "is not possible here";
}

Problem must_be_one(const Value& value, Ask&) {
  int count = 0;
  return read_whole(value, count) || count != 1 ? Problem("must be 1: use `n`") : std::nullopt;
}

constexpr Field kCompletions[] = {
    {"prompt", read_prompt},
    {"echo", [](const Value& v, Ask& a) { return read_flag(v, a.echo); }},
    {"logprobs", read_logprobs},
    {"stream_options", read_stream_options},
    {"add_special_tokens", [](const Value& v, Ask& a) { return read_flag(v, a.add_special_tokens); }},
    {"suffix", must_be_empty},
    {"best_of", must_be_one},
};

// Text, or parts of which all are text.
Problem read_content(const Value& value, std::string& out) {
  if (value.is_null()) return std::nullopt;
  if (value.is_string()) return read_text(value, out);
  if (!value.is_array()) return "content must be text or a list of text parts";
  for (const auto& part : value.as_array()) {
    const Value* text = part.find("text");
    if (part.get_string("type") != "text" || text == nullptr || !text->is_string())
      return "content may have parts of type text only: this model reads nothing else";
    out += text->as_string();
  }
  return std::nullopt;
}

Problem read_messages(const Value& value, Ask& ask) {
  if (!value.is_array() || value.as_array().empty()) return "must be a list of at least one message";
  for (const auto& item : value.as_array()) {
    const std::string where = "[" + std::to_string(ask.messages.size()) + "]: ";
    ml::ChatMessage message{item.get_string("role"), {}};
    if (message.role.empty()) return where + "role is missing";
    const Value* content = item.find("content");
    if (content == nullptr) return where + "content is missing";
    if (auto problem = read_content(*content, message.content)) return where + *problem;
    ask.messages.push_back(std::move(message));
  }
  return std::nullopt;
}

// `logprobs` is a switch in a chat; `top_logprobs` says how many and may come first.
Problem read_chat_logprobs(const Value& value, Ask& ask) {
  bool wanted = false;
  if (auto problem = read_flag(value, wanted)) return problem;
  if (!wanted) ask.params.logprobs.reset();
  if (wanted && !ask.params.logprobs) ask.params.logprobs = 0;
  return std::nullopt;
}

Problem read_response_format(const Value& value, Ask&) {
  return value.get_string("type") == "text" ? std::nullopt : Problem("must be {\"type\": \"text\"}");
}

Problem read_tool_choice(const Value& value, Ask&) {
  return value == Value("none") || value == Value("auto") ? std::nullopt : Problem("must be none: there are no tools");
}

constexpr Field kChat[] = {
    {"messages", read_messages},
    {"max_completion_tokens", read_max_tokens},
    {"top_logprobs", read_logprobs},  // before `logprobs`, as keys are read in this order
    {"logprobs", read_chat_logprobs},
    {"stream_options", read_stream_options},
    {"add_special_tokens", [](const Value& v, Ask& a) { return read_flag(v, a.add_special_tokens); }},
    {"add_generation_prompt", [](const Value& v, Ask& a) { return read_flag(v, a.add_generation_prompt); }},
    {"response_format", read_response_format},
    {"tools", must_be_empty},
    {"tool_choice", read_tool_choice},
};

std::span<const Field> own_fields(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::Generate: return kGenerate;
    case Endpoint::Completions: return kCompletions;
    case Endpoint::Chat: return kChat;
  }
  return {};
}

std::vector<Field> fields_of(Endpoint endpoint) {
  std::vector<Field> fields;
  for (const auto list : {own_fields(endpoint), std::span<const Field>(kSampling), std::span<const Field>(kIgnored)})
    fields.insert(fields.end(), list.begin(), list.end());
  return fields;
}

Refusal unknown_field(const std::string& name, const std::vector<Field>& fields) {
  std::vector<std::string> known;
  for (const Field& field : fields) known.emplace_back(field.name);
  const auto near = nearest(name, known);
  return {.message = "`" + name + "` is no field of this request" + (near ? "; did you mean `" + *near + "`?" : ""),
          .param = name};
}

// The parameter that invalid_reason() blames is the first word of its sentence.
Refusal invalid(const std::string& reason) {
  const std::string first = reason.substr(0, reason.find(' '));
  return {.message = reason, .param = first == "a" ? "stop" : first};
}

Parsed parse_object(Endpoint endpoint, const Value& object) {
  Ask ask{.endpoint = endpoint, .add_special_tokens = endpoint != Endpoint::Chat};
  const auto fields = fields_of(endpoint);
  for (const auto& [name, value] : object.as_object())
    if (std::ranges::find(fields, name, &Field::name) == fields.end()) return unknown_field(name, fields);
  for (const Field& field : fields) {
    const Value* value = object.find(field.name);
    if (value == nullptr || value->is_null()) continue;
    const std::string name(field.name);
    if (const Problem problem = field.read(*value, ask))
      return Refusal{.message = "`" + name + "` " + *problem, .param = name};
  }
  if (endpoint == Endpoint::Chat && ask.messages.empty())
    return Refusal{.message = "`messages` is missing", .param = "messages"};
  if (endpoint != Endpoint::Chat && ask.prompts.empty())
    return Refusal{.message = "`prompt` is missing", .param = "prompt"};
  if (endpoint == Endpoint::Chat && ask.params.logprobs && object.find("logprobs") == nullptr)
    return Refusal{.message = "`top_logprobs` needs `logprobs`: true", .param = "top_logprobs"};
  if (ask.include_usage && !ask.stream)
    return Refusal{.message = "`stream_options` needs `stream`: true", .param = "stream_options"};
  if (!ask.max_tokens_given) ask.params.max_tokens = std::max(ask.params.max_tokens, ask.params.min_tokens);
  if (const auto reason = ml::invalid_reason(ask.params)) return invalid(*reason);
  return ask;
}

std::string_view type_of(int status) {
  if (status == 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

}  // namespace

Parsed parse_ask(Endpoint endpoint, const std::string& body) {
  const auto value = parse_json(body);
  if (!value) return Refusal{.message = "the body is no JSON: " + value.error().message};
  if (!value->is_object()) return Refusal{.message = "the body must be a JSON object"};
  const Value* instances = endpoint == Endpoint::Generate ? value->find("instances") : nullptr;
  if (instances == nullptr) return parse_object(endpoint, *value);
  const bool one = instances->is_array() && instances->as_array().size() == 1 && instances->as_array()[0].is_object();
  if (!one || value->as_object().size() != 1)
    return Refusal{.message = "`instances` must stand alone and be a list of one object", .param = "instances"};
  return parse_object(endpoint, instances->as_array()[0]);
}

Value error_reply(const Refusal& refusal) {
  const auto or_null = [](const std::string& text) { return text.empty() ? Value() : Value(text); };
  return Value::Object{{"error", Value::Object{{"message", refusal.message},
                                               {"type", type_of(refusal.status)},
                                               {"param", or_null(refusal.param)},
                                               {"code", or_null(refusal.code)}}}};
}

}  // namespace slipway::serve
