#include <filesystem>

#include "api/bodies.h"
#include "api/handlers.h"
#include "slipway/exec/services.h"

namespace slipway::api {
namespace {

constexpr std::size_t kLogBytesMax = 256U << 10U;

Result<store::Service> find_service(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
  SLIPWAY_TRY_ASSIGN(auto services, reader->services());
  for (auto& service : services)
    if (service.name.str() == call.at("name")) return std::move(service);
  return Error{ErrorCode::NotFound, "there is no service `" + call.at("name") + "`", "slipway service list"};
}

// What this machine shows of it; nothing after a restart of the machine, until the next deploy.
exec::ServiceStatus status_of(const Call& call, const ServiceId& name) {
  for (auto& status : exec::list_services(call.backend.home))
    if (status.name == name) return std::move(status);
  return {};
}

// A log that was begun anew is shorter than what a reader of the one before has seen.
std::uint64_t within(const std::filesystem::path& log, std::int64_t offset) {
  std::error_code error;
  const auto size = std::filesystem::file_size(log, error);
  const auto wanted = static_cast<std::uint64_t>(offset);
  return error || wanted > size ? 0 : wanted;
}

}  // namespace

Result<http::Response> list_services(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
  SLIPWAY_TRY_ASSIGN(const auto rows, reader->services());
  Value services{Value::Array{}};
  for (const auto& row : rows) services.as_array().push_back(service_value(row));
  Value body;
  body["services"] = std::move(services);
  return reply(body);
}

Result<http::Response> get_service(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto service, find_service(call));
  const auto status = status_of(call, service.name);
  Value body = service_value(service);
  body["front_up"] = status.front_up;
  body["revision_up"] = status.revision_up;
  return reply(body);
}

Result<http::Response> get_service_logs(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto offset, call.query_integer("offset", 0, 0, INT64_MAX));
  SLIPWAY_TRY_ASSIGN(const auto service, find_service(call));
  const auto status = status_of(call, service.name);
  const auto chunk = exec::read_log(status.log, within(status.log, offset), kLogBytesMax);
  const bool over = !status.revision_up && exec::read_log(status.log, chunk.next, kLogBytesMax).lines.empty();
  return reply(log_body(chunk, service.revision, over));
}

Result<http::Response> stop_service(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto service, find_service(call));
  SLIPWAY_TRY(call.backend.stop_service(service.name));
  SLIPWAY_TRY(call.command(engine::StopService{service.name}));
  return no_content();
}

}  // namespace slipway::api
