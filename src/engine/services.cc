// What is live of the services, and what may take its place.
#include <algorithm>

#include "engine/core.h"

namespace slipway::engine {
namespace {

Error no_service(const ServiceId& name) {
  return {ErrorCode::NotFound, "there is no service `" + name.str() + "`", "slipway service list"};
}

}  // namespace

// The live revision, if it is of a later logical date (or a later run of the same) than this run.
std::string Core::superseded_by(const run::ActiveRun& run, const dag::Task& task) const {
  if (!task.service) return {};
  const auto live = services_.find(task.service->name);
  if (live == services_.end()) return {};
  const run::RunHeader& header = run.state.header;
  if (live->second.rollback_to == header.id) return {};
  const bool newer =
      std::pair(live->second.logical_date, live->second.revision.run) > std::pair(header.logical_date, header.id);
  return newer ? live->second.revision.str() : std::string();
}

// Forgets the revision; whoever asks has ended its processes.
Result<Reply> Core::run_command(const StopService& command) {
  if (services_.erase(command.name) == 0) return no_service(command.name);
  batch_.services_gone.push_back(command.name);
  return Reply{};
}

// Its last good deploy is done again, as a new attempt of the run that did it.
Result<Reply> Core::run_command(const RollbackService& command) {
  const auto live = services_.find(command.name);
  if (live == services_.end()) return no_service(command.name);
  if (live->second.revision.run == command.run)
    return Error{ErrorCode::Conflict, "the revision of run " + command.run.str() + " is live already", {}};
  SLIPWAY_TRY_ASSIGN(const run::ActiveRun* run, run_to_change(command.run));
  const auto deployed = std::find_if(run->state.tasks.begin(), run->state.tasks.end(), [&](const auto& entry) {
    const dag::Task* task = run->task(entry.first.task);
    return task != nullptr && task->service && task->service->name == command.name &&
           entry.second.state == run::TaskState::Success && entry.second.attempts > 0;
  });
  if (deployed == run->state.tasks.end())
    return Error{ErrorCode::Conflict,
                 "run " + command.run.str() + " has no successful deploy of service `" + command.name.str() + "`",
                 "name another run with --to"};
  live->second.rollback_to = command.run;
  batch_.services.push_back(live->second);
  std::vector<Change> changes{{command.run, deployed->first, deployed->second.state, Action::Reset}};
  if (run::is_terminal(run->state.state)) reopen(command.run);
  reset(command.run, changes);
  return Reply{command.run, false, std::move(changes)};
}

}  // namespace slipway::engine
