#include "api/bodies.h"
#include "api/handlers.h"

namespace slipway::api {
namespace {

Value pool_value(const engine::PoolUse& pool) {
  Value value;
  value["name"] = pool.name.str();
  value["slots"] = pool.slots ? Value(*pool.slots) : Value();
  value["used"] = pool.used;
  value["queued"] = pool.queued;
  value["description"] = pool.description;
  return value;
}

Result<engine::PoolUse> find_pool(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto pools, call.backend.control.pools());
  for (const auto& pool : pools)
    if (pool.name.str() == call.at("name")) return pool;
  return Error{ErrorCode::NotFound, "there is no pool `" + call.at("name") + "`", "slipway pool list"};
}

}  // namespace

Result<http::Response> list_pools(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto pools, call.backend.control.pools());
  Value list{Value::Array{}};
  for (const auto& pool : pools) list.as_array().push_back(pool_value(pool));
  Value body;
  body["pools"] = std::move(list);
  return reply(body);
}

Result<http::Response> get_pool(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto pool, find_pool(call));
  return reply(pool_value(pool));
}

Result<http::Response> set_pool(const Call& call) {
  const Value& slots = *call.body.find("slots");
  if (!slots.is_int() || slots.as_int() < 0 || slots.as_int() > engine::kPoolSlotsMax)
    return Error{
        ErrorCode::InvalidArgument, "`slots` is no number from 0 to " + std::to_string(engine::kPoolSlotsMax), {}};
  run::Pool pool{static_cast<int>(slots.as_int()), {}};
  if (const Value* text = call.body.find("description")) {
    if (!text->is_string()) return Error{ErrorCode::InvalidArgument, "`description` is no text", {}};
    pool.description = text->as_string();
  } else if (const auto known = find_pool(call)) {
    pool.description = known->description;
  }
  SLIPWAY_TRY(call.command(engine::SetPool{PoolId(call.at("name")), std::move(pool)}));
  return get_pool(call);
}

Result<http::Response> delete_pool(const Call& call) {
  SLIPWAY_TRY(call.command(engine::SetPool{PoolId(call.at("name")), std::nullopt}));
  return no_content();
}

}  // namespace slipway::api
