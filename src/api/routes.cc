#include <array>

#include "api/handlers.h"

namespace slipway::api {
namespace {

constexpr std::optional<vault::Role> kAnyone;
constexpr auto kViewer = vault::Role::Viewer;
constexpr auto kOperator = vault::Role::Operator;
constexpr auto kAuthor = vault::Role::Author;
constexpr auto kAdmin = vault::Role::Admin;

// In the order of docs/api.md.
constexpr std::array kRoutes{
    Route{"GET", "/health", kAnyone, "whether the daemon serves and its store can be read", get_health},
    Route{"GET", "/version", kViewer, "the version of the daemon", get_version},
    Route{"GET", "/db/check", kOperator, "what is stored against its invariants; no findings: whole", check_db},
    Route{"POST", "/db/backup", kAdmin, "copy the database to a new file in <home>/backups", backup_db},
    Route{"POST", "/db/prune", kAdmin, "remove runs that are over; call again while `more`", prune_db, "",
          "dag? older_than? keep? dry_run?"},

    Route{"GET", "/dags", kViewer, "all DAGs of the folder", list_dags},
    Route{"GET", "/dags/{dag}", kViewer, "one DAG with its tasks, parameters and schedules", get_dag},
    Route{"GET", "/dags/{dag}/source", kViewer,
          "the file as it was written; {file, text, files (what it takes in, by name)} for those that accept only JSON",
          get_source, "version?"},
    Route{"GET", "/dags/{dag}/versions", kViewer, "every version of the file, newest first", list_versions},
    Route{"GET", "/dags/{dag}/diff", kViewer, "what changed from one version to another; default: the last change",
          diff_versions, "from? to?"},
    Route{"POST", "/plan", kViewer, "what activating a DAG file would change; nothing is stored", plan_dag, "",
          "text file? files?"},
    Route{"POST", "/dags/{dag}/pause", kOperator, "stop or resume scheduled runs", pause_dag, "", "paused"},
    Route{"POST", "/dags/{dag}/runs", kOperator, "start a run; 200 with the first run if its Idempotency-Key is known",
          start_run, "", "params? logical_date? trigger?"},
    Route{"POST", "/dags/{dag}/backfills", kOperator,
          "run the ticks of a range; `preview` only tells what would become of each", start_backfill, "",
          "from to schedule? reverse? max_active? reprocess? params? preview?"},
    Route{"GET", "/backfills", kViewer, "backfills, newest first", list_backfills, "dag? state? limit? before?"},
    Route{"GET", "/backfills/{backfill}", kViewer, "one backfill; {backfill} may be a unique prefix", get_backfill},
    Route{"POST", "/backfills/{backfill}/cancel", kOperator,
          "deal with no more ticks and cancel its runs; `keep_running`: only those that wait", cancel_backfill, "",
          "keep_running?"},
    Route{"GET", "/schedules", kViewer, "every schedule with its next ticks", list_schedules, "dag? count?"},

    Route{"GET", "/runs", kViewer, "runs, newest first", list_runs, "dag? state? limit? before? prefix?"},
    Route{"GET", "/runs/{run}", kViewer, "one run with its tasks; {run} may be a unique prefix, @latest or @failed",
          get_run, "dag?"},
    Route{"POST", "/runs/{run}/cancel", kOperator, "stop a run; `now` skips teardown tasks", cancel_run, "", "now?"},
    Route{"POST", "/runs/{run}/retry", kOperator,
          "run the failed tasks of a run again, or those of them that are named", retry_run, "", "tasks?"},
    Route{"POST", "/runs/{run}/clear", kOperator, "run tasks again whatever their state; `preview` only tells which",
          clear_run, "", "tasks? upstream? downstream? past? future? failed? version? preview?"},
    Route{"POST", "/runs/{run}/mark", kOperator, "say how a task or the run ended", mark_run, "",
          "state task? reason?"},
    Route{"POST", "/runs/{run}/resume", kOperator,
          "a new run of the newest version that takes over what is done; 200 if its Idempotency-Key is known",
          resume_run, "", "from? params? trigger?"},
    Route{"GET", "/runs/{run}/events", kViewer, "what happened, in order", list_events, "after? limit? dag?"},
    Route{"GET", "/runs/{run}/diff", kViewer, "what differs between two runs", diff_runs, "with dag?"},

    Route{"GET", "/runs/{run}/tasks/{task}/logs", kViewer, "lines of an attempt's log from an offset on", get_logs,
          "map_index? attempt? offset? dag?"},
    Route{"GET", "/runs/{run}/tasks/{task}/attempts", kViewer, "every launch of a task", list_attempts,
          "map_index? dag?"},
    Route{"GET", "/runs/{run}/tasks/{task}/why", kViewer, "why a task is not running right now", get_why,
          "map_index? dag?"},

    Route{"POST", "/runs/{run}/tasks/{task}/answer", kOperator, "approve or reject a task that waits for a person",
          answer_task, "map_index? dag?", "approved fields? reason?"},

    Route{"GET", "/events", kViewer, "what happens in all runs, or in one, as it happens: server-sent events",
          listen_to_events, "run?"},

    Route{"GET", "/datasets", kViewer, "datasets: how often and by whom updated, who produces and consumes them",
          list_datasets, "uri?"},
    Route{"POST", "/datasets/touch", kOperator, "say that a dataset was updated", touch_dataset, "", "uri"},

    Route{"GET", "/vars", kViewer, "all variables", list_vars},
    Route{"GET", "/vars/{name}", kViewer, "one variable", get_var},
    Route{"PUT", "/vars/{name}", kAuthor, "set a variable", set_var, "", "value"},
    Route{"DELETE", "/vars/{name}", kAuthor, "delete a variable", delete_var},
    Route{"GET", "/secrets", kViewer, "names of the secrets; values are never sent", list_secrets},
    Route{"PUT", "/secrets/{name}", kAuthor, "set a secret", set_secret, "", "value"},
    Route{"DELETE", "/secrets/{name}", kAuthor, "delete a secret", delete_secret},

    Route{"GET", "/pools", kViewer, "all pools with what is used of them and waits for them", list_pools},
    Route{"GET", "/pools/{name}", kViewer, "one pool", get_pool},
    Route{"PUT", "/pools/{name}", kAuthor, "set or resize a pool; what it holds goes on", set_pool, "",
          "slots description?"},
    Route{"DELETE", "/pools/{name}", kAuthor, "delete a pool that nobody uses or waits for", delete_pool},

    Route{"GET", "/tokens", kAdmin, "all API tokens; what they are is not kept", list_tokens},
    Route{"POST", "/tokens", kAdmin, "make a token; the reply shows it, nothing does later", create_token, "",
          "role note? expires_in?"},
    Route{"DELETE", "/tokens/{id}", kAdmin, "revoke a token", revoke_token},
    Route{"GET", "/audit", kAdmin, "who asked for which change, newest first; each entry is chained to the one before",
          list_audit, "limit? before?"},

    Route{"GET", "/services", kViewer, "what service tasks deployed", list_services},
    Route{"GET", "/services/{name}", kViewer, "one service, and whether it is up", get_service},
    Route{"GET", "/services/{name}/logs", kViewer, "lines of the live revision's log from an offset on",
          get_service_logs, "offset?"},
    Route{"POST", "/services/{name}/rollback", kAdmin,
          "deploy again what was live before, or what `run` deployed; the reply is that run", rollback_service, "",
          "run?"},
    Route{"POST", "/services/{name}/stop", kAdmin, "stop a service", stop_service},
};

}  // namespace

std::span<const Route> routes() { return kRoutes; }

}  // namespace slipway::api
