#include "api/bodies.h"
#include "api/handlers.h"

namespace slipway::api {
namespace {

// Names of variables are words of the expression language, so that `vars.NAME` finds them; secrets' likewise.
Result<std::string> checked_name(const Call& call) {
  const std::string& name = call.at("name");
  if (vault::is_secret_name(name)) return name;
  return Error{ErrorCode::InvalidArgument, "`" + name + "` is no name",
               "letters, digits and _, at most 100, no digit first"};
}

Result<Value> find_var(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
  SLIPWAY_TRY_ASSIGN(const auto vars, reader->vars());
  if (const Value* value = vars.find(call.at("name"))) return *value;
  return Error{ErrorCode::NotFound, "there is no variable `" + call.at("name") + "`", "slipway var list"};
}

}  // namespace

Result<http::Response> list_vars(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
  SLIPWAY_TRY_ASSIGN(const auto vars, reader->vars());
  Value body;
  body["vars"] = vars;
  return reply(body);
}

Result<http::Response> get_var(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto value, find_var(call));
  Value body;
  body["name"] = call.at("name");
  body["value"] = value;
  return reply(body);
}

Result<http::Response> set_var(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto name, checked_name(call));
  SLIPWAY_TRY(call.command(engine::SetVar{name, *call.body.find("value")}));
  return get_var(call);
}

Result<http::Response> delete_var(const Call& call) {
  SLIPWAY_TRY(find_var(call));
  SLIPWAY_TRY(call.command(engine::SetVar{call.at("name"), std::nullopt}));
  return no_content();
}

Result<http::Response> list_secrets(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto sealed, call.backend.store.blobs("secret"));
  Value names{Value::Array{}};
  for (const auto& [name, bytes] : sealed) names.as_array().emplace_back(name);
  Value body;
  body["secrets"] = std::move(names);
  return reply(body);
}

Result<http::Response> set_secret(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto name, checked_name(call));
  const Value& value = *call.body.find("value");
  if (!value.is_string()) return Error{ErrorCode::InvalidArgument, "`value` is no text", {}};
  if (value.as_string().size() > vault::kSecretBytesMax)
    return Error{ErrorCode::TooLarge, "the value is longer than 64 KiB", {}};
  auto sealed = call.backend.vault.seal(name, Secret(value.as_string()));
  SLIPWAY_TRY(call.command(engine::SetSecret{name, std::move(sealed)}));
  return no_content();
}

Result<http::Response> delete_secret(const Call& call) {
  const std::string& name = call.at("name");
  SLIPWAY_TRY_ASSIGN(const auto sealed, call.backend.store.blobs("secret"));
  if (sealed.count(name) == 0)
    return Error{ErrorCode::NotFound, "there is no secret `" + name + "`", "slipway secret list"};
  SLIPWAY_TRY(call.command(engine::SetSecret{name, std::nullopt}));
  return no_content();
}

}  // namespace slipway::api
