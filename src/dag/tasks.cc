#include <algorithm>

#include "dag/draft.h"
#include "dag/field_table.h"
#include "dag/kinds.h"
#include "dag/manifests.h"
#include "dag/merge.h"
#include "dag/place.h"
#include "dag/reader.h"
#include "dag/scalar_rules.h"

namespace slipway::dag {
namespace {

using text::Entry;
using text::Node;
using text::NodeKind;

constexpr std::size_t kTasksMax = 20'000;
constexpr Duration kIdempotentLostAfter = std::chrono::minutes(5);

class TaskReader {
 public:
  TaskReader(Draft& draft, const Node* defaults) : draft_(draft), out_(draft.out), defaults_(defaults) {
    const Node* env = draft.root.find("env");
    if (is_written(env) && env->kind == NodeKind::Map) shared_env_ = env;
    for (const Node* name : read_many(draft.root.find("secrets")))
      if (name->kind == NodeKind::Text) shared_secrets_.push_back(name->scalar);
  }

  TaskDraft read(const Entry& entry) {
    TaskDraft draft;
    draft.entry = &entry;
    draft.task.id = TaskId(entry.key);
    draft.task.span = entry.key_span;
    draft.merged.kind = NodeKind::Map;
    if (entry.value.kind != NodeKind::Map && entry.value.kind != NodeKind::Null) return draft;
    Node own = entry.value;
    own.kind = NodeKind::Map;
    draft.task.kind = find_kind(entry, own);
    check_kind_fields(own, draft.task);
    draft.merged = merge_defaults(defaults_, own, draft.task.kind);
    share(draft);
    fill(draft.merged, draft.task);
    take_manifests(draft_, draft);
    if (!draft.task.for_each) check_limits_alone(own, draft.task);
    return draft;
  }

  // `on_failure`, `on_success`: decided on when all others are over, so there is nothing to wait for by name.
  TaskDraft read_last(const Entry& entry, TaskRole role) {
    TaskDraft draft = read(entry);
    for (const std::string_view field : {"needs", "trigger_rule", "teardown_for", "depends_on_past"})
      if (const Entry* own = entry.value.find_entry(field); own != nullptr && is_written(&own->value))
        out_.error("bad-hook", own->key_span, "`" + own->key + "` has no meaning in `" + entry.key + "`",
                   "remove it: `" + entry.key + "` runs when every other task is over");
    if (const auto task = draft_.index.find(entry.key); task != draft_.index.end())
      out_.error("duplicate-id", entry.key_span,
                 "a task of this DAG is called `" + entry.key + "`, too (line " +
                     std::to_string(draft_.tasks[static_cast<std::size_t>(task->second)].task.span.line) + ")",
                 "give the task another name; runs show this one as `" + entry.key + "`");
    draft.task.role = role;
    draft.task.trigger_rule = TriggerRule::AllSuccess;
    draft.task.depends_on_past = false;
    return draft;
  }

 private:
  static bool has_process(TaskKind kind) {
    return kind == TaskKind::Run || kind == TaskKind::Image || kind == TaskKind::Service;
  }

  // Lets the DAG's env and secrets in; they count as written before the task's.
  void share(TaskDraft& draft) {
    if (!has_process(draft.task.kind)) return;
    if (shared_env_ != nullptr) {
      Node around;
      around.kind = NodeKind::Map;
      around.entries.push_back({"env", shared_env_->span, *shared_env_});
      draft.merged = merge_maps(around, draft.merged);
    }
    draft.task.secrets = shared_secrets_;
  }

