#include "dag/params.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <regex>

#include "dag/draft.h"
#include "dag/reader.h"
#include "slipway/dag/parse.h"

namespace slipway::dag {
namespace {

using text::Entry;
using text::Node;
using text::NodeKind;

bool has_type(const Value& value, ValueType type) {
  switch (type) {
    case ValueType::Any: return true;
    case ValueType::Boolean: return value.is_bool();
    case ValueType::Integer: return value.is_int();
    case ValueType::Number: return value.is_number();
    case ValueType::String: return value.is_string();
    case ValueType::Array: return value.is_array();
    case ValueType::Object: return value.is_object();
  }
  return false;
}

Value narrowed(const Value& value, ValueType type) {
  const bool whole = value.is_double() && std::trunc(value.as_double()) == value.as_double();
  if (type != ValueType::Integer || !whole || std::abs(value.as_double()) > 9e15) return value;
  return static_cast<std::int64_t>(value.as_double());
}

// libstdc++'s matcher recurses once per character.
constexpr std::size_t kPatternTextMax = 1'000;

bool matches(const std::string& text, const std::string& pattern) {
  if (text.size() > kPatternTextMax) return false;
  try {
    return std::regex_search(text, std::regex(pattern, std::regex::ECMAScript));
  } catch (const std::regex_error&) {
    return false;  // too complex for this text: refuse rather than let it pass
  }
}

bool has_format(const std::string& text, const std::string& format) {
  if (format == "uri") return std::regex_search(text, std::regex("^[A-Za-z][A-Za-z0-9+.-]*:[^ ]+$"));
  const bool date_only = text.size() == 10;
  return parse_rfc3339(text).has_value() && date_only == (format == "date");
}

std::string listed(const std::vector<Value>& values) {
  std::string out;
  for (const Value& value : values)
    out += (out.empty() ? "" : ", ") + (value.is_string() ? value.as_string() : value.dump());
  return out;
}

Error wrong(const Param& param, const std::string& what, std::string help) {
  return {ErrorCode::InvalidArgument, "parameter `" + param.name + "` " + what, std::move(help)};
}

const Param* find_param(const Dag& dag, const std::string& name) {
  const auto found = std::find_if(dag.params.begin(), dag.params.end(), [&](const Param& p) { return p.name == name; });
  return found == dag.params.end() ? nullptr : &*found;
}

Result<const Param*> need_param(const Dag& dag, const std::string& name) {
  if (const Param* param = find_param(dag, name)) return param;
  std::vector<std::string> names;
  std::string all;
  for (const Param& param : dag.params) {
    names.push_back(param.name);
    all += (all.empty() ? "" : ", ") + param.name;
  }
  const auto word = nearest(name, names);
  return Error{ErrorCode::NotFound, "DAG `" + dag.id.str() + "` has no parameter `" + name + "`",
               word            ? "did you mean `" + *word + "`?"
               : names.empty() ? "it takes none"
                               : "it takes: " + all};
}

class ParamReader {
 public:
  explicit ParamReader(Diagnostics& out) : out_(out) {}

  Param read(const Entry& entry) {
    const Node& node = entry.value;
    Param param;
    param.name = entry.key;
    param.span = entry.key_span;
    param.schema = text::to_value(node);
    if (node.kind != NodeKind::Map) return param;
    assign(param.type, read_word(node.find("type"), kValueTypes));
    assign(param.description, read_text(node.find("description")));
    assign(param.format, read_text(node.find("format")));
    assign(param.required, read_bool(node.find("required")));
    param.minimum = read_number(node.find("minimum"));
    param.maximum = read_number(node.find("maximum"));
    for (const Node* word : read_many(node.find("enum"))) param.enum_values.push_back(text::to_value(*word));
    if (const Node* pattern = node.find("pattern")) read_pattern(*pattern, param);
    check_itself(node, param);
    if (const Node* given = node.find("default"); is_written(given)) read_default(*given, param);
    param.required = param.required && !param.default_value;
    return param;
  }

 private:
  void read_pattern(const Node& node, Param& param) {
    try {
      std::regex compiled(node.scalar, std::regex::ECMAScript);
      param.pattern = node.scalar;
    } catch (const std::regex_error&) {
      out_.error("bad-pattern", node.span, "this is no regular expression", "it follows ECMAScript, as in JSON Schema");
    }
  }

  // Words that contradict each other or the type.
  void check_itself(const Node& node, const Param& param) {
    const bool numeric =
        param.type == ValueType::Integer || param.type == ValueType::Number || param.type == ValueType::Any;
    const bool textual = param.type == ValueType::String || param.type == ValueType::Any;
    for (const Entry& entry : node.entries) {
      const bool for_numbers = entry.key == "minimum" || entry.key == "maximum";
      const bool for_texts = entry.key == "pattern" || entry.key == "format";
      if (is_written(&entry.value) && ((for_numbers && !numeric) || (for_texts && !textual)))
        out_.error(
            "bad-param", entry.key_span,
            "`" + entry.key + "` has no meaning for a parameter of type " + std::string(kValueTypes.text(param.type)),
            std::string("remove it, or write type: ") + (for_numbers ? "number" : "string"));
    }
    if (param.minimum && param.maximum && *param.minimum > *param.maximum)
      out_.error("bad-param", node.find("minimum")->span, "the minimum is above the maximum", "swap them");
    const Node* words = node.find("enum");
    for (const Node* word : read_many(words))
      if (!has_type(narrowed(text::to_value(*word), param.type), param.type))
        out_.error("bad-param", word->span,
                   "this is " + std::string(text::kNodeKinds.text(word->kind)) + ", and the parameter's type is " +
                       std::string(kValueTypes.text(param.type)),
                   word->is_scalar() && param.type == ValueType::String ? "put it in quotes: \"" + word->scalar + "\""
                                                                        : "remove it, or change the type");
  }

