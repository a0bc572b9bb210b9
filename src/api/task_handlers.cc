#include "api/bodies.h"
#include "api/handlers.h"

namespace slipway::api {
namespace {

constexpr std::size_t kLogBytesMax = 256U << 10U;

struct Named {
  run::Run run;
  TaskKey key;
};

Result<Named> named_task(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto index, call.query_integer("map_index", TaskKey::kUnmapped, -1, 1'000'000));
  SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
  SLIPWAY_TRY_ASSIGN(const auto id, named_run(call, *reader));
  SLIPWAY_TRY_ASSIGN(auto run, reader->get_run(id));
  const TaskKey key{TaskId(call.at("task")), static_cast<int>(index)};
  if (run.tasks.count(key) != 0) return Named{std::move(run), key};
  std::vector<std::string> known;
  for (const auto& [other, instance] : run.tasks) known.push_back(other.str());
  const auto near = nearest(key.str(), known);
  return Error{ErrorCode::NotFound, "run " + id.str() + " has no task `" + key.str() + "`",
               near ? "did you mean `" + *near + "`?" : "`slipway run get " + id.str() + "` lists them"};
}

Result<const run::Attempt*> named_attempt(const Call& call, const Named& named) {
  SLIPWAY_TRY_ASSIGN(const auto number, call.query_integer("attempt", 0, 1, 1'000'000));
  const run::Attempt* attempt = named.run.last_attempt(named.key);
  if (number > 0) {
    const auto found = named.run.attempts.find(AttemptId{named.run.header.id, named.key, static_cast<int>(number)});
    attempt = found == named.run.attempts.end() ? nullptr : &found->second;
  }
  if (attempt != nullptr) return attempt;
  const std::string which = number > 0 ? "no attempt " + std::to_string(number) : "no attempt yet";
  return Error{ErrorCode::NotFound, named.key.str() + " has " + which, {}};
}

constexpr Duration kLogLatest = std::chrono::minutes(5);

// The engine keeps no run that is over; what it says of a task is in the row.
std::string how_it_ended(const Named& named) {
  const run::TaskInstance& instance = named.run.tasks.at(named.key);
  const std::string ended = "the run is over; it ended " + std::string(run::kTaskStates.text(instance.state));
  return instance.reason.empty() ? ended : ended + ": " + instance.reason;
}

}  // namespace

Result<http::Response> get_logs(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto offset, call.query_integer("offset", 0, 0, INT64_MAX));
  SLIPWAY_TRY_ASSIGN(const auto named, named_task(call));
  SLIPWAY_TRY_ASSIGN(const auto* attempt, named_attempt(call, named));
  const auto file = exec::log_file(call.backend.home, attempt->id);
  const auto chunk = exec::read_log(file, static_cast<std::uint64_t>(offset), kLogBytesMax);
  // The state was read before the log: an attempt that was over then writes no more, so an empty rest is the end. What
  // a pod printed may still be on its way, for a while.
  const bool late = attempt->ended_at && call.backend.clock.now() - *attempt->ended_at < kLogLatest &&
                    exec::log_is_draining(call.backend.home, attempt->id);
  const bool over =
      run::is_terminal(attempt->state) && !late && exec::read_log(file, chunk.next, kLogBytesMax).lines.empty();
  return reply(log_body(chunk, attempt->id, over));
}

Result<http::Response> list_attempts(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto named, named_task(call));
  Value attempts{Value::Array{}};
  for (int number = 1; number <= named.run.tasks.at(named.key).attempts; ++number)
    attempts.as_array().push_back(
        attempt_value(named.run.attempts.at(AttemptId{named.run.header.id, named.key, number})));
  Value body;
  body["attempts"] = std::move(attempts);
  if (const auto& cached = named.run.tasks.at(named.key).cached) body["cached"] = cached->str();
  return reply(body);
}

Result<http::Response> get_why(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto named, named_task(call));
  Value body;
  if (run::is_terminal(named.run.state)) {
    body["why"] = how_it_ended(named);
  } else {
    SLIPWAY_TRY_ASSIGN(body["why"], call.backend.control.why(named.run.header.id, named.key));
  }
  return reply(body);
}

// Who answers is known by the token: its note, else its id; `approve.by` may name the note or the role.
Result<http::Response> answer_task(const Call& call) {
  const Value& approved = *call.body.find("approved");
  if (!approved.is_bool()) return Error{ErrorCode::InvalidArgument, "`approved` is neither true nor false", {}};
  const Value* fields = call.body.find("fields");
  if (fields != nullptr && !fields->is_object()) return Error{ErrorCode::InvalidArgument, "`fields` is no object", {}};
  SLIPWAY_TRY_ASSIGN(const auto named, named_task(call));
  const std::string& note = call.identity.note;
  engine::Approve command;
  command.run = named.run.header.id;
  command.key = named.key;
  command.approved = approved.as_bool();
  command.fields = fields == nullptr ? Value(Value::Object{}) : *fields;
  command.reason = call.body.get_string("reason");
  command.by = note.empty() ? call.identity.token_id : note;
  command.may_be = {command.by, std::string(vault::kRoles.text(call.identity.role))};
  SLIPWAY_TRY(call.command(std::move(command)));
  return no_content();
}

}  // namespace slipway::api
