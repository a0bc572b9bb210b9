// dag test: a DAG file run to its end here and now, in a home of its own, without a daemon.
#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <ostream>
#include <thread>

#include "cli/daemon.h"
#include "cli/dag_files.h"
#include "cli/exit_code.h"
#include "cli/process.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "cli/watch.h"
#include "slipway/dag/parse.h"
#include "slipway/dagdir/watcher.h"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;

struct TestOptions {
  std::string file;
  std::vector<std::string> params;
  bool keep = false;
};

// Removed at the end unless kept.
class TemporaryHome {
 public:
  explicit TemporaryHome(bool keep) : keep_(keep) {
    std::string pattern = (fs::temp_directory_path() / "slipway-test-XXXXXX").string();
    if (mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~TemporaryHome() {
    std::error_code ignored;
    if (!keep_ && !path_.empty()) fs::remove_all(path_, ignored);
  }
  TemporaryHome(const TemporaryHome&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  bool keep_;
};

Result<Value> read_params(const dag::Dag& dag, const std::vector<std::string>& pairs) {
  Value params = Value::Object{};
  for (const auto& pair : pairs) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos)
      return Error{ErrorCode::InvalidArgument, "`-p " + pair + "` is no parameter", "write -p name=value"};
    SLIPWAY_TRY_ASSIGN(params[pair.substr(0, equals)],
                       dag::parse_param(dag, pair.substr(0, equals), pair.substr(equals + 1)));
  }
  return params;
}

// One per core, or as many as its largest task needs.
int local_slots(const dag::Dag& dag) {
  int slots = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  for (const dag::Task& task : dag.tasks) slots = std::max(slots, run::local_slots_of(task));
  return slots;
}

// Pools are the daemon's; here each that the DAG names has room for everything.
Result<void> make_pools(engine::Engine& engine, const dag::Dag& dag) {
  for (const dag::Task& task : dag.tasks)
    if (task.pool.str() != dag::kDefaultPool)
      SLIPWAY_TRY(
          engine.call(engine::SetPool{task.pool, run::Pool{engine::kPoolSlotsMax, {}}}, std::chrono::seconds(30)));
  return {};
}

std::string names_of(const std::vector<const dag::Task*>& tasks) {
  std::string names;
  for (const dag::Task* task : tasks) names += (names.empty() ? "`" : ", `") + task->id.str() + "`";
  return names;
}

// Tasks of a cluster that have a command are processes here; the others cannot be.
Result<void> check_places(const dag::Dag& dag, Session& session) {
  std::vector<const dag::Task*> moved, stuck;
  for (const dag::Task& task : dag.tasks) {
    const bool placed = task.place == dag::Place::Kubernetes || task.kind == dag::TaskKind::Image;
    if (placed) (dag::has_command(task) ? moved : stuck).push_back(&task);
  }
  if (!stuck.empty())
    return Error{
        ErrorCode::InvalidArgument,
        names_of(stuck) + (stuck.size() == 1 ? " needs" : " need") + " a cluster: there is no command to run here",
        "give it a `run`, or try the DAG where a cluster is: `slipway dag plan --cluster` and `slipway run start`"};
  if (!moved.empty())
    session.err << "note: run as processes of this machine instead of pods, without their images: " << names_of(moved)
                << "\n";
  return {};
}

int test(const TestOptions& options, Session& session) {
  const auto file = check_file(options.file);
  if (!file) return session.fail(file.error());
  for (const Diagnostic& diagnostic : file->diagnostics.items())
    session.err << render(diagnostic, file->source) << "\n";
  if (!file->dag) return kInvalid;
  if (const auto placed = check_places(*file->dag, session); !placed) return session.fail(placed.error());
  const auto params = read_params(*file->dag, options.params);
  if (!params) return session.fail(params.error());
  const TemporaryHome home(options.keep);
  if (home.path().empty()) return session.fail({ErrorCode::Io, "no temporary folder could be made", "set TMPDIR"});
  session.globals.home = home.path();
  DaemonOptions daemon_options;
  daemon_options.home = home.path();
  daemon_options.tool = own_path();
  daemon_options.env = session.env;
  daemon_options.slots = local_slots(*file->dag);
  daemon_options.processes_only = true;
  const auto daemon =
      Daemon::start(daemon_options,
                    Logger::to_stderr(session.globals.verbose > 0 ? LogLevel::Info : LogLevel::Error, LogFormat::Text));
  if (!daemon) return session.fail(daemon.error());
  const fs::path path = absolute_path(options.file);
  if (const auto made = make_pools((*daemon)->engine(), *file->dag); !made) return session.fail(made.error());
  const std::string beside = path.parent_path().string();
  const engine::DagFolder folder{
      {{path.string(), file->source.text, true, dagdir::read_beside(beside, beside, file->source)}}, true};
  const auto loaded = (*daemon)->engine().call(folder, std::chrono::seconds(30));
  if (!loaded) return session.fail(loaded.error());
  const auto made =
      (*daemon)->engine().call(engine::TriggerRun{.dag = file->dag->id, .params = *params}, std::chrono::seconds(30));
  if (!made) return session.fail(made.error());
  const int code = watch_run(session, made->run.str());
  if (code == kInterrupted) {
    const auto cancelled = (*daemon)->engine().call(engine::CancelRun{made->run, true}, std::chrono::seconds(30));
    if (!cancelled) return session.fail(cancelled.error());
  }
  if (code != kOk && options.keep) session.err << "kept in " << home.path() << "\n";
  return code;
}

}  // namespace

Handler setup_dag_test(CLI::App& app) {
  auto options = std::make_shared<TestOptions>();
  app.add_option("file", options->file, "a DAG file")->required();
  app.add_option("-p,--param", options->params, "parameter as name=value; repeat for more")->allow_extra_args(false);
  app.add_flag("--keep", options->keep, "keep logs and files of the run");
  return [options](Session& session) { return test(*options, session); };
}

}  // namespace slipway::cli
