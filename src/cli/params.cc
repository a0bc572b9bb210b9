#include "cli/params.h"

#include <CLI/CLI.hpp>

#include "cli/print.h"
#include "slipway/base/file.h"
#include "slipway/text/node.h"

namespace slipway::cli {
namespace {

std::string schema_type(const Value& dag, const std::string& name) {
  for (const Value& param : list_of(dag, "params"))
    if (param.get_string("name") == name) {
      const Value* schema = param.find("schema");
      return schema == nullptr ? "" : schema->get_string("type");
    }
  return "";
}

Result<void> read_param(const Value& dag, const std::string& pair, Value& params) {
  const auto equals = pair.find('=');
  if (equals == std::string::npos || equals == 0)
    return Error{ErrorCode::InvalidArgument, "`-p " + pair + "` is no parameter", "write -p name=value"};
  const std::string name = pair.substr(0, equals);
  std::string text = pair.substr(equals + 1);
  if (!text.empty() && text.front() == '@') {
    SLIPWAY_TRY_ASSIGN(text, read_whole_file(text.substr(1), kFileBytesMax));
  }
  const auto json = parse_json(text);
  params[name] = schema_type(dag, name) == "string" || !json ? Value(text) : *json;
  return {};
}

Result<Value> read_file(const std::string& file) {
  SLIPWAY_TRY_ASSIGN(const std::string text, read_whole_file(file, kFileBytesMax));
  const auto parsed = text::parse_yaml({file, text});
  if (!parsed.value) return Error{ErrorCode::InvalidArgument, parsed.diagnostics.items().front().message, {}}.in(file);
  Value value = text::to_value(*parsed.value);
  if (value.is_object()) return value;
  return Error{ErrorCode::InvalidArgument, file + " holds no map of parameters", "write name: value, one a line"};
}

}  // namespace

void add_param_options(CLI::App& app, ParamOptions& options) {
  app.add_option("-p,--param", options.pairs, "parameter as name=value, or name=@file; repeat for more")
      ->allow_extra_args(false);
  app.add_option("--params-file", options.file, "YAML or JSON map of parameters; -p goes over it");
}

Result<Value> collect_params(Session& session, const std::string& dag, const ParamOptions& options) {
  Value params = Value::Object{};
  if (!options.file.empty()) {
    SLIPWAY_TRY_ASSIGN(params, read_file(options.file));
  }
  if (options.pairs.empty()) return params;
  SLIPWAY_TRY_ASSIGN(const Value body, session.call("GET", "/dags/" + http::percent_encode(dag)));
  const Value* inner = body.find("dag");
  for (const auto& pair : options.pairs) SLIPWAY_TRY(read_param(inner != nullptr ? *inner : body, pair, params));
  return params;
}

}  // namespace slipway::cli
