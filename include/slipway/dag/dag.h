// A DAG as its author wrote it: a plain value, immutable once parsed. Fields and their meaning: docs/dag-format.md,
// which is made from the same field table as the parser. Only fields that this version acts on have a member; the
// others are checked by the parser and listed in Dag::planned.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "slipway/base/enum_table.h"
#include "slipway/base/ids.h"
#include "slipway/base/source_span.h"
#include "slipway/base/time.h"
#include "slipway/base/value.h"
#include "slipway/dag/schedule.h"
#include "slipway/dag/template.h"

namespace slipway::dag {

enum class TriggerRule : unsigned char {
  AllSuccess,
  AllFailed,
  AllDone,
  Always,
  OneSuccess,
  OneFailed,
  OneDone,
  NoneFailed,
  NoneFailedMinOneSuccess,
  NoneSkipped,
  AllSkipped,
  AllDoneMinOneSuccess,
  AllDoneSetupSuccess,
};
inline constexpr EnumTable<TriggerRule, 13> kTriggerRules{{{
    {TriggerRule::AllSuccess, "all_success", "every upstream task succeeded"},
    {TriggerRule::AllFailed, "all_failed", "every upstream task failed or could not run"},
    {TriggerRule::AllDone, "all_done", "every upstream task ended, whatever its result"},
    {TriggerRule::Always, "always", "at once; upstream results do not matter"},
    {TriggerRule::OneSuccess, "one_success", "at least one upstream task succeeded; does not wait for the others"},
    {TriggerRule::OneFailed, "one_failed", "at least one upstream task failed; does not wait for the others"},
    {TriggerRule::OneDone, "one_done", "at least one upstream task succeeded or failed; does not wait for the others"},
    {TriggerRule::NoneFailed, "none_failed", "every upstream task succeeded or was skipped"},
    {TriggerRule::NoneFailedMinOneSuccess, "none_failed_min_one_success", "none failed and at least one succeeded"},
    {TriggerRule::NoneSkipped, "none_skipped", "every upstream task ended and none was skipped"},
    {TriggerRule::AllSkipped, "all_skipped", "every upstream task was skipped"},
    {TriggerRule::AllDoneMinOneSuccess, "all_done_min_one_success",
     "every upstream task ended, at least one succeeded"},
    {TriggerRule::AllDoneSetupSuccess, "all_done_setup_success",
     "every upstream task ended, at least one of its setups succeeded; implied by teardown_for, cannot be written"},
}}};

enum class RunResultRule : unsigned char { Strict, Leaves };
inline constexpr EnumTable<RunResultRule, 2> kRunResultRules{{{
    {RunResultRule::Strict, "strict", "the run fails if any task failed and was not tolerated"},
    {RunResultRule::Leaves, "leaves", "only tasks without downstream decide, as in Airflow"},
}}};

// Strict: what waits in a higher class starts first; low is guaranteed one start in twenty.
enum class PriorityClass : unsigned char { High, Normal, Low };
inline constexpr EnumTable<PriorityClass, 3> kPriorityClasses{{{
    {PriorityClass::High, "high", "its tasks start before those of all others"},
    {PriorityClass::Normal, "normal", "its tasks start when none of class high waits"},
    {PriorityClass::Low, "low", "its tasks start when no other waits, and at least every 20th time"},
}}};

// Tasks that name no pool take from this one. It always exists: its size is the number of local slots.
inline constexpr std::string_view kDefaultPool = "default";

enum class ValueType : unsigned char { Any, Boolean, Integer, Number, String, Array, Object };
inline constexpr EnumTable<ValueType, 7> kValueTypes{{{
    {ValueType::Any, "any", "any JSON value"},
    {ValueType::Boolean, "boolean", "true or false"},
    {ValueType::Integer, "integer", "a whole number"},
    {ValueType::Number, "number", "an integer or a decimal number"},
    {ValueType::String, "string", "text"},
    {ValueType::Array, "array", "a list"},
    {ValueType::Object, "object", "a map"},
}}};

// Words of JSON Schema. `schema` keeps the whole entry as written, for `dag schema`, forms and the API.
struct Param {
  std::string name;
  ValueType type = ValueType::Any;
  std::optional<Value> default_value;
  bool required = false;  // no default and marked required
  std::vector<Value> enum_values;
  std::optional<double> minimum, maximum;
  std::string pattern;  // ECMAScript regular expression; empty = none
  std::string format;   // date, date-time, uri; empty = none
  std::string description;
  Value schema;
  SourceSpan span;
};

// `run:` as text is for /bin/sh -ec, as a list it is argv.
struct Command {
  bool shell = false;
  std::vector<Template> words;  // exactly one where shell
};

struct Retry {
  int limit = 0;  // further attempts after the first
  Duration delay = std::chrono::seconds(30);
  double backoff = 2.0;
  Duration max_delay = std::chrono::minutes(10);
  std::optional<int> infra_limit;  // default by class: docs/engine.md, "Retries"
  bool timeouts = false;           // whether a timed-out attempt may be retried
  // Replace a lost attempt after this long, proof or not. A task that says `idempotent: true` has 5 minutes by default.
  std::optional<Duration> lost_after;
};

struct ExitCodes {
  std::vector<int> retry, skip, fail;  // without `retry` every unlisted code may be retried
};

struct OutputDecl {
  ValueType type = ValueType::Any;
  SourceSpan span;
};

// A condition on one output, judged when the attempt exited 0.
struct Check {
  std::string output;
  std::optional<double> min, max;
  std::optional<Value> equals;
  std::optional<double> within;                // share of the value of the success before
  std::optional<double> missing, rows, drift;  // limits of the members `missing`, `rows`, `drift` of an object
  bool warn_only = false;                      // severity: warn
  SourceSpan span;
};

// What a DAG can ask to be told.
enum class NoticeKind : unsigned char { Failure, Success, Retry, Deadline };
inline constexpr EnumTable<NoticeKind, 4> kNoticeKinds{{{
    {NoticeKind::Failure, "failure", "a run failed"},
    {NoticeKind::Success, "success", "a run succeeded"},
    {NoticeKind::Retry, "retry", "a task failed and will be tried again"},
    {NoticeKind::Deadline, "deadline", "a run is not over although its deadline has passed"},
}}};

// Targets are names of the server's config.
struct NotifyRule {
  std::vector<NoticeKind> on{NoticeKind::Failure};
  std::string to;
  SourceSpan span;
};
struct Deadline {
  Duration after{0};   // the run's logical date
  std::string notify;  // a target besides those of the rules; may be empty
};

struct Smoke {
  std::string path;  // "/generate"
  bool post = false;
  Value json;          // body of a POST; strings inside may hold expressions
  std::string expect;  // text the reply must contain; empty = any 2xx
};

// One object of a Kubernetes manifest beside the DAG's file.
struct Manifest {
  std::string file;
  Value object;  // has apiVersion, kind and metadata.name; strings inside may hold expressions
};

struct Service {
  ServiceId name;
  Command run;  // empty where only a manifest or an image says what runs
  int port = 0;
  std::string health = "/health";
  std::optional<Smoke> smoke;
  Duration rollout_timeout = std::chrono::minutes(15);
  bool deploy_on_backfill = false;  // else skipped in runs of backfills
  bool recreate = false;            // the old one goes first; on a cluster only
};

// What an attempt may use; 0 = not limited. Locally: docs/engine.md, "Limits".
struct Resources {
  std::int64_t cpu_milli = 0;  // thousandths of a core
  std::int64_t memory_bytes = 0;
};

// After an out-of-memory kill the next attempt gets `factor` times the memory, up to `max_bytes`.
struct OnOom {
  double factor = 1.5;
  std::int64_t max_bytes = 0;
};

enum class WaitKind : unsigned char { For, Until, File, Http, Run, Dataset };
inline constexpr EnumTable<WaitKind, 6> kWaitKinds{{{
    {WaitKind::For, "for", "a while"},
    {WaitKind::Until, "until", "an instant"},
    {WaitKind::File, "file", "a file to exist"},
    {WaitKind::Http, "http", "an address to answer 2xx"},
    {WaitKind::Run, "run", "a run to end"},
    {WaitKind::Dataset, "dataset", "a dataset to be updated"},
}}};

struct Wait {
  WaitKind kind = WaitKind::For;
  Duration duration{0};                      // kind For
  Template target;                           // the others: instant, path or file:// URI, address, run id, dataset URI
  Duration poll = std::chrono::seconds(30);  // between two looks at a file or an address
};

// A question to a person.
struct Approve {
  Template message;             // empty = the task's description
  std::vector<std::string> by;  // labels or roles of tokens; empty = whoever may approve
  std::vector<Param> fields;    // in file order; the answers are the outputs
};

// Another DAG, started and waited for.
struct SubDag {
  DagId id;
  Value params;  // object; texts inside may hold expressions
};

// Results are taken over from an earlier success of the same task with the same key.
struct Cache {
  std::vector<Template> key;  // besides command, image, environment and parameters
};

// Where a task's process runs.
enum class Place : unsigned char { Local, Kubernetes };
inline constexpr EnumTable<Place, 2> kPlaces{{{
    {Place::Local, "local", "a process of the daemon's machine"},
    {Place::Kubernetes, "kubernetes", "a pod of a cluster"},
}}};

// The name of a key of a Secret beside the pod.
struct SecretKey {
  std::string secret;
  std::string key;
};

// What only the executor of pods acts on.
struct Pod {
  std::string namespace_name;     // where the DAG's is merged in; empty: the server's
  std::string image_pull_policy;  // empty: the cluster's
  std::vector<Template> args;     // of the image's entrypoint, kind Image
  std::int64_t disk_bytes = 0;
  int gpus = 0;
  std::string gpu_type;
  std::map<std::string, Template> labels, annotations;
  Value fragment;         // of a pod's spec; null: none
  bool baseline = false;  // the image may need root
  std::string service_account;
  Duration start_timeout = std::chrono::minutes(15);
  bool retry_on_delete = false;
  bool trust_exit_zero = false;
  std::vector<std::string> env_secrets, env_config_maps;
  std::map<std::string, SecretKey> secrets;  // of Task::secrets and secret_files, those that say where they are
};

enum class TaskKind : unsigned char { Run, Image, Service, Apply, Approve, Wait, Dag, Noop };
inline constexpr EnumTable<TaskKind, 8> kTaskKinds{{{
    {TaskKind::Run, "run", "a command"},
    {TaskKind::Image, "image", "an image's own entrypoint"},
    {TaskKind::Service, "service", "deploys a long-running server"},
    {TaskKind::Apply, "apply", "applies Kubernetes manifests"},
    {TaskKind::Approve, "approve", "waits for a person"},
    {TaskKind::Wait, "wait", "waits for time, a file, a reply, a run or a dataset"},
    {TaskKind::Dag, "dag", "starts another DAG and waits for it"},
    {TaskKind::Noop, "noop", "does nothing; for order only"},
}}};

// What a failed instance of a fan-out does to the others: let them be, or cancel what has not started and stop what
// has.
enum class InstanceFailure : unsigned char { Continue, Stop };
inline constexpr EnumTable<InstanceFailure, 2> kInstanceFailures{{{
    {InstanceFailure::Continue, "continue", "the others go on"},
    {InstanceFailure::Stop, "stop", "the others are cancelled"},
}}};

inline constexpr std::size_t kInstancesMax = 10'000;  // of one fan-out

// One instance of the task per element of a list.
struct ForEach {
  std::optional<Template> list;  // one expression that gives a list, or:
  Value items;                   // a list as written; strings inside may hold expressions
  int max_parallel = 0;          // instances active at once; 0 = no limit of its own
  InstanceFailure on_failure = InstanceFailure::Continue;
};

// What a task is there for. Only bodies decide the result of a run.
enum class TaskRole : unsigned char { Body, Teardown, OnFailure, OnSuccess };
inline constexpr EnumTable<TaskRole, 4> kTaskRoles{{{
    {TaskRole::Body, "body", "does the DAG's work"},
    {TaskRole::Teardown, "teardown", "cleans up after its setups, also when a run fails or is cancelled"},
    {TaskRole::OnFailure, "on_failure", "runs last, if the run is going to fail"},
    {TaskRole::OnSuccess, "on_success", "runs last, if the run is going to succeed"},
}}};

// A name for several tasks.
struct Group {
  std::string id;
  std::vector<int> tasks;  // indexes into Dag::tasks, ascending
  int max_parallel = 0;    // instances of its tasks active at once, in each run; 0 = no limit
  SourceSpan span;         // of the id
};

// Defaults are merged in already; a task is read without looking at its DAG.
struct Task {
  TaskId id;  // on_failure, on_success where that is its role
  TaskKind kind = TaskKind::Noop;
  TaskRole role = TaskRole::Body;
  Command run;                      // kind Run
  std::optional<Service> service;   // kind Service
  std::vector<Manifest> manifests;  // kinds Apply and Service; used where it runs on a cluster
  std::optional<Wait> wait;         // kind Wait
  std::optional<Approve> approve;   // kind Approve
  std::optional<SubDag> sub_dag;    // kind Dag
  std::vector<TaskId> needs;  // direct upstream tasks, in file order, no duplicates; of a teardown also what it implies
  TriggerRule trigger_rule = TriggerRule::AllSuccess;
  std::optional<Template> when;  // one whole expression
  std::optional<ForEach> for_each;
  std::vector<TaskId> setups;  // of a teardown: what it cleans up after; all of them are in `needs`
  // Setups further up whose teardown comes later: this task waits for them and runs only if they succeeded, whatever
  // its rule says.
  std::vector<TaskId> enclosing_setups;
  std::vector<int> groups;       // indexes into Dag::groups, of those that limit it
  bool depends_on_past = false;  // waits for its own success in the schedule's run before
  bool continue_on_error = false;
  Duration timeout{0};                        // per attempt; 0 = none
  Duration grace = std::chrono::seconds(30);  // between TERM and KILL
  Retry retry;
  ExitCodes exit_codes;
  std::map<std::string, Template> env;              // the DAG's env merged in
  std::vector<std::string> secrets;                 // names; given to the task as environment variables
  std::map<std::string, std::string> secret_files;  // secrets given as files of these names; the path is in NAME_FILE
  std::map<std::string, Template> inputs;           // URIs fetched before the command
  Resources resources;
  std::optional<OnOom> on_oom;  // resources.memory_bytes is given then
  std::string run_as;           // user, uid or uid:gid; empty = the daemon's
  std::map<std::string, OutputDecl> outputs;
  std::vector<Check> checks;
  Value set_vars;                            // object, or null; set with the success; texts may hold expressions
  std::vector<Template> produces, consumes;  // dataset URIs
  std::optional<Cache> cache;
  std::optional<Template> image;  // container image; the local executor runs the command without it
  std::optional<Place> place;     // `executor`; absent: the server's
  Pod pod;
  bool idempotent = false;  // running twice at once does no harm
  std::optional<Template> workdir;
  PoolId pool{std::string(kDefaultPool)};  // where the DAG's pool is merged in
  int slots = 1;                           // of the pool, held by each open attempt; see run::slots_of
  int priority = 0;
  std::string description;
  SourceSpan span;  // of the id
};

// Files beside a DAG's, by the name that it gives them; absent: the file cannot be read.
using Companions = std::map<std::string, std::string>;

// How long runs that are over are kept: while they are among the last so many of their DAG and younger than this. 0 =
// no bound.
struct Retention {
  int runs = 0;
  Duration age{0};
};

struct Dag {
  DagId id;
  std::string description, doc, owner;
  std::vector<std::string> tags;
  std::vector<Schedule> schedules;
  std::vector<Param> params;  // in file order
  std::vector<Task> tasks;    // in file order; `order` gives a topological one
  std::vector<int> order;     // indexes into tasks, upstream first, ties in file order; on_failure, on_success last
  std::vector<Group> groups;  // in file order
  RunResultRule run_result = RunResultRule::Strict;
  int max_active_runs = 1;
  int max_active_tasks = 0;  // 0 = no limit of its own
  PriorityClass priority_class = PriorityClass::Normal;
  double weight = 1;    // share of a pool against other DAGs of the same class
  Duration timeout{0};  // of a run; 0 = none
  bool paused_on_create = false;
  Retention retention;  // each bound that is not 0 stands in place of the server's
  std::vector<NotifyRule> notify;
  std::optional<Deadline> deadline;
  bool depends_on_past = false;                    // some task does
  std::map<std::string, Value, std::less<>> vars;  // what `vars.NAME` is while no variable of that name is set
  std::string params_from;                         // file beside the DAG's; its members are in the params' defaults

  [[nodiscard]] const Task* find(const TaskId& id) const;  // O(log n)
  [[nodiscard]] int index_of(const TaskId& id) const;      // -1 if absent
  [[nodiscard]] const std::vector<int>& downstream_of(int task) const {
    return downstream[static_cast<std::size_t>(task)];
  }

  std::vector<std::vector<int>> downstream;  // by task index, in file order
  std::vector<std::vector<int>> enclosed;    // by task index: the tasks that have it in `enclosing_setups`
  std::map<TaskId, int> index;
};

// Whether it can be a process of the daemon's machine: there is a command.
[[nodiscard]] inline bool has_command(const Task& task) {
  return task.service ? !task.service->run.words.empty() : !task.run.words.empty();
}

}  // namespace slipway::dag
