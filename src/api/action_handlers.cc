// What people do to runs: each handler makes one command of a request and tells what became of it.
#include "api/bodies.h"
#include "api/handlers.h"

namespace slipway::api {
namespace {

// The reader is gone before the command is sent: a snapshot held meanwhile would keep the log from shrinking.
Result<RunId> find_run(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
  return named_run(call, *reader);
}

Result<std::vector<TaskKey>> task_keys(const Value& body, std::string_view name) {
  SLIPWAY_TRY_ASSIGN(const auto names, texts(body, name));
  std::vector<TaskKey> keys;
  for (const std::string& text : names) {
    SLIPWAY_TRY_ASSIGN(keys.emplace_back(), task_key(text));
  }
  return keys;
}

}  // namespace

Result<http::Response> cancel_run(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const bool now, flag(call.body, "now"));
  SLIPWAY_TRY_ASSIGN(const auto id, find_run(call));
  SLIPWAY_TRY_ASSIGN(const auto done, call.command(engine::CancelRun{id, now}));
  return reply_run(call, id, done);
}

Result<http::Response> retry_run(const Call& call) {
  SLIPWAY_TRY_ASSIGN(auto tasks, task_keys(call.body, "tasks"));
  SLIPWAY_TRY_ASSIGN(const auto id, find_run(call));
  SLIPWAY_TRY_ASSIGN(const auto done, call.command(engine::RetryRun{id, std::move(tasks)}));
  return reply_run(call, id, done);
}

// A preview has only the changes: nothing became of the run.
Result<http::Response> clear_run(const Call& call) {
  engine::ClearRun clear;
  SLIPWAY_TRY_ASSIGN(clear.tasks, task_keys(call.body, "tasks"));
  SLIPWAY_TRY_ASSIGN(clear.upstream, flag(call.body, "upstream"));
  SLIPWAY_TRY_ASSIGN(clear.downstream, flag(call.body, "downstream"));
  SLIPWAY_TRY_ASSIGN(clear.past, flag(call.body, "past"));
  SLIPWAY_TRY_ASSIGN(clear.future, flag(call.body, "future"));
  SLIPWAY_TRY_ASSIGN(clear.failed_only, flag(call.body, "failed"));
  SLIPWAY_TRY_ASSIGN(clear.preview, flag(call.body, "preview"));
  const auto version = call.body.get_string("version", "pinned");
  if (version != "pinned" && version != "current")
    return Error{ErrorCode::InvalidArgument, "`version` is neither pinned nor current", {}};
  clear.current_version = version == "current";
  SLIPWAY_TRY_ASSIGN(clear.run, find_run(call));
  const RunId id = clear.run;
  const bool preview = clear.preview;
  SLIPWAY_TRY_ASSIGN(const auto done, call.command(std::move(clear)));
  if (!preview) return reply_run(call, id, done);
  Value body;
  body["changes"] = changes_value(done.changes);
  return reply(body);
}

Result<http::Response> mark_run(const Call& call) {
  const auto word = call.body.get_string("state");
  const auto state = run::kTaskStates.parse(word);
  if (!state || !run::is_terminal(*state))
    return Error{ErrorCode::InvalidArgument, "`state` is none of success, failed and skipped", {}};
  engine::MarkRun mark{.run = {}, .task = {}, .to = *state, .reason = call.body.get_string("reason")};
  if (call.body.find("task") != nullptr) {
    SLIPWAY_TRY_ASSIGN(mark.task, task_key(call.body.get_string("task")));
  }
  SLIPWAY_TRY_ASSIGN(mark.run, find_run(call));
  const RunId id = mark.run;
  SLIPWAY_TRY_ASSIGN(const auto done, call.command(std::move(mark)));
  return reply_run(call, id, done);
}

Result<http::Response> resume_run(const Call& call) {
  engine::ResumeRun resume;
  SLIPWAY_TRY_ASSIGN(const auto from, texts(call.body, "from"));
  for (const auto& task : from) resume.from.emplace_back(task);
  SLIPWAY_TRY_ASSIGN(resume.params, params_of(call.body));
  SLIPWAY_TRY_ASSIGN(resume.idempotency_key, idempotency_key(call));
  SLIPWAY_TRY_ASSIGN(resume.kind, trigger_kind(call.body));
  SLIPWAY_TRY_ASSIGN(resume.run, find_run(call));
  SLIPWAY_TRY_ASSIGN(const auto done, call.command(std::move(resume)));
  SLIPWAY_TRY_ASSIGN(auto response, reply_run(call, done.run, done, done.existed ? 200 : 201));
  response.headers.emplace_back("Location", "/api/v1/runs/" + done.run.str());
  return response;
}

}  // namespace slipway::api