  TaskKind find_kind(const Entry& entry, const Node& own) {
    auto kinds = kinds_written(own);
    if (kinds.size() > 1) {
      const Entry& second = *own.find_entry(kTaskKinds.text(kinds[1]));
      out_.error("several-kinds", second.key_span,
                 "task `" + entry.key + "` has `" + std::string(kTaskKinds.text(kinds[0])) + "` (line " +
                     std::to_string(own.find_entry(kTaskKinds.text(kinds[0]))->key_span.line) + ") and `" + second.key +
                     "`",
                 "a task does one thing: keep one, and make the other a task of its own");
    }
    if (kinds.empty() && defaults_ != nullptr) {
      kinds = kinds_written(*defaults_);
      std::erase(kinds, TaskKind::Image);
    }
    if (kinds.empty() && !has_unknown_key(own))
      out_.error("no-kind", entry.key_span, "task `" + entry.key + "` does nothing",
                 "give it `run: command`, `service:`, or `noop: true` if it is there for order only");
    return kinds.empty() ? TaskKind::Noop : kinds.front();
  }

  // A key that nobody knows was reported; it may well be a misspelt kind.
  static bool has_unknown_key(const Node& own) {
    const Field& fields = *language().child("defaults");
    return std::any_of(own.entries.begin(), own.entries.end(),
                       [&](const Entry& entry) { return fields.child(entry.key) == nullptr; });
  }

  void check_kind_fields(const Node& own, const Task& task) {
    if (kinds_written(own).size() > 1 || has_unknown_key(own)) return;
    const Field& fields = *language().child("defaults");
    for (const Entry& entry : own.entries) {
      const Field* field = fields.child(entry.key);
      if (!is_written(&entry.value) || (field->kinds & kind_bit(task.kind)) != 0 || entry.key == "noop") continue;
      if (task.kind == TaskKind::Noop && kinds_written(own).empty()) continue;
      out_.error(
          "wrong-kind", entry.key_span,
          "`" + entry.key + "` has no meaning in a task of kind `" + std::string(kTaskKinds.text(task.kind)) + "`",
          "it applies to: " + applies_to(*field));
    }
  }

  void fill(const Node& node, Task& task) {
    assign(task.description, read_text(node.find("description")));
    assign(task.trigger_rule, read_word(node.find("trigger_rule"), kTriggerRules));
    task.when = read_template(node.find("when"));
    assign(task.continue_on_error, read_bool(node.find("continue_on_error")));
    assign(task.timeout, read_duration(node.find("timeout")));
    assign(task.grace, read_duration(node.find("grace")));
    assign(task.priority, read_int(node.find("priority")));
    task.pool = pool_of(node);
    assign(task.slots, read_int(node.find("slots")));
    task.workdir = read_template(node.find("workdir"));
    if (task.kind == TaskKind::Run) task.run = read_command(node.find("run"));
    if (task.kind == TaskKind::Service) read_service(node.find("service"), is_written(node.find("image")), task);
    if (task.kind == TaskKind::Wait) read_wait(node.find("wait"), task, out_);
    if (task.kind == TaskKind::Approve) read_approve(node.find("approve"), task, out_);
    if (task.kind == TaskKind::Dag) read_sub_dag(node.find("dag"), task, out_);
    read_retry(node.find("retry"), task.retry);
    assign(task.idempotent, read_bool(node.find("idempotent")));
    if (task.idempotent && !task.retry.lost_after) task.retry.lost_after = kIdempotentLostAfter;
    assign(task.depends_on_past, read_bool(node.find("depends_on_past")));
    read_fan_out(node, task);
    read_role(node, task);
    read_exit_codes(node.find("exit_codes"), task.exit_codes);
    if (!task.exit_codes.retry.empty() && task.retry.limit == 0)
      out_.warning("no-effect", node.find("exit_codes")->find("retry")->span,
                   "these exit codes are not retried: `retry.limit` of task `" + task.id.str() + "` is 0",
                   "write retry: {limit: 2}");
    read_environment(node, task);
    read_secrets(node, task, out_);
    if (const auto shared = read_text(draft_.root.find("namespace"))) task.pod.namespace_name = *shared;
    read_place(node, task, out_);
    read_outputs(node, task);
    check_image(node.find("image"));
    task.image = read_template(node.find("image"));
    read_data(node, task, out_);
  }

  [[nodiscard]] PoolId pool_of(const Node& node) const {
    const auto own = read_text(node.find("pool"));
    return PoolId(own ? *own : read_text(draft_.root.find("pool")).value_or(std::string(kDefaultPool)));
  }

