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

std::optional<RemoteService> remote_of(const Call& call, const ServiceId& name) {
  return call.backend.remote_service ? call.backend.remote_service(name) : std::nullopt;
}

// A log that was begun anew is shorter than what a reader of the one before has seen.
std::uint64_t within(const std::filesystem::path& log, std::int64_t offset) {
  std::error_code error;
  const auto size = std::filesystem::file_size(log, error);
  const auto wanted = static_cast<std::uint64_t>(offset);
  return error || wanted > size ? 0 : wanted;
}

// When the run's last good deploy of the service ended; nullopt if it has none.
std::optional<Instant> deployed_at(const run::Run& run, const dag::Dag& dag, const ServiceId& name) {
  std::optional<Instant> latest;
  for (const dag::Task& task : dag.tasks) {
    if (!task.service || task.service->name != name) continue;
    const TaskKey key{task.id, TaskKey::kUnmapped};
    const run::Attempt* last = run.last_attempt(key);
    if (last != nullptr && run.tasks.at(key).state == run::TaskState::Success && last->ended_at)
      latest = last->ended_at;
  }
  return latest;
}

// Of the newest runs, the one whose deploy ended last before what is live was deployed.
Result<RunId> live_before(const Call& call, const store::Service& live) {
  constexpr int kRuns = 100;
  SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
  store::RunFilter filter;
  filter.dag = live.dag;
  filter.limit = kRuns;
  SLIPWAY_TRY_ASSIGN(const auto page, reader->list_runs(filter));
  std::optional<std::pair<Instant, RunId>> found;
  for (const store::RunSummary& summary : page) {
    const RunId& id = summary.header.id;
    const auto dag = call.dags.get(*reader, summary.header.version);
    if (id == live.revision.run || !dag) continue;
    SLIPWAY_TRY_ASSIGN(const auto run, reader->get_run(id));
    const auto at = deployed_at(run, *dag, live.name);
    if (at && *at <= live.deployed_at) found = std::max(found, std::optional(std::pair(*at, id)));
  }
  if (found) return found->second;
  return Error{ErrorCode::Conflict,
               "none of the newest " + std::to_string(kRuns) + " runs has deployed `" + live.name.str() + "` before",
               "name a run with --to"};
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
  Value body = service_value(service);
  if (const auto remote = remote_of(call, service.name)) {
    body["front_up"] = body["revision_up"] = remote->up;
    body["state"] = remote->words;
    return reply(body);
  }
  const auto status = status_of(call, service.name);
  body["front_up"] = status.front_up;
  body["revision_up"] = status.revision_up;
  return reply(body);
}

Result<http::Response> get_service_logs(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto offset, call.query_integer("offset", 0, 0, INT64_MAX));
  SLIPWAY_TRY_ASSIGN(const auto service, find_service(call));
  if (const auto remote = remote_of(call, service.name))
    return Error{ErrorCode::Unsupported, "service `" + service.name.str() + "` runs on a cluster, which keeps its logs",
                 remote->logs};
  const auto status = status_of(call, service.name);
  const auto chunk = exec::read_log(status.log, within(status.log, offset), kLogBytesMax);
  const bool over = !status.revision_up && exec::read_log(status.log, chunk.next, kLogBytesMax).lines.empty();
  return reply(log_body(chunk, service.revision, over));
}

Result<http::Response> rollback_service(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto service, find_service(call));
  RunId to;
  if (const std::string run = call.body.get_string("run"); !run.empty()) {
    SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
    SLIPWAY_TRY_ASSIGN(to, named_run(call, *reader, run));
  } else {
    SLIPWAY_TRY_ASSIGN(to, live_before(call, service));
  }
  SLIPWAY_TRY_ASSIGN(const auto done, call.command(engine::RollbackService{service.name, to}));
  return reply_run(call, to, done);
}

Result<http::Response> stop_service(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto service, find_service(call));
  SLIPWAY_TRY(call.backend.stop_service(service.name));
  SLIPWAY_TRY(call.command(engine::StopService{service.name}));
  return no_content();
}

}  // namespace slipway::api
