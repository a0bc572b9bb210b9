#include <array>

#include "dag/field_table.h"

namespace slipway::dag {
namespace {

constexpr KindSet kRun = kind_bit(TaskKind::Run);
constexpr KindSet kImage = kind_bit(TaskKind::Image);
constexpr KindSet kService = kind_bit(TaskKind::Service);
constexpr KindSet kApply = kind_bit(TaskKind::Apply);
constexpr KindSet kApprove = kind_bit(TaskKind::Approve);
constexpr KindSet kWait = kind_bit(TaskKind::Wait);
constexpr KindSet kDag = kind_bit(TaskKind::Dag);
constexpr KindSet kNoop = kind_bit(TaskKind::Noop);
constexpr KindSet kJob = kRun | kImage;        // a process that ends
constexpr KindSet kProcess = kJob | kService;  // anything with a command
constexpr KindSet kPod = kProcess | kApply;    // anything with a namespace
constexpr KindSet kFanned = kJob | kDag;       // what may be done once per element
constexpr KindSet kPooled = kJob | kApply;     // anything that holds slots while it takes time
constexpr KindSet kActive = 0xff & ~kNoop;     // anything that takes time
constexpr KindSet kEvery = 0xff;
constexpr KindSet kNone = 0;  // not a task's field

constexpr auto Now = FieldStatus::Supported;
constexpr auto Kube = FieldStatus::Kubernetes;

// clang-format off
constexpr std::array kTop{
    FieldRow{"dag", "id", "required", kNone, Now, "the DAG's id; runs, addresses and folders use it"},
    FieldRow{"description", "prose", "", kNone, Now, "one line for lists"},
    FieldRow{"doc", "prose", "", kNone, Now, "Markdown for the page"},
    FieldRow{"owner", "text", "", kNone, Now, "who answers for it"},
    FieldRow{"tags", "list of text", "", kNone, Now, "words to filter lists by"},
    FieldRow{"schedule", "text or map or list of map", "none", kNone, Now,
             "when it runs by itself: a cron expression, a preset, or entries"},
    FieldRow{"params", "map by name", "", kNone, Now, "what a run can be given; read as ${{ params.NAME }}"},
    FieldRow{"params.*", "map", "", kNone, Now, "one parameter, in words of JSON Schema"},
    FieldRow{"params_from", "text", "", kNone, Now,
             "a JSON file beside this one; its members replace the parameters' defaults, and it is part of the version"},
    FieldRow{"vars", "map by name", "", kNone, Now, "values of variables while none of that name is set"},
    FieldRow{"vars.*", "any", "", kNone, Now, "the value"},
    FieldRow{"env", "map by name", "", kNone, Now, "environment of every task that has a command"},
    FieldRow{"env.*", "value", "", kNone, Now, "one variable"},
    FieldRow{"secrets", "list of name", "", kNone, Now,
             "secrets given to every task that has a command, as environment variables"},
    FieldRow{"defaults", "task", "", kNone, Now,
             "fields for every task that does not write them; maps merge, the rest is replaced, null removes"},
    FieldRow{"namespace", "id", "", kNone, Kube, "namespace of the pods"},
    FieldRow{"tasks", "map by id", "required", kNone, Now, "what to do, by id"},
    FieldRow{"tasks.*", "map", "", kNone, Now,
             "one task: exactly one of run, image, service, apply, approve, wait, dag, noop"},
    FieldRow{"groups", "map by id", "", kNone, Now, "names for several tasks, usable in needs"},
    FieldRow{"groups.*", "map", "", kNone, Now, "one group"},
    FieldRow{"groups.*.tasks", "list of id", "", kNone, Now, "its tasks"},
    FieldRow{"groups.*.needs", "id or list of id", "", kNone, Now, "what each of its tasks needs besides its own"},
    FieldRow{"groups.*.max_parallel", "integer 1..10000", "no limit", kNone, Now,
             "how many of its tasks may be active at once, in each run"},
    FieldRow{"run_result", "one of <run_result>", "strict", kNone, Now, "which tasks decide whether a run succeeded"},
    FieldRow{"max_active_runs", "integer 1..10000", "1", kNone, Now, "how many runs may be active at once"},
    FieldRow{"max_active_tasks", "integer 1..10000", "no limit", kNone, Now,
             "how many tasks of it may be active at once, over all runs"},
    FieldRow{"pool", "id", "default", kNone, Now, "pool of the tasks that name none"},
    FieldRow{"priority_class", "one of <priority_class>", "normal", kNone, Now, "which DAGs' tasks start first"},
    FieldRow{"weight", "number 0.01..1000", "1", kNone, Now, "share of a pool against other DAGs of its class"},
    FieldRow{"timeout", "duration", "none", kNone, Now, "longest time of a run; then it is cancelled and fails"},
    FieldRow{"retention", "map", "", kNone, Now, "how long finished runs are kept"},
    FieldRow{"retention.runs", "integer 1..1000000", "", kNone, Now, "the last so many"},
    FieldRow{"retention.age", "duration", "", kNone, Now, "those younger than this"},
    FieldRow{"notify", "list of map", "", kNone, Now, "whom to tell"},
    FieldRow{"notify.on", "list of one of failure, success, retry, deadline", "[failure]", kNone, Now, "of what"},
    FieldRow{"notify.to", "text", "required", kNone, Now, "a target of the server's config"},
    FieldRow{"on_failure", "task", "", kNone, Now, "a task after a failed run; not part of its result"},
    FieldRow{"on_success", "task", "", kNone, Now, "a task after a successful run; not part of its result"},
    FieldRow{"deadline", "map", "", kNone, Now, "tell somebody when a run takes too long"},
    FieldRow{"deadline.after", "duration", "required", kNone, Now, "how long after the run's logical date"},
    FieldRow{"deadline.notify", "text", "", kNone, Now, "a target of the server's config"},
    FieldRow{"paused_on_create", "boolean", "false", kNone, Now,
             "whether the schedule waits for `dag unpause` at first"},
};

constexpr std::array kSchedule{
    FieldRow{"name", "id", "hash of the rest", kNone, Now, "tells entries apart; runs keep it"},
    FieldRow{"cron", "text", "", kNone, Now,
             "five fields, or @hourly @daily @weekly @monthly @quarterly @yearly @once @continuous"},
    FieldRow{"every", "duration", "", kNone, Now, "a fixed interval instead of cron, aligned to start or else to 1970"},
    FieldRow{"datasets", "list of text", "", kNone, Now, "URIs; a run when each of them was updated"},
    FieldRow{"timezone", "text", "UTC", kNone, Now, "IANA name: Europe/Paris"},
    FieldRow{"start", "text", "", kNone, Now,
             "first possible tick: 2024-11-01 (midnight in the zone) or 2024-11-01T06:30:00Z"},
    FieldRow{"end", "text", "", kNone, Now, "last possible tick, written like start"},
    FieldRow{"grace", "duration", "min(1h, half the interval)", kNone, Now,
             "how late a tick may fire before it counts as missed"},
    FieldRow{"missed", "one of <missed>", "last", kNone, Now, "what becomes of missed ticks"},
    FieldRow{"max_missed", "integer 1..10000", "100", kNone, Now, "how many missed ticks fire where missed is all"},
    FieldRow{"overlap", "one of <overlap>", "queue", kNone, Now, "what a tick does while max_active_runs are active"},
    FieldRow{"jitter", "duration", "0s", kNone, Now,
             "a run starts up to so much after its tick, by an amount that follows from DAG, entry and tick"},
    FieldRow{"params", "map by name", "", kNone, Now, "parameters of its runs"},
    FieldRow{"params.*", "any", "", kNone, Now, "the value"},
};

constexpr std::array kParam{
    FieldRow{"type", "one of <type>", "any", kNone, Now, "what it may be"},
    FieldRow{"default", "any", "null", kNone, Now, "its value where a run gives none"},
    FieldRow{"required", "boolean", "false", kNone, Now, "a run must give it"},
    FieldRow{"enum", "list of any", "", kNone, Now, "the only values it may have"},
    FieldRow{"minimum", "number", "", kNone, Now, "smallest number"},
    FieldRow{"maximum", "number", "", kNone, Now, "largest number"},
    FieldRow{"pattern", "text", "", kNone, Now, "ECMAScript regular expression that a text must match somewhere"},
    FieldRow{"format", "one of date, date-time, uri", "", kNone, Now, "form of a text"},
    FieldRow{"description", "prose", "", kNone, Now, "shown in forms"},
};

constexpr std::array kTask{
    FieldRow{"description", "prose", "", kEvery, Now, "one line for lists"},
    FieldRow{"run", "template or list of value", "", kRun, Now,
             "text for /bin/sh -ec, or a list of words started as they are"},
    FieldRow{"image", "template", "", kProcess, Kube, "container image; alone, its own entrypoint is run"},
    FieldRow{"args", "list of value", "", kImage, Kube, "arguments of the image's entrypoint"},
    FieldRow{"service", "map", "", kService, Now, "deploys a server that outlives the run"},
    FieldRow{"apply", "text or list of text", "", kApply, Kube, "Kubernetes manifests beside this file, applied and waited for"},
    FieldRow{"approve", "map", "", kApprove, Now, "waits for a person"},
    FieldRow{"approve.message", "template", "", kApprove, Now, "what is asked"},
    FieldRow{"approve.by", "list of text", "anyone who may", kApprove, Now, "who may answer: notes or roles of tokens"},
    FieldRow{"approve.fields", "map by name", "", kApprove, Now, "a form; its answers are the outputs"},
    FieldRow{"approve.fields.*", "param", "", kApprove, Now, "one field, written like a parameter"},
    FieldRow{"wait", "map", "", kWait, Now, "waits without a slot, for one of these"},
    FieldRow{"wait.for", "duration", "", kWait, Now, "a while"},
    FieldRow{"wait.until", "template", "", kWait, Now, "an instant"},
    FieldRow{"wait.file", "template", "", kWait, Now, "a path or file:// URI to exist; a relative one lies in the run's workspace"},
    FieldRow{"wait.http", "template", "", kWait, Now, "an address to answer 2xx"},
    FieldRow{"wait.run", "template", "", kWait, Now, "a run, by id, to end; the task fails if it did not succeed"},
    FieldRow{"wait.dataset", "template", "", kWait, Now, "a dataset to be updated since the run was created"},
    FieldRow{"wait.poll", "duration", "30s", kWait, Now, "how often to look at a file or an address"},
    FieldRow{"dag", "id or map", "", kDag, Now, "starts another DAG and waits for its end"},
    FieldRow{"dag.id", "id", "required", kDag, Now, "which"},
    FieldRow{"dag.params", "map by name", "", kDag, Now, "its parameters"},
    FieldRow{"dag.params.*", "json", "", kDag, Now, "the value"},
    FieldRow{"noop", "boolean", "false", kNoop, Now, "true: does nothing; for order only"},

    FieldRow{"needs", "id or list of id", "", kEvery, Now, "tasks that must end first"},
    FieldRow{"trigger_rule", "one of <trigger_rule>", "all_success", kEvery, Now, "which results of them let it run"},
    FieldRow{"when", "template", "", kEvery, Now, "one expression; false skips the task"},
    FieldRow{"teardown_for", "id or list of id", "", kJob, Now, "cleans up after these tasks, its setups, whatever happened"},
    FieldRow{"continue_on_error", "boolean", "false", kEvery, Now, "its failure does not fail the run"},
    FieldRow{"depends_on_past", "boolean", "false", kEvery, Now,
             "waits for its own success in the schedule's run before"},

    FieldRow{"for_each", "template or list of json", "", kFanned, Now, "one instance per element, at most 10,000"},
    FieldRow{"max_parallel", "integer 1..10000", "no limit", kFanned, Now,
             "how many instances may be active at once"},
    FieldRow{"on_failure", "one of <instance_failure>", "continue", kFanned, Now,
             "what a failed instance does to the others"},

    FieldRow{"executor", "one of local, kubernetes", "from the config", kProcess, Now,
             "where it runs: a process beside the daemon, or a pod"},
    FieldRow{"image_pull_policy", "one of Always, IfNotPresent, Never", "the cluster's", kProcess, Kube,
             "when the image is pulled"},
    FieldRow{"namespace", "id", "from the config", kPod, Kube, "namespace of the pod"},
    FieldRow{"resources", "map", "", kProcess, Now, "what it may use; on Kubernetes what the pod requests, with memory as its limit"},
    FieldRow{"resources.cpu", "quantity", "", kProcess, Now, "cores: 8 or 500m"},
    FieldRow{"resources.memory", "quantity", "", kProcess, Now, "bytes: 32Gi; more is class oom"},
    FieldRow{"resources.disk", "quantity", "", kProcess, Kube, "bytes of ephemeral storage: 50Gi"},
    FieldRow{"resources.gpu", "integer 0..1024 or map", "0", kProcess, Kube, "how many, or which"},
    FieldRow{"resources.gpu.count", "integer 0..1024", "1", kProcess, Kube, "how many"},
    FieldRow{"resources.gpu.type", "text", "", kProcess, Kube, "accelerator label: nvidia-l4"},
    FieldRow{"labels", "map by text", "", kProcess, Kube, "labels of the pod"},
    FieldRow{"labels.*", "value", "", kProcess, Kube, "one label"},
    FieldRow{"annotations", "map by text", "", kProcess, Kube, "annotations of the pod"},
    FieldRow{"annotations.*", "value", "", kProcess, Kube, "one annotation"},
    FieldRow{"pod", "object", "", kProcess, Kube, "fragment of a pod spec, merged over ours"},
    FieldRow{"security", "one of restricted, baseline", "restricted", kProcess, Kube, "baseline: the image needs root"},
    FieldRow{"service_account", "id", "", kProcess, Kube, "of the pod; without one it gets no token"},
    FieldRow{"pool", "id", "the DAG's", kPooled, Now, "named slots it takes from"},
    FieldRow{"slots", "integer 1..10000", "1", kPooled, Now, "how many"},
    FieldRow{"priority", "integer -1000000..1000000", "0", kEvery, Now, "higher starts first within the DAG"},
    FieldRow{"run_as", "text", "the daemon's", kProcess, Now, "user of the process, where the daemon is root: a name, uid or uid:gid"},

    FieldRow{"timeout", "duration", "none", kActive, Now, "longest time of one attempt"},
    FieldRow{"start_timeout", "duration", "15m", kProcess, Kube, "longest time until the pod's process runs"},
    FieldRow{"grace", "duration", "30s", kProcess, Now, "time between TERM and KILL"},
    FieldRow{"retry", "map", "", kPod, Now, "further attempts after a failure"},
    FieldRow{"retry.limit", "integer 0..1000", "0", kPod, Now, "how many"},
    FieldRow{"retry.delay", "duration", "30s", kPod, Now, "wait before the first of them"},
    FieldRow{"retry.backoff", "number 1..100", "2", kPod, Now, "the wait grows by this factor each time"},
    FieldRow{"retry.max_delay", "duration", "10m", kPod, Now, "longest wait"},
    FieldRow{"retry.infra_limit", "integer 0..1000", "3", kPod, Now,
             "replacements of attempts lost with their machine"},
    FieldRow{"retry.timeouts", "boolean", "false", kPod, Now, "whether an attempt that timed out is retried"},
    FieldRow{"retry.lost_after", "duration", "never", kPod, Now,
             "replace an attempt out of reach after this long; the old one may still run"},
    FieldRow{"idempotent", "boolean", "false", kJob, Now, "running twice at once does no harm: retry.lost_after is 5m"},
    FieldRow{"exit_codes", "map", "", kJob, Now, "what exit codes mean"},
    FieldRow{"exit_codes.retry", "list of integer 1..255", "all", kJob, Now,
             "worth another attempt; then no other code is"},
    FieldRow{"exit_codes.skip", "list of integer 1..255", "", kJob, Now, "the task counts as skipped"},
    FieldRow{"exit_codes.fail", "list of integer 1..255", "", kJob, Now, "fails at once"},
    FieldRow{"on_oom", "map", "", kProcess, Now, "more memory after an out-of-memory kill"},
    FieldRow{"on_oom.memory", "factor", "x1.5", kProcess, Now, "by this factor"},
    FieldRow{"on_oom.max", "quantity", "required", kProcess, Now, "at most this much"},
    FieldRow{"on_delete", "one of cancel, retry", "cancel", kProcess, Kube,
             "what follows when somebody deletes the pod"},
    FieldRow{"trust_exit_zero", "boolean", "false", kJob, Kube, "exit 0 during a node's disruption is a success"},

    FieldRow{"env", "map by name", "", kProcess, Now, "environment, over the DAG's"},
    FieldRow{"env.*", "value", "", kProcess, Now, "one variable"},
    FieldRow{"env_from", "list of map", "", kProcess, Kube, "environment from objects of the namespace"},
    FieldRow{"env_from.secret", "text", "", kProcess, Kube, "a Secret"},
    FieldRow{"env_from.configmap", "text", "", kProcess, Kube, "a ConfigMap"},
    FieldRow{"secrets", "list of name or map", "", kProcess, Now, "names of secrets; each is an environment variable"},
    FieldRow{"secrets.name", "name", "required", kProcess, Now, "which"},
    FieldRow{"secrets.file", "text", "", kProcess, Now, "give it as a file of this name; its path is in NAME_FILE"},
    FieldRow{"secrets.k8s", "text", "", kProcess, Kube, "take it from a Secret of the namespace: name/key"},
    FieldRow{"inputs", "map by name", "", kJob, Now, "URIs fetched before the command; paths in SLIPWAY_INPUT_NAME"},
    FieldRow{"inputs.*", "template", "", kJob, Now, "one URI"},
    FieldRow{"outputs", "map by name", "", kJob | kApprove, Now, "values it leaves in $SLIPWAY_OUTPUT, a JSON object"},
    FieldRow{"outputs.*", "one of <type>", "", kJob | kApprove, Now, "the type of one output"},
    FieldRow{"check", "map by name", "", kJob, Now, "conditions on outputs; unmet, the task fails"},
    FieldRow{"check.*", "map", "", kJob, Now, "condition on the output of this name"},
    FieldRow{"check.*.min", "number", "", kJob, Now, "at least"},
    FieldRow{"check.*.max", "number", "", kJob, Now, "at most"},
    FieldRow{"check.*.equals", "any", "", kJob, Now, "exactly"},
    FieldRow{"check.*.within", "number 0..1000", "", kJob, Now, "a number at most this share away from the same output of the success before"},
    FieldRow{"check.*.missing", "number 0..1", "", kJob, Now, "an object whose member `missing`, a share, is at most this"},
    FieldRow{"check.*.rows", "integer 0..", "", kJob, Now, "an object whose member `rows` is at least this, or a list at least this long"},
    FieldRow{"check.*.drift", "number 0..", "", kJob, Now, "an object whose member `drift` is at most this"},
    FieldRow{"check.*.severity", "one of warn, error", "error", kJob, Now, "warn: note it, and go on"},
    FieldRow{"set_vars", "map by name", "", kJob, Now, "variables set with the success"},
    FieldRow{"set_vars.*", "json", "", kJob, Now, "the value"},
    FieldRow{"produces", "template or list of template", "", kJob, Now, "dataset URIs it updates"},
    FieldRow{"consumes", "template or list of template", "", kJob, Now, "dataset URIs it reads"},
    FieldRow{"workdir", "template", "the run's workspace", kProcess, Now, "working folder of the command"},
    FieldRow{"cache", "map", "", kJob, Now, "takes over the outputs of an earlier success of the task with the same key"},
    FieldRow{"cache.key", "list of template", "", kJob, Now,
             "what makes it the same, besides command, image, env, inputs and parameters"},
};

constexpr std::array kServiceRows{
    FieldRow{"name", "id", "required", kService, Now, "unique in the home; addresses use it"},
    FieldRow{"run", "template or list of value", "", kService, Now,
             "the server's command; it listens on $PORT"},
    FieldRow{"manifest", "text or list of text", "", kService, Kube,
             "Kubernetes manifests beside this file: what runs on a cluster, with the task's image and env put in"},
    FieldRow{"port", "integer 1..65535", "required", kService, Now, "where clients reach it"},
    FieldRow{"health", "text", "/health", kService, Now, "path that answers 2xx when it is ready"},
    FieldRow{"smoke", "map", "", kService, Now, "a request that must succeed before the revision goes live"},
    FieldRow{"smoke.get", "text", "", kService, Now, "path of a GET"},
    FieldRow{"smoke.post", "text", "", kService, Now, "path of a POST"},
    FieldRow{"smoke.json", "json", "", kService, Now, "body of the POST"},
    FieldRow{"smoke.expect", "text", "any 2xx", kService, Now, "text that the reply must contain"},
    FieldRow{"rollout_timeout", "duration", "15m", kService, Now, "longest time until it is ready"},
    FieldRow{"strategy", "one of rolling, recreate", "rolling", kService, Kube, "recreate: delete the old one first"},
    FieldRow{"deploy_on_backfill", "boolean", "false", kService, Now, "whether backfill runs deploy, too"},
};
// clang-format on

constexpr std::array kSections{
    FieldSection{"", kTop},          FieldSection{"schedule.", kSchedule},           FieldSection{"params.*.", kParam},
    FieldSection{"tasks.*.", kTask}, FieldSection{"tasks.*.service.", kServiceRows},
};

}  // namespace

std::span<const FieldSection> field_sections() { return kSections; }

}  // namespace slipway::dag
