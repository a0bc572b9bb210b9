// Notices: made in the step that causes them, committed with it, handed to the carrier behind the commit.
#include <algorithm>
#include <set>

#include "engine/core.h"

namespace slipway::engine {
namespace {

using dag::NoticeKind;

Value about(const run::ActiveRun& run, const std::string& server_url) {
  const run::Run& state = run.state;
  Value::Array failures(state.failures.begin(), state.failures.end());
  return Value::Object{{"dag", state.header.dag.str()},
                       {"run", state.header.id.str()},
                       {"state", run::kRunStates.text(state.state)},
                       {"trigger", run::kTriggerKinds.text(state.header.trigger)},
                       {"logical_date", to_rfc3339(state.header.logical_date)},
                       {"failures", std::move(failures)},
                       {"url", server_url.empty() ? "" : server_url + "/api/v1/runs/" + state.header.id.str()}};
}

}  // namespace

// One notice for each target that wants to hear of it; `happening` is unique within the run.
void Core::tell(NoticeKind kind, const run::ActiveRun& run, const std::string& happening, const Value& data,
                const std::string& besides) {
  std::set<std::string> targets;
  for (const dag::NotifyRule& rule : run.dag->notify)
    if (std::find(rule.on.begin(), rule.on.end(), kind) != rule.on.end()) targets.insert(rule.to);
  if (!besides.empty()) targets.insert(besides);
  for (const std::string& target : targets)
    batch_.notices.push_back({run.state.header.id.str() + "/" + happening + "@" + target, target, kind, now_, data});
}

// A run that was reopened may end again: the number of its last event tells the ends apart.
void Core::tell_of_end(const run::ActiveRun& run) {
  if (run.dag->notify.empty()) return;
  const bool failed = run.state.state == run::RunState::Failed;
  if (!failed && run.state.state != run::RunState::Success) return;
  const NoticeKind kind = failed ? NoticeKind::Failure : NoticeKind::Success;
  tell(kind, run, std::string(dag::kNoticeKinds.text(kind)) + "." + std::to_string(run.state.last_seq),
       about(run, options_.server_url));
}

void Core::tell_of_retry(const run::ActiveRun& run, const run::AttemptEnded& ended) {
  if (run.dag->notify.empty()) return;
  Value data = about(run, options_.server_url);
  data["task"] = ended.id.key.str();
  data["attempt"] = ended.id.number;
  data["reason"] = ended.reason;
  data["retry_at"] = ended.retry_at ? to_rfc3339(*ended.retry_at) : "";
  tell(NoticeKind::Retry, run, "retry." + ended.id.key.str() + "." + std::to_string(ended.id.number), data);
}

void Core::tell_of_deadline(const run::ActiveRun& run) {
  Value data = about(run, options_.server_url);
  data["deadline"] = to_rfc3339(run.state.header.logical_date + run.dag->deadline->after);
  tell(NoticeKind::Deadline, run, "deadline", data, run.dag->deadline->notify);
}

Result<Reply> Core::run_command(const NoticeDone& command) {
  batch_.notices_gone.push_back(command.id);
  return Reply{};
}

}  // namespace slipway::engine