  void read_fan_out(const Node& node, Task& task) {
    const Node* list = node.find("for_each");
    if (!is_written(list)) return;
    ForEach& fan_out = task.for_each.emplace();
    fan_out.list = read_template(list);
    if (list->kind == NodeKind::List) fan_out.items = text::to_value(*list);
    if (list->items.size() > kInstancesMax)
      out_.error("too-many-instances", list->span,
                 "the list has " + std::to_string(list->items.size()) + " elements, and a fan-out takes at most 10,000",
                 "give each instance several of them: for_each: [[a, b], [c, d]]");
    if (list->kind == NodeKind::List && list->items.empty())
      out_.warning("no-effect", list->span,
                   "the list is empty, so task `" + task.id.str() + "` is skipped in every run",
                   "write [a, b], or an expression: ${{ params.names }}");
    assign(fan_out.max_parallel, read_int(node.find("max_parallel")));
    assign(fan_out.on_failure, read_word(node.find("on_failure"), kInstanceFailures));
  }

  void check_limits_alone(const Node& own, const Task& task) {
    for (const std::string_view field : {"max_parallel", "on_failure"})
      if (const Entry* alone = own.find_entry(field); alone != nullptr && is_written(&alone->value))
        out_.warning("no-effect", alone->key_span,
                     "`" + alone->key + "` is about the instances of a fan-out, and task `" + task.id.str() +
                         "` has no `for_each`",
                     field == "max_parallel"
                         ? "write for_each, or limit several tasks: groups: {NAME: {tasks: […], max_parallel: 2}}"
                         : "write for_each; a task that runs after a failed run is a top-level `on_failure`");
  }

  void read_role(const Node& node, Task& task) {
    if (!is_written(node.find("teardown_for"))) return;
    task.role = TaskRole::Teardown;
    task.trigger_rule = TriggerRule::AllDoneSetupSuccess;
    if (const Entry* rule = node.find_entry("trigger_rule"); rule != nullptr && is_written(&rule->value))
      out_.error("bad-teardown", rule->key_span, "a teardown has a rule of its own, all_done_setup_success",
                 "remove `trigger_rule`: it runs when all is done, if one of its setups succeeded");
  }

  void check_image(const Node* node) {
    const auto image = read_template(node);
    if (!image || image->has_expression() || is_image(image->text)) return;
    std::string meant;
    for (const char c : image->text)
      if (c != ' ') meant += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    out_.error(
        "bad-image", node->span, "`" + image->text + "` is no image reference",
        is_image(meant) ? "did you mean `" + meant + "`?" : "write name:tag, host/path/name:tag or name@sha256:…");
  }

  Command read_command(const Node* node) {
    Command command;
    if (!is_written(node) || node->kind == NodeKind::Map) return command;
    command.shell = node->kind != NodeKind::List;
    for (const Node* word : read_many(node))
      if (auto text = read_template(word)) command.words.push_back(*std::move(text));
    const bool empty =
        command.words.empty() || command.words.front().text.find_first_not_of(" \t\n") == std::string::npos;
    if (empty) out_.error("empty-command", node->span, "the command is empty", "write what to run, or `noop: true`");
    return command;
  }

  void read_service(const Node* node, bool has_image, Task& task) {
    if (!is_written(node) || node->kind != NodeKind::Map) return;
    Service& service = task.service.emplace();
    if (const auto name = read_text(node->find("name"))) service.name = ServiceId(*name);
    service.run = read_command(node->find("run"));
    assign(service.port, read_int(node->find("port")));
    assign(service.health, read_text(node->find("health")));
    assign(service.rollout_timeout, read_duration(node->find("rollout_timeout")));
    assign(service.deploy_on_backfill, read_bool(node->find("deploy_on_backfill")));
    service.recreate = read_text(node->find("strategy")) == "recreate";
    for (const std::string_view field : {"name", "run", "port"}) {
      const bool other = is_written(node->find("manifest")) || has_image;
      const bool given = is_written(node->find(field)) || (field == "run" && other);
      if (!given)
        out_.error("missing-field", node->span,
                   "the service of task `" + task.id.str() + "` has no `" + std::string(field) + "`",
                   field == "port"   ? "write the port that its clients use: port: 8000"
                   : field == "name" ? "write the name that its address has: name: sentiment"
                                     : "write the server's command: run: [program, argument]; on a cluster an image "
                                       "or a manifest will do");
    }
    if (const Node* smoke = node->find("smoke"); is_written(smoke) && smoke->kind == NodeKind::Map)
      read_smoke(*smoke, service);
    check_path(node->find("health"));
    check_service_port(*node, service);
  }

