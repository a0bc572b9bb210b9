#include "serve/protocol.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "slipway/base/diagnostics.h"

namespace slipway::serve {
namespace {

using Problem = std::optional<std::string>;  // what is wrong with a value, e.g. "must be a number"

constexpr double kWholeMax = 1e9;

Problem read_number(const Value& value, double& out) {
  if (!value.is_number()) return "must be a number";
  out = value.as_double();
  return std::nullopt;
}

// Clients send whole numbers as 1.0 too.
Problem read_whole(const Value& value, int& out) {
  double number = 0;
  if (auto problem = read_number(value, number)) return "must be a whole number";
  if (number != std::floor(number) || std::abs(number) > kWholeMax) return "must be a whole number";
  out = static_cast<int>(number);
  return std::nullopt;
}

Problem read_flag(const Value& value, bool& out) {
  if (!value.is_bool()) return "must be true or false";
  out = value.as_bool();
  return std::nullopt;
}

Problem read_text(const Value& value, std::string& out) {
  if (!value.is_string()) return "must be text";
  out = value.as_string();
  return std::nullopt;
}

Problem read_stop(const Value& value, std::vector<std::string>& out) {
  constexpr std::size_t kStopsMax = 32;
  if (value.is_string()) {
    out = {value.as_string()};
    return std::nullopt;
  }
  if (!value.is_array() || value.as_array().size() > kStopsMax) return "must be text or a list of at most 32 texts";
  for (const auto& item : value.as_array()) {
    if (!item.is_string()) return "must be text or a list of texts";
    out.push_back(item.as_string());
  }
  return std::nullopt;
}

Problem read_ids(const Value& value, std::vector<std::int32_t>& out) {
  if (!value.is_array()) return "must be a list of token ids";
  for (const auto& item : value.as_array()) {
    int id = 0;
    if (read_whole(item, id)) return "must be a list of token ids";
    out.push_back(id);
  }
  return std::nullopt;
}

Problem read_seed(const Value& value, std::optional<std::uint64_t>& out) {
  if (!value.is_int()) return "must be a whole number";
  out = static_cast<std::uint64_t>(value.as_int());
  return std::nullopt;
}

Problem read_stream(const Value& value, GenerateCall&) {
  bool stream = false;
  if (auto problem = read_flag(value, stream)) return problem;
  return stream ? Problem("must be false: this endpoint answers whole") : std::nullopt;
}

struct Field {
  std::string_view name;
  Problem (*read)(const Value& value, GenerateCall& call);
};

constexpr std::array kFields{
    Field{"prompt", [](const Value& v, GenerateCall& c) { return read_text(v, c.prompt); }},
    Field{"model", [](const Value& v, GenerateCall& c) { return read_text(v, c.model); }},
    Field{"stream", read_stream},
    Field{"raw_response", [](const Value& v, GenerateCall& c) { return read_flag(v, c.raw_response); }},
    Field{"temperature", [](const Value& v, GenerateCall& c) { return read_number(v, c.params.temperature); }},
    Field{"top_k", [](const Value& v, GenerateCall& c) { return read_whole(v, c.params.top_k); }},
    Field{"top_p", [](const Value& v, GenerateCall& c) { return read_number(v, c.params.top_p); }},
    Field{"min_p", [](const Value& v, GenerateCall& c) { return read_number(v, c.params.min_p); }},
    Field{"repetition_penalty",
          [](const Value& v, GenerateCall& c) { return read_number(v, c.params.repetition_penalty); }},
    Field{"frequency_penalty",
          [](const Value& v, GenerateCall& c) { return read_number(v, c.params.frequency_penalty); }},
    Field{"presence_penalty",
          [](const Value& v, GenerateCall& c) { return read_number(v, c.params.presence_penalty); }},
    Field{"max_tokens", [](const Value& v, GenerateCall& c) { return read_whole(v, c.params.max_tokens); }},
    Field{"min_tokens", [](const Value& v, GenerateCall& c) { return read_whole(v, c.params.min_tokens); }},
    Field{"n", [](const Value& v, GenerateCall& c) { return read_whole(v, c.params.n); }},
    Field{"seed", [](const Value& v, GenerateCall& c) { return read_seed(v, c.params.seed); }},
    Field{"stop", [](const Value& v, GenerateCall& c) { return read_stop(v, c.params.stop); }},
    Field{"stop_token_ids", [](const Value& v, GenerateCall& c) { return read_ids(v, c.params.stop_token_ids); }},
    Field{"include_stop_str_in_output",
          [](const Value& v, GenerateCall& c) { return read_flag(v, c.params.include_stop); }},
    Field{"ignore_eos", [](const Value& v, GenerateCall& c) { return read_flag(v, c.params.ignore_eos); }},
    Field{"skip_special_tokens",
          [](const Value& v, GenerateCall& c) { return read_flag(v, c.params.skip_special_tokens); }},
};

Error field_error(const std::string& name, const std::string& problem) {
  return Error{ErrorCode::InvalidArgument, "`" + name + "` " + problem, {}};
}

Error unknown_field(const std::string& name) {
  std::vector<std::string> known;
  for (const Field& field : kFields) known.emplace_back(field.name);
  const auto near = nearest(name, known);
  return field_error(name, near ? "is no field of this request; did you mean `" + *near + "`?"
                                : std::string("is no field of this request"));
}

Result<GenerateCall> parse_object(const Value& object) {
  GenerateCall call;
  for (const auto& [name, value] : object.as_object()) {
    const auto* field = std::find_if(kFields.begin(), kFields.end(), [&](const Field& f) { return f.name == name; });
    if (field == kFields.end()) return unknown_field(name);
    if (value.is_null()) continue;  // as if absent
    if (const Problem problem = field->read(value, call)) return field_error(name, *problem);
  }
  if (call.prompt.empty()) return Error{ErrorCode::InvalidArgument, "`prompt` is missing or empty", {}};
  if (const auto reason = ml::invalid_reason(call.params)) return Error{ErrorCode::InvalidArgument, *reason, {}};
  return call;
}

std::string trimmed(const std::string& text, std::string_view blanks) {
  const auto begin = text.find_first_not_of(blanks);
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

}  // namespace

Result<GenerateCall> parse_generate(const std::string& body) {
  const auto value = parse_json(body);
  if (!value) return Error{ErrorCode::InvalidArgument, "the body is no JSON: " + value.error().message, {}};
  if (!value->is_object()) return Error{ErrorCode::InvalidArgument, "the body must be a JSON object", {}};
  const Value* instances = value->find("instances");
  if (instances == nullptr) return parse_object(*value);
  const bool one = instances->is_array() && instances->as_array().size() == 1 && instances->as_array()[0].is_object();
  if (!one || value->as_object().size() != 1)
    return Error{ErrorCode::InvalidArgument, "`instances` must stand alone and be a list of one object", {}};
  return parse_object(instances->as_array()[0]);
}

Value generate_reply(const GenerateResult& result, ResponseFormat format, bool raw_response) {
  Value::Array texts;
  for (const auto& generation : result.generations) {
    switch (format) {
      case ResponseFormat::Text: texts.emplace_back(result.prompt + generation.text); break;
      case ResponseFormat::Predictions:
        texts.emplace_back(raw_response ? generation.text
                                        : "Prompt:\n" + trimmed(result.prompt, " \t\r\n\f\v") + "\nOutput:\n" +
                                              trimmed(generation.text, "\n"));
        break;
    }
  }
  return Value::Object{{format == ResponseFormat::Text ? "text" : "predictions", std::move(texts)}};
}

Value error_reply(std::string_view code, std::string_view message) {
  return Value::Object{{"error", Value::Object{{"code", code}, {"message", message}}}};
}

}  // namespace slipway::serve
