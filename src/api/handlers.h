// One function per route: read the call, ask the store or the engine, shape the reply.
#pragma once

#include "api/call.h"

namespace slipway::api {

// server_handlers.cc
[[nodiscard]] Result<http::Response> get_health(const Call& call);
[[nodiscard]] Result<http::Response> get_version(const Call& call);
[[nodiscard]] Result<http::Response> prune_db(const Call& call);
[[nodiscard]] Result<http::Response> check_db(const Call& call);
[[nodiscard]] Result<http::Response> backup_db(const Call& call);

// dag_handlers.cc
[[nodiscard]] Result<http::Response> list_dags(const Call& call);
[[nodiscard]] Result<http::Response> get_dag(const Call& call);
[[nodiscard]] Result<http::Response> get_source(const Call& call);
[[nodiscard]] Result<http::Response> pause_dag(const Call& call);
[[nodiscard]] Result<http::Response> start_run(const Call& call);
[[nodiscard]] Result<http::Response> list_schedules(const Call& call);

// run_handlers.cc
[[nodiscard]] Result<http::Response> list_runs(const Call& call);
[[nodiscard]] Result<http::Response> get_run(const Call& call);
[[nodiscard]] Result<http::Response> list_events(const Call& call);
[[nodiscard]] Result<http::Response> listen_to_events(const Call& call);
[[nodiscard]] Result<http::Response> diff_runs(const Call& call);

// action_handlers.cc
[[nodiscard]] Result<http::Response> cancel_run(const Call& call);
[[nodiscard]] Result<http::Response> retry_run(const Call& call);
[[nodiscard]] Result<http::Response> clear_run(const Call& call);
[[nodiscard]] Result<http::Response> mark_run(const Call& call);
[[nodiscard]] Result<http::Response> resume_run(const Call& call);

// backfill_handlers.cc
[[nodiscard]] Result<http::Response> start_backfill(const Call& call);
[[nodiscard]] Result<http::Response> list_backfills(const Call& call);
[[nodiscard]] Result<http::Response> get_backfill(const Call& call);
[[nodiscard]] Result<http::Response> cancel_backfill(const Call& call);

// version_handlers.cc
[[nodiscard]] Result<http::Response> list_versions(const Call& call);
[[nodiscard]] Result<http::Response> diff_versions(const Call& call);
[[nodiscard]] Result<http::Response> plan_dag(const Call& call);

// task_handlers.cc
[[nodiscard]] Result<http::Response> get_logs(const Call& call);
[[nodiscard]] Result<http::Response> list_attempts(const Call& call);
[[nodiscard]] Result<http::Response> get_why(const Call& call);
[[nodiscard]] Result<http::Response> answer_task(const Call& call);

// dataset_handlers.cc
[[nodiscard]] Result<http::Response> list_datasets(const Call& call);
[[nodiscard]] Result<http::Response> touch_dataset(const Call& call);

// setting_handlers.cc
[[nodiscard]] Result<http::Response> list_vars(const Call& call);
[[nodiscard]] Result<http::Response> get_var(const Call& call);
[[nodiscard]] Result<http::Response> set_var(const Call& call);
[[nodiscard]] Result<http::Response> delete_var(const Call& call);
[[nodiscard]] Result<http::Response> list_secrets(const Call& call);
[[nodiscard]] Result<http::Response> set_secret(const Call& call);
[[nodiscard]] Result<http::Response> delete_secret(const Call& call);

// service_handlers.cc
[[nodiscard]] Result<http::Response> list_services(const Call& call);
[[nodiscard]] Result<http::Response> get_service(const Call& call);
[[nodiscard]] Result<http::Response> get_service_logs(const Call& call);
[[nodiscard]] Result<http::Response> stop_service(const Call& call);
[[nodiscard]] Result<http::Response> rollback_service(const Call& call);

// token_handlers.cc
[[nodiscard]] Result<http::Response> list_tokens(const Call& call);
[[nodiscard]] Result<http::Response> create_token(const Call& call);
[[nodiscard]] Result<http::Response> revoke_token(const Call& call);
[[nodiscard]] Result<http::Response> list_audit(const Call& call);

// pool_handlers.cc
[[nodiscard]] Result<http::Response> list_pools(const Call& call);
[[nodiscard]] Result<http::Response> get_pool(const Call& call);
[[nodiscard]] Result<http::Response> set_pool(const Call& call);
[[nodiscard]] Result<http::Response> delete_pool(const Call& call);

}  // namespace slipway::api