  void read_default(const Node& node, Param& param) {
    auto checked = check_param(param, text::to_value(node));
    if (checked) {
      param.default_value = *std::move(checked);
    } else {
      out_.error("bad-default", node.span, "the default does not fit: " + checked.error().message,
                 checked.error().help);
    }
  }

  Diagnostics& out_;
};

Result<Value> parse_number(const Param& param, const std::string& text) {
  std::int64_t integer = 0;
  const char* end = text.data() + text.size();
  if (const auto [at, error] = std::from_chars(text.data(), end, integer); error == std::errc() && at == end)
    return Value(integer);
  double number = 0;
  if (const auto [at, error] = std::from_chars(text.data(), end, number);
      error == std::errc() && at == end && std::isfinite(number))
    return Value(number);
  return wrong(param, "takes " + std::string(kValueTypes.doc(param.type)) + ", not `" + text + "`",
               "its type is " + std::string(kValueTypes.text(param.type)));
}

}  // namespace

Result<Value> check_param(const Param& param, const Value& given) {
  const Value value = narrowed(given, param.type);
  if (!has_type(value, param.type))
    return wrong(param, "takes " + std::string(kValueTypes.doc(param.type)) + ", not " + std::string(value.type_name()),
                 "its type is " + std::string(kValueTypes.text(param.type)));
  if (!param.enum_values.empty() &&
      std::find(param.enum_values.begin(), param.enum_values.end(), value) == param.enum_values.end())
    return wrong(param, "is " + value.dump() + ", which is none of its values",
                 "it takes: " + listed(param.enum_values));
  if (value.is_number() && param.minimum && value.as_double() < *param.minimum)
    return wrong(param, "is " + value.dump() + ", below its minimum", "the minimum is " + Value(*param.minimum).dump());
  if (value.is_number() && param.maximum && value.as_double() > *param.maximum)
    return wrong(param, "is " + value.dump() + ", above its maximum", "the maximum is " + Value(*param.maximum).dump());
  if (value.is_string() && !param.pattern.empty() && !matches(value.as_string(), param.pattern))
    return wrong(
        param, "is " + value.dump() + ", which its pattern does not match",
        "the pattern is " + param.pattern + ", for texts of at most " + std::to_string(kPatternTextMax) + " bytes");
  if (value.is_string() && !param.format.empty() && !has_format(value.as_string(), param.format))
    return wrong(param, "is " + value.dump() + ", which is no " + param.format,
                 param.format == "date"        ? "write 2024-11-01"
                 : param.format == "date-time" ? "write 2024-11-01T06:30:00Z"
                                               : "write scheme:rest, such as gs://bucket/folder");
  return value;
}

Result<Value> check_param(const Dag& dag, const std::string& name, const Value& value) {
  SLIPWAY_TRY_ASSIGN(const Param* param, need_param(dag, name));
  return check_param(*param, value);
}

Param read_param(const Entry& entry, Diagnostics& out) { return ParamReader(out).read(entry); }

void read_params(Draft& draft) {
  const Node* params = draft.root.find("params");
  if (!is_written(params) || params->kind != NodeKind::Map) return;
  ParamReader reader(draft.out);
  for (const Entry& entry : params->entries) {
    draft.param_index.emplace(entry.key, static_cast<int>(draft.dag.params.size()));
    draft.dag.params.push_back(reader.read(entry));
  }
}

ParseResult<Value> resolve_params(const Dag& dag, const Value& given) {
  ParseResult<Value> result;
  Value::Object resolved;
  for (const Param& param : dag.params) resolved[param.name] = param.default_value.value_or(Value());
  if (!given.is_object() && !given.is_null())
    result.diagnostics.error("bad-param", {}, "parameters are an object, not " + std::string(given.type_name()),
                             "give {\"name\": value}");
  for (const auto& [name, value] : given.is_object() ? given.as_object() : Value::Object{}) {
    auto checked = check_param(dag, name, value);
    if (checked) {
      resolved[name] = *std::move(checked);
    } else {
      const bool unknown = checked.error().code == ErrorCode::NotFound;
      result.diagnostics.error(unknown ? "unknown-param" : "bad-param", {}, checked.error().message,
                               checked.error().help);
    }
  }
  for (const Param& param : dag.params)
    if (param.required && given.find(param.name) == nullptr)
      result.diagnostics.error("missing-param", {}, "parameter `" + param.name + "` is required",
                               "give it with -p " + param.name + "=VALUE");
  if (!result.diagnostics.has_errors()) result.value = Value(std::move(resolved));
  return result;
}

Result<Value> parse_param(const Dag& dag, const std::string& name, const std::string& text) {
  SLIPWAY_TRY_ASSIGN(const Param* param, need_param(dag, name));
  Value value = text;
  switch (param->type) {
    case ValueType::String: break;
    case ValueType::Boolean:
      if (text == "true" || text == "false") value = text == "true";
      break;
    case ValueType::Integer:
    case ValueType::Number: {
      SLIPWAY_TRY_ASSIGN(value, parse_number(*param, text));
      break;
    }
    case ValueType::Array:
    case ValueType::Object: {
      SLIPWAY_TRY_ASSIGN(value, parse_json(text));
      break;
    }
    case ValueType::Any:
      if (auto json = parse_json(text)) value = *std::move(json);
      break;
  }
  return check_param(*param, value);
}

}  // namespace slipway::dag
