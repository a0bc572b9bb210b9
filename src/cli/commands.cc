#include "cli/command.h"

#include <array>

#include "cli/operator_verbs.h"
#include "cli/verbs.h"

namespace slipway::cli {
namespace {

constexpr std::array kGroups{
    Group{"dag", "DAG files and what the daemon knows of them"},
    Group{"run", "runs: one execution of a DAG each"},
    Group{"task", "tasks of a run"},
    Group{"dataset", "what tasks produce and schedules wait for"},
    Group{"schedule", "when DAGs run by themselves"},
    Group{"pool", "named slots that tasks take from"},
    Group{"var", "variables that expressions read"},
    Group{"secret", "sealed values that tasks get as environment variables"},
    Group{"service", "servers that `service:` tasks deployed"},
    Group{"config", "settings of this command and the daemon"},
    Group{"db", "the database of a home"},
    Group{"debug", "looking inside"},
};

constexpr std::array kCommands{
    Command{"up", "start the daemon", setup_up},
    Command{"down", "stop the daemon; tasks and services go on", setup_down},
    Command{"demo", "run the demo pipeline and ask the model it serves", setup_demo},
    Command{"dag validate", "check DAG files; every problem with its place and cure", setup_dag_validate},
    Command{"dag list", "DAGs that the daemon knows", setup_dag_list},
    Command{"dag show", "draw a DAG", setup_dag_show},
    Command{"dag test", "run a DAG file here and now, without a daemon", setup_dag_test},
    Command{"dag explain", "what a field of the language means", setup_dag_explain},
    Command{"dag schema", "print the JSON Schema of the language", setup_dag_schema},
    Command{"dag versions", "every version of a DAG's file", setup_dag_versions},
    Command{"dag diff", "what changed between two versions of a DAG", setup_dag_diff},
    Command{"dag plan", "what activating a DAG file would change", setup_dag_plan},
    Command{"dag render", "what the tasks of a DAG would be given, as far as it is known before a run",
            setup_dag_render},
    Command{"dag pause", "let no schedule start runs of a DAG", setup_dag_pause},
    Command{"dag unpause", "let schedules start runs of a DAG again", setup_dag_unpause},
    Command{"run start", "start a run of a DAG", setup_run_start},
    Command{"run list", "runs, newest first", setup_run_list},
    Command{"run get", "a run with its tasks", setup_run_get},
    Command{"run watch", "follow a run until it is over", setup_run_watch},
    Command{"run wait", "wait until a run is over", setup_run_wait},
    Command{"run logs", "logs of all tasks of a run", setup_run_logs},
    Command{"run events", "what happened in a run, in order", setup_run_events},
    Command{"run diff", "what differs between two runs", setup_run_diff},
    Command{"run cancel", "stop a run", setup_run_cancel},
    Command{"run retry", "run again what failed, and what is downstream of it", setup_run_retry},
    Command{"run clear", "run tasks again, whatever their state", setup_run_clear},
    Command{"run mark", "say how a task or a run ended", setup_run_mark},
    Command{"run resume", "a new run that takes over what another one has done", setup_run_resume},
    Command{"task get", "a task of a run", setup_task_get},
    Command{"task attempts", "every launch of a task", setup_task_attempts},
    Command{"task logs", "log of a task", setup_task_logs},
    Command{"task why", "why a task is not running", setup_task_why},
    Command{"task approve", "answer a task that waits for a person", setup_task_approve},
    Command{"dataset list", "datasets, who updated them, who reads them", setup_dataset_list},
    Command{"dataset get", "one dataset", setup_dataset_get},
    Command{"dataset touch", "say that a dataset was updated", setup_dataset_touch},
    Command{"schedule list", "schedules and when they fire next", setup_schedule_list},
    Command{"schedule next", "the next ticks of a DAG or a cron expression", setup_schedule_next},
    Command{"pool list", "pools, what is used of them, and how many tasks wait", setup_pool_list},
    Command{"pool get", "one pool", setup_pool_get},
    Command{"pool set", "make or resize a pool", setup_pool_set},
    Command{"pool delete", "delete a pool that nobody uses", setup_pool_delete},
    Command{"var set", "set a variable", setup_var_set},
    Command{"var get", "print a variable", setup_var_get},
    Command{"var list", "all variables", setup_var_list},
    Command{"var delete", "delete a variable", setup_var_delete},
    Command{"secret set", "store a secret, read from standard input", setup_secret_set},
    Command{"secret list", "names of all secrets", setup_secret_list},
    Command{"secret delete", "delete a secret", setup_secret_delete},
    Command{"service list", "deployed services", setup_service_list},
    Command{"service get", "a service, and whether it is up", setup_service_get},
    Command{"service logs", "log of what is live of a service", setup_service_logs},
    Command{"service stop", "stop services", setup_service_stop},
    Command{"config list", "settings", setup_config_list},
    Command{"config get", "print a setting", setup_config_get},
    Command{"config lint", "check the config files; every problem with its place and cure", setup_config_lint},
    Command{"db check", "check the database against its invariants", setup_db_check},
    Command{"db backup", "copy the database to a file, while the daemon runs or not", setup_db_backup},
    Command{"db prune", "remove runs that are over, with their logs and files", setup_db_prune},
    Command{"db restore", "put a backup in the place of the database; the daemon must be stopped", setup_db_restore},
    Command{"doctor", "is this machine and home fit for the daemon", setup_doctor},
    Command{"fetch", "bring a file or folder to a local path", setup_fetch},
    Command{"fetch-inputs", "fetch the inputs of a task, then run its command", setup_fetch_inputs},
    Command{"prepare", "turn a table of examples into JSONL to train on", setup_prepare},
    Command{"train", "fine-tune a model with a LoRA adapter", setup_train},
    Command{"merge", "fold an adapter into its base model", setup_merge},
    Command{"evaluate", "count the right answers of a model", setup_evaluate},
    Command{"generate", "continue prompts, one or a file of them", setup_generate},
    Command{"serve-model", "answer HTTP requests with a model", setup_serve_model},
    Command{"tokenize", "text to token ids and back", setup_tokenize},
    Command{"debug bundle", "what a report of a fault needs, in one archive without secrets", setup_debug_bundle},
    Command{"debug logits", "write the logits of token sequences", setup_debug_logits},
    Command{"debug eval-loss", "write the loss of each sample", setup_debug_eval_loss},
    Command{"debug grads", "write the gradients of an adapter", setup_debug_grads},
    Command{"version", "print the version", setup_version},
    Command{"completion", "print a completion script", setup_completion},
    Command{"help", "exit codes, environment, settings, cron, templates, YAML", setup_help},
    Command{"man", "print the manual page", setup_man},
};

}  // namespace

std::span<const Command> commands() { return kCommands; }
std::span<const Group> groups() { return kGroups; }

}  // namespace slipway::cli
