// From a task and the state of its run to what an executor is told: commands, environment, secrets.
#pragma once

#include "slipway/engine/engine.h"

namespace slipway::engine {

struct RenderInput {
  const Options& options;
  const run::Snapshot& snapshot;
  const run::ActiveRun& run;
  const dag::Task& task;
  AttemptId id;
};

// What is launched. `shown` is recorded with the attempt and holds no secret:
//   {"argv": […], "env": {…}, "secret_env": [names], "workdir", "smoke_body" (services that post),
//    "resources": {"cpu" (cores), "memory" (bytes)}, "run_as", "secret_files": {NAME: file}, "inputs": {NAME: uri},
//    "manifests": [objects] (where a cluster is given them),
//    "executor", "image", "args": […], "labels", "annotations": {…} (pods; `argv` is empty for an image's entrypoint),
//    "produces", "consumes": [URIs], "cache": {"key", "parts"} or {"off": why} (tasks with `cache`)}
// where a secret variable has the value "***", and what does not apply is absent. `env` is what the task itself says:
// what every task gets besides follows from the run, the attempt's id and the options, and would be most of what is
// stored.
struct Secrets {
  std::map<std::string, Secret> env;
  std::map<std::string, Secret> files;  // by name of the secret
};
struct RenderedLaunch {
  Value shown;
  Secrets secrets;
};

// An error becomes the task's failure, of the class that failure_of() tells.
[[nodiscard]] Result<RenderedLaunch> render_launch(const RenderInput& input, SecretSource& secrets);
// Only the secrets, for an attempt whose `shown` is recorded already.
[[nodiscard]] Result<Secrets> render_secrets(const RenderInput& input, SecretSource& secrets);
// `set_vars` of a task that succeeded with `outputs`: an object, or null where it sets none. `shown` is what was
// launched.
[[nodiscard]] Result<Value> render_vars(const RenderInput& input, const Value& outputs, const Value& shown);
// Config for a secret that cannot be had (code NotFound), Render for an expression.
[[nodiscard]] run::FailureClass failure_of(const Error& error);

// docs/dag-format.md, "What a task gets and gives", but for what depends on the executor.
void add_contract(const run::RunHeader& header, const AttemptId& id, const std::string& server_url,
                  std::map<std::string, std::string>& env);
[[nodiscard]] exec::PodSpec pod_spec(const dag::Task& task, const Value& shown);
[[nodiscard]] exec::RolloutSpec rollout_spec(const dag::Task& task, const Value& shown);
// Where the workspace lies in a pod.
inline constexpr std::string_view kPodWorkspace = "/slipway/workspace";
// The executor by name, of what was shown; empty: the local one.
[[nodiscard]] std::string executor_of(const Value& shown);
[[nodiscard]] exec::LaunchSpec to_spec(const RenderInput& input, const Value& shown, Secrets secrets);

}  // namespace slipway::engine