  // The new revision starts beside the old one, so it cannot have the port that clients use.
  void check_service_port(const Node& node, const Service& service) {
    const auto words = read_many(node.find("run"));
    const auto fixed = std::find_if(words.begin(), words.end(),
                                    [&](const Node* word) { return word->scalar == std::to_string(service.port); });
    if (service.port != 0 && fixed != words.end())
      out_.warning(
          "fixed-port", (*fixed)->span,
          "the server must listen on $PORT; " + std::to_string(service.port) + " is the port of its clients",
          "leave it out if the server reads PORT, or write it for the shell: run: exec server --port \"$PORT\"");
  }

  void check_path(const Node* node) {
    const auto path = read_text(node);
    if (path && !path->starts_with('/'))
      out_.error("bad-path", node->span, "`" + *path + "` is no path of an address", "begin it with `/`");
  }

  void read_smoke(const Node& node, Service& service) {
    Smoke& smoke = service.smoke.emplace();
    const Node* get = node.find("get");
    const Node* post = node.find("post");
    smoke.post = is_written(post);
    assign(smoke.path, read_text(smoke.post ? post : get));
    if (const Node* json = node.find("json")) smoke.json = text::to_value(*json);
    assign(smoke.expect, read_text(node.find("expect")));
    if (is_written(get) == is_written(post))
      out_.error("bad-smoke", node.span, "a smoke request is one GET or one POST",
                 "write get: /path, or post: /path with json:");
    check_path(get);
    check_path(post);
  }

  static void read_retry(const Node* node, Retry& retry) {
    if (!is_written(node)) return;
    assign(retry.limit, read_int(node->find("limit")));
    assign(retry.delay, read_duration(node->find("delay")));
    assign(retry.backoff, read_number(node->find("backoff")));
    assign(retry.max_delay, read_duration(node->find("max_delay")));
    assign(retry.infra_limit, read_int(node->find("infra_limit")));
    assign(retry.timeouts, read_bool(node->find("timeouts")));
    retry.lost_after = read_duration(node->find("lost_after"));
  }

  void read_exit_codes(const Node* node, ExitCodes& codes) {
    if (!is_written(node)) return;
    std::map<int, std::string_view> seen;
    const auto read = [&](std::string_view field, std::vector<int>& out) {
      for (const Node* code : read_many(node->find(field))) {
        const auto number = read_int(code);
        if (!number) continue;
        const auto [first, inserted] = seen.emplace(*number, field);
        if (!inserted)
          out_.error("duplicate-exit-code", code->span,
                     "exit code " + std::to_string(*number) + " stands in `" + std::string(first->second) + "` already",
                     "keep one");
        out.push_back(*number);
      }
    };
    read("retry", codes.retry);
    read("skip", codes.skip);
    read("fail", codes.fail);
  }

  void read_environment(const Node& node, Task& task) {
    if (const Node* env = node.find("env"); is_written(env))
      for (const Entry& entry : env->entries)
        if (auto value = read_template(&entry.value)) {
          if (entry.key.starts_with("SLIPWAY_"))
            out_.error("reserved-name", entry.key_span, "names that begin with SLIPWAY_ are set by slipway",
                       "choose another name");
          task.env.emplace(entry.key, *std::move(value));
        }
  }

