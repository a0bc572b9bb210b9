// The setup function of every verb, in the order of commands.cc. Each stands in cmd_<name>.cc.
#pragma once

#include "cli/command.h"

namespace slipway::cli {

Handler setup_up(CLI::App& app);
Handler setup_down(CLI::App& app);
Handler setup_demo(CLI::App& app);

Handler setup_dag_validate(CLI::App& app);
Handler setup_dag_fmt(CLI::App& app);
Handler setup_dag_list(CLI::App& app);
Handler setup_dag_show(CLI::App& app);
Handler setup_dag_test(CLI::App& app);
Handler setup_dag_render(CLI::App& app);
Handler setup_dag_explain(CLI::App& app);
Handler setup_dag_schema(CLI::App& app);
Handler setup_dag_versions(CLI::App& app);
Handler setup_dag_diff(CLI::App& app);
Handler setup_dag_plan(CLI::App& app);
Handler setup_dag_pause(CLI::App& app);
Handler setup_dag_unpause(CLI::App& app);

Handler setup_run_start(CLI::App& app);
Handler setup_run_list(CLI::App& app);
Handler setup_run_get(CLI::App& app);
Handler setup_run_watch(CLI::App& app);
Handler setup_run_wait(CLI::App& app);
Handler setup_run_logs(CLI::App& app);
Handler setup_run_events(CLI::App& app);
Handler setup_run_diff(CLI::App& app);
Handler setup_run_cancel(CLI::App& app);
Handler setup_run_retry(CLI::App& app);
Handler setup_run_clear(CLI::App& app);
Handler setup_run_mark(CLI::App& app);
Handler setup_run_resume(CLI::App& app);
Handler setup_run_backfill(CLI::App& app);

Handler setup_backfill_list(CLI::App& app);
Handler setup_backfill_get(CLI::App& app);
Handler setup_backfill_wait(CLI::App& app);
Handler setup_backfill_cancel(CLI::App& app);

Handler setup_task_logs(CLI::App& app);
Handler setup_task_get(CLI::App& app);
Handler setup_task_attempts(CLI::App& app);
Handler setup_task_why(CLI::App& app);
Handler setup_task_approve(CLI::App& app);

Handler setup_dataset_list(CLI::App& app);
Handler setup_dataset_get(CLI::App& app);
Handler setup_dataset_touch(CLI::App& app);

Handler setup_schedule_list(CLI::App& app);
Handler setup_schedule_next(CLI::App& app);
Handler setup_pool_list(CLI::App& app);
Handler setup_pool_get(CLI::App& app);
Handler setup_pool_set(CLI::App& app);
Handler setup_pool_delete(CLI::App& app);
Handler setup_var_set(CLI::App& app);
Handler setup_var_get(CLI::App& app);
Handler setup_var_list(CLI::App& app);
Handler setup_var_delete(CLI::App& app);
Handler setup_secret_set(CLI::App& app);
Handler setup_secret_list(CLI::App& app);
Handler setup_secret_delete(CLI::App& app);
Handler setup_service_list(CLI::App& app);
Handler setup_service_get(CLI::App& app);
Handler setup_service_logs(CLI::App& app);
Handler setup_service_stop(CLI::App& app);
Handler setup_service_rollback(CLI::App& app);

Handler setup_config_list(CLI::App& app);
Handler setup_config_get(CLI::App& app);
Handler setup_config_lint(CLI::App& app);
Handler setup_db_check(CLI::App& app);
Handler setup_db_migrate(CLI::App& app);
Handler setup_db_release(CLI::App& app);
Handler setup_db_backup(CLI::App& app);
Handler setup_db_prune(CLI::App& app);
Handler setup_db_restore(CLI::App& app);
Handler setup_auth_token_create(CLI::App& app);
Handler setup_auth_token_list(CLI::App& app);
Handler setup_auth_token_revoke(CLI::App& app);
Handler setup_audit(CLI::App& app);
Handler setup_init(CLI::App& app);
Handler setup_api(CLI::App& app);
Handler setup_doctor(CLI::App& app);
Handler setup_debug_bundle(CLI::App& app);
Handler setup_version(CLI::App& app);
Handler setup_completion(CLI::App& app);
Handler setup_help(CLI::App& app);
Handler setup_man(CLI::App& app);
Handler setup_fetch(CLI::App& app);
Handler setup_fetch_inputs(CLI::App& app);
Handler setup_prepare(CLI::App& app);

Handler setup_train(CLI::App& app);
Handler setup_merge(CLI::App& app);
Handler setup_evaluate(CLI::App& app);
Handler setup_generate(CLI::App& app);
Handler setup_serve_model(CLI::App& app);
Handler setup_tokenize(CLI::App& app);
Handler setup_debug_logits(CLI::App& app);
Handler setup_debug_eval_loss(CLI::App& app);
Handler setup_debug_grads(CLI::App& app);

}  // namespace slipway::cli
