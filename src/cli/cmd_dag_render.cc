// dag render: what the tasks of a DAG would be given, as far as that is known before a run.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <ostream>

#include "cli/dag_files.h"
#include "cli/exit_code.h"
#include "cli/pod_preview.h"
#include "cli/print.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "slipway/dag/parse.h"
#include "slipway/engine/preview.h"

namespace slipway::cli {
namespace {

struct RenderOptions {
  std::string name, task, logical_date;
  std::vector<std::string> params;
  bool manifest = false;
};

// What the daemon knows of a DAG that is named by its id.
struct Known {
  Value params = Value::Object{};  // values that stand in a file beside the DAG's
  Value vars = Value::Object{};
};

Result<Known> ask_daemon(Session& session, const std::string& dag) {
  Known known;
  SLIPWAY_TRY_ASSIGN(const Value vars, session.call("GET", "/vars"));
  if (const Value* all = vars.find("vars"); all != nullptr && all->is_object()) known.vars = *all;
  SLIPWAY_TRY_ASSIGN(const Value body, session.call("GET", "/dags/" + http::percent_encode(dag)));
  for (const Value& param : list_of(body, "params")) {
    const Value* schema = param.find("schema");
    const Value* value = schema == nullptr ? nullptr : schema->find("default");
    if (value != nullptr) known.params[param.get_string("name")] = *value;
  }
  return known;
}

Result<Value> all_params(const dag::Dag& dag, Value given, const std::vector<std::string>& pairs) {
  for (const std::string& pair : pairs) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos)
      return Error{ErrorCode::InvalidArgument, "`-p " + pair + "` is no parameter", "write -p name=value"};
    SLIPWAY_TRY_ASSIGN(given[pair.substr(0, equals)],
                       dag::parse_param(dag, pair.substr(0, equals), pair.substr(equals + 1)));
  }
  auto params = dag::resolve_params(dag, given);
  if (params.value) return *std::move(params.value);
  const Diagnostic& first = params.diagnostics.items().front();
  return Error{ErrorCode::InvalidArgument, first.message, first.help.empty() ? "give it by -p name=value" : first.help};
}

Value task_value(const engine::PreviewTask& task) {
  Value::Array fields;
  for (const engine::PreviewField& field : task.fields) {
    Value::Array unknown(field.unknown.begin(), field.unknown.end());
    fields.push_back(Value::Object{{"field", field.path},
                                   {"text", field.text},
                                   {"unknown", std::move(unknown)},
                                   {"error", field.error.empty() ? Value() : Value(field.error)}});
  }
  return Value::Object{{"task", task.id.str()}, {"fields", std::move(fields)}};
}

void print_task(Session& session, const engine::PreviewTask& task) {
  session.out << task.id << "\n";
  std::size_t width = 0;
  for (const engine::PreviewField& field : task.fields) width = std::max(width, field.path.size());
  for (const engine::PreviewField& field : task.fields) {
    std::string text = field.text;
    const std::string margin = "\n" + std::string(width + 4, ' ');
    while (!text.empty() && text.back() == '\n') text.pop_back();
    for (auto at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + margin.size()))
      text.replace(at, 1, margin);
    session.out << "  " << field.path << std::string(width - field.path.size() + 2, ' ') << text;
    std::string unknown;
    for (const std::string& name : field.unknown) unknown += (unknown.empty() ? "" : ", ") + name;
    if (!unknown.empty()) session.out << margin << "known in a run: " << unknown;
    if (!field.error.empty()) session.out << margin << "error: " << field.error;
    session.out << "\n";
  }
}

int print_tasks(Session& session, const dag::Dag& dag, const Value& params,
                const std::vector<engine::PreviewTask>& tasks) {
  bool wrong = false;
  Value::Array list;
  for (const engine::PreviewTask& task : tasks) {
    list.push_back(task_value(task));
    wrong = wrong || std::any_of(task.fields.begin(), task.fields.end(),
                                 [](const engine::PreviewField& field) { return !field.error.empty(); });
  }
  if (session.format() == Format::Table || session.format() == Format::Wide)
    for (const engine::PreviewTask& task : tasks) print_task(session, task);
  else
    print_body(session, Value::Object{{"dag", dag.id.str()}, {"params", params}, {"tasks", std::move(list)}},
               {"tasks", "task", {}});
  return wrong ? kInvalid : kOk;
}

// As the cluster would be sent it; `kubectl apply -f -` takes it.
int print_manifest(Session& session, const engine::PreviewInput& input, const std::string& name) {
  if (name.empty()) return session.usage("--manifest shows one task's pod", "add --task NAME");
  const dag::Task* const task = input.dag.find(TaskId(name));
  if (task == nullptr)
    return session.fail({ErrorCode::NotFound, input.dag.id.str() + " has no task `" + name + "`", {}});
  const auto manifest = preview_manifest(session, input, *task);
  if (!manifest) return session.fail(manifest.error());
  session.out << (session.format() == Format::Jsonl ? manifest->dump() : manifest->dump_pretty()) << "\n";
  return kOk;
}

int render_dag(const RenderOptions& options, Session& session) {
  const auto file = find_dag(session, options.name);
  if (!file) return session.fail(file.error());
  if (!file->dag) return print_problems(session, *file);
  std::error_code ignored;
  const bool is_file = std::filesystem::exists(options.name, ignored);
  const auto known = is_file ? Result<Known>(Known{}) : ask_daemon(session, options.name);
  if (!known) return session.fail(known.error());
  const auto params = all_params(*file->dag, known->params, options.params);
  if (!params) return session.fail(params.error());
  const auto date =
      options.logical_date.empty() ? Result<Instant>(SystemClock().now()) : parse_rfc3339(options.logical_date);
  if (!date) return session.usage(date.error().message, date.error().help);
  const std::string folder = is_file ? std::filesystem::path(absolute_path(options.name)).parent_path().string() : "";
  const engine::PreviewInput input{*file->dag, *params, known->vars, folder, *date};
  if (options.manifest) return print_manifest(session, input, options.task);
  auto tasks = engine::preview(input);
  if (!options.task.empty()) {
    std::erase_if(tasks, [&](const engine::PreviewTask& task) { return task.id.str() != options.task; });
    if (tasks.empty())
      return session.fail({ErrorCode::NotFound, file->dag->id.str() + " has no task `" + options.task + "`",
                           "`slipway dag show` draws them"});
  }
  return print_tasks(session, *file->dag, *params, tasks);
}

}  // namespace

Handler setup_dag_render(CLI::App& app) {
  auto options = std::make_shared<RenderOptions>();
  app.add_option("dag", options->name, "a DAG file, or the id of a DAG that the daemon knows")->required();
  app.add_option("--task", options->task, "only this task");
  app.add_flag("--manifest", options->manifest, "print the pod that the task would be, as JSON");
  app.add_option("-p,--param", options->params, "parameter as name=value; repeat for more")->allow_extra_args(false);
  app.add_option("--logical-date", options->logical_date, "the instant the run would stand for, RFC 3339; default now");
  return [options](Session& session) { return render_dag(*options, session); };
}

}  // namespace slipway::cli