  void read_outputs(const Node& node, Task& task) {
    if (const Node* outputs = node.find("outputs"); is_written(outputs))
      for (const Entry& entry : outputs->entries) {
        if (entry.key.starts_with('_'))
          out_.error("reserved-name", entry.key_span, "output names that begin with `_` are reserved",
                     "choose another name");
        task.outputs.emplace(entry.key,
                             OutputDecl{read_word(&entry.value, kValueTypes).value_or(ValueType::Any), entry.key_span});
      }
    if (const Node* checks = node.find("check"); is_written(checks))
      for (const Entry& entry : checks->entries)
        if (entry.value.kind == NodeKind::Map) read_check(entry, task);
  }

  void read_check(const Entry& entry, Task& task) {
    Check check;
    check.output = entry.key;
    check.span = entry.key_span;
    check.min = read_number(entry.value.find("min"));
    check.max = read_number(entry.value.find("max"));
    if (const Node* equals = entry.value.find("equals")) check.equals = text::to_value(*equals);
    check.warn_only = read_text(entry.value.find("severity")) == "warn";
    const auto output = task.outputs.find(entry.key);
    read_shares(entry, output == task.outputs.end() ? ValueType::Any : output->second.type, check, out_);
    if (output == task.outputs.end()) {
      undeclared_check(entry, task);
    } else if ((check.min || check.max) && !is_number(output->second.type)) {
      out_.error("bad-check", entry.key_span,
                 "output `" + entry.key + "` is declared " + std::string(kValueTypes.text(output->second.type)) +
                     ", which has no minimum or maximum",
                 "declare it: outputs: {" + entry.key + ": number}");
    }
    if (check.min && check.max && *check.min > *check.max)
      out_.error("bad-check", entry.value.find("min")->span,
                 "the minimum is above the maximum, so the check can never pass", "swap them");
    task.checks.push_back(std::move(check));
  }

  static bool is_number(ValueType type) {
    return type == ValueType::Number || type == ValueType::Integer || type == ValueType::Any;
  }

  void undeclared_check(const Entry& entry, const Task& task) {
    std::vector<std::string> names;
    for (const auto& [name, decl] : task.outputs) names.push_back(name);
    const auto word = nearest(entry.key, names);
    out_.error("undeclared-output", entry.key_span,
               "task `" + task.id.str() + "` declares no output `" + entry.key + "`",
               word ? "did you mean `" + *word + "`?" : "declare it: outputs: {" + entry.key + ": number}");
  }

  Draft& draft_;
  Diagnostics& out_;
  const Node* defaults_;
  const Node* shared_env_ = nullptr;
  std::vector<std::string> shared_secrets_;
};

}  // namespace

void read_tasks(Draft& draft) {
  const Entry* tasks = draft.root.find_entry("tasks");
  if (tasks == nullptr || tasks->value.kind != NodeKind::Map) return;
  if (tasks->value.entries.empty())
    draft.out.error("no-tasks", tasks->value.span, "the DAG has no task",
                    "write at least one: hello: {run: echo hello}");
  if (tasks->value.entries.size() > kTasksMax) {
    draft.out.error(
        "too-many-tasks", tasks->key_span,
        "the DAG has " + std::to_string(tasks->value.entries.size()) + " tasks, more than " + std::to_string(kTasksMax),
        "split it, or fan out with for_each");
    return;
  }
  const Node* defaults = draft.root.find("defaults");
  if (defaults != nullptr && defaults->kind != NodeKind::Map) defaults = nullptr;
  TaskReader reader(draft, defaults);
  draft.tasks.reserve(tasks->value.entries.size() + 2);  // large: moving them is a tenth of the work
  for (const Entry& entry : tasks->value.entries) {
    draft.index.emplace(entry.key, static_cast<int>(draft.tasks.size()));
    draft.tasks.push_back(reader.read(entry));
    draft.dag.depends_on_past = draft.dag.depends_on_past || draft.tasks.back().task.depends_on_past;
  }
  for (const TaskRole role : {TaskRole::OnFailure, TaskRole::OnSuccess})
    if (const Entry* last = draft.root.find_entry(kTaskRoles.text(role)); last != nullptr && is_written(&last->value))
      draft.tasks.push_back(reader.read_last(*last, role));
}

}  // namespace slipway::dag
