// run retry, clear, mark, resume.
#include <CLI/CLI.hpp>
#include <ostream>

#include "cli/exit_code.h"
#include "cli/params.h"
#include "cli/print.h"
#include "cli/run_view.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "cli/watch.h"

namespace slipway::cli {
namespace {

std::string path_of(const std::string& run, const std::string& action) {
  return "/runs/" + http::percent_encode(run) + "/" + action;
}

Value array_of(const std::vector<std::string>& texts) {
  Value::Array array(texts.begin(), texts.end());
  return Value(std::move(array));
}

Table changes_table(const Value& body, bool) {
  Table table({"TASK", "STATE", "ACTION", "RUN"});
  for (const Value& change : list_of(body, "changes"))
    table.add({task_name(change), change.get_string("state"), change.get_string("action"), change.get_string("run")});
  return table;
}

int print_changes(Session& session, const Value& body) {
  print_body(session, body, {"changes", "task", changes_table});
  return kOk;
}

// Sends the command; then shows the run it is about, or follows it.
int act(Session& session, const std::string& path, const Value& body, bool watch, const http::Headers& headers = {}) {
  const auto done = session.call("POST", path, body, headers);
  if (!done) return session.fail(done.error());
  const Value* run = done->find("run");
  return watch && run != nullptr ? watch_run(session, run->get_string("id")) : print_run(session, *done);
}

void add_run(CLI::App& app, std::string& run) {
  app.add_option("run", run, "id, unique prefix of one, @latest or @failed")->required();
}
void add_watch(CLI::App& app, bool& watch) {
  app.add_flag("-w,--watch", watch, "show the run until it is over; the exit code is the run's");
}

}  // namespace

Handler setup_run_retry(CLI::App& app) {
  struct Options {
    std::string run;
    std::vector<std::string> tasks;
    bool watch = false;
  };
  auto options = std::make_shared<Options>();
  add_run(app, options->run);
  app.add_option("-t,--task", options->tasks, "only this task, if it failed; repeat for more")->allow_extra_args(false);
  add_watch(app, options->watch);
  return [options](Session& session) {
    Value body = Value::Object{};
    if (!options->tasks.empty()) body["tasks"] = array_of(options->tasks);
    return act(session, path_of(options->run, "retry"), body, options->watch);
  };
}

Handler setup_run_clear(CLI::App& app) {
  struct Options {
    std::string run, version = "pinned";
    std::vector<std::string> tasks;
    bool upstream = false, downstream = false, past = false, future = false, failed = false;
    bool preview = false, watch = false;
  };
  auto options = std::make_shared<Options>();
  add_run(app, options->run);
  app.add_option("-t,--task", options->tasks, "this task, name[3] for an element of a mapped one; default all")
      ->allow_extra_args(false);
  app.add_flag("--upstream", options->upstream, "with everything that these tasks depend on");
  app.add_flag("--downstream", options->downstream, "with everything that depends on these tasks");
  app.add_flag("--past", options->past, "also in runs of the DAG with an earlier logical date");
  app.add_flag("--future", options->future, "also in runs of the DAG with a later logical date");
  app.add_flag("--failed", options->failed, "of all that, only what failed, was cancelled or could not run");
  app.add_option("--version", options->version, "pinned: the version the run has; current: the DAG's newest")
      ->check(CLI::IsMember({"pinned", "current"}));
  app.add_flag("--preview,--dry-run", options->preview, "change nothing, list what would be changed");
  add_watch(app, options->watch);
  return [options](Session& session) {
    Value body = Value::Object{};
    if (!options->tasks.empty()) body["tasks"] = array_of(options->tasks);
    const std::pair<const char*, bool> flags[] = {{"upstream", options->upstream}, {"downstream", options->downstream},
                                                  {"past", options->past},         {"future", options->future},
                                                  {"failed", options->failed},     {"preview", options->preview}};
    for (const auto& [name, set] : flags)
      if (set) body[name] = true;
    body["version"] = options->version;
    if (!options->preview) return act(session, path_of(options->run, "clear"), body, options->watch);
    const auto done = session.call("POST", path_of(options->run, "clear"), body);
    return done ? print_changes(session, *done) : session.fail(done.error());
  };
}

Handler setup_run_mark(CLI::App& app) {
  struct Options {
    std::string run, reason;
    std::vector<std::string> words;
  };
  auto options = std::make_shared<Options>();
  add_run(app, options->run);
  app.add_option("task-and-state", options->words, "[TASK] success, failed or skipped; without a task: the run")
      ->required()
      ->expected(1, 2);
  app.add_option("--reason", options->reason, "why, for whoever looks at the run");
  return [options](Session& session) {
    Value body = Value::Object{{"state", options->words.back()}};
    if (options->words.size() == 2) body["task"] = options->words.front();
    if (!options->reason.empty()) body["reason"] = options->reason;
    return act(session, path_of(options->run, "mark"), body, false);
  };
}

Handler setup_run_resume(CLI::App& app) {
  struct Options {
    std::string run, key;
    std::vector<std::string> from;
    ParamOptions params;
    bool watch = false;
  };
  auto options = std::make_shared<Options>();
  add_run(app, options->run);
  app.add_option("--from", options->from, "do this task and what depends on it again; repeat for more")
      ->allow_extra_args(false);
  add_param_options(app, options->params);
  app.add_option("--idempotency-key", options->key, "a second resume with the same key gives the first run");
  add_watch(app, options->watch);
  return [options](Session& session) {
    const auto old = session.call("GET", "/runs/" + http::percent_encode(options->run));
    if (!old) return session.fail(old.error());
    const Value* run = old->find("run");
    const auto params = collect_params(session, run == nullptr ? "" : run->get_string("dag"), options->params);
    if (!params) return session.fail(params.error());
    Value body = Value::Object{{"params", *params}, {"trigger", "manual"}};
    if (!options->from.empty()) body["from"] = array_of(options->from);
    http::Headers headers;
    if (!options->key.empty()) headers.emplace("Idempotency-Key", options->key);
    return act(session, path_of(options->run, "resume"), body, options->watch, headers);
  };
}

}  // namespace slipway::cli
