#include "engine/render.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <set>

#include "engine/render_wait.h"
#include "slipway/base/sha256.h"
#include "slipway/dag/expr.h"
#include "slipway/sched/planner.h"
#include "slipway/sched/scope.h"

namespace slipway::engine {
namespace {

constexpr std::string_view kMask = "***";
// Of NAME=value with its NUL, as Linux has it (MAX_ARG_STRLEN): nothing can be started with a longer one.
constexpr std::size_t kVariableBytesMax = 128U << 10U;

Error failed(const std::string& field, const Error& error) {
  return {ErrorCode::InvalidArgument, field + ": " + error.message, error.help};
}

std::string upper_name(std::string_view name) {
  std::string upper(name);
  for (char& c : upper) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? static_cast<char>(std::toupper(c)) : '_';
  return upper;
}

std::string hex(std::uint64_t bits) {
  std::string text(16, '0');
  for (std::size_t i = 16; i-- > 0; bits >>= 4U) text[i] = "0123456789abcdef"[bits & 15U];
  return text;
}

// Ids from names, so that a trace goes on after a restart of the daemon.
std::string traceparent(const AttemptId& id) {
  const std::string& run = id.run.str();
  return "00-" + hex(stable_hash("trace/" + run)) + hex(stable_hash("trace2/" + run)) + "-" +
         hex(stable_hash("span/" + id.str())) + "-01";
}

constexpr std::string_view kKubernetes = "kubernetes";

bool is_rollout(const dag::Task& task) {
  return run::runs_as_pod(task) && (task.kind == dag::TaskKind::Service || task.kind == dag::TaskKind::Apply);
}

std::string workspace_of(const RenderInput& in) {
  if (run::runs_as_pod(in.task)) return std::string(kPodWorkspace);
  return in.options.home + "/workspace/" + in.id.run.str();
}

// Names of files and folders of this machine.
void add_local_places(const RenderInput& in, std::map<std::string, std::string>& env) {
  env["SLIPWAY_OUTPUT"] = in.options.home + "/attempts/" + in.id.run.str() + "/" + in.id.key.str() + "." +
                          std::to_string(in.id.number) + "/output.json";
  env["SLIPWAY_WORKSPACE"] = workspace_of(in);
  env["SLIPWAY_ARTIFACTS"] = "file://" + in.options.home + "/artifacts/" + in.id.str();
  if (in.options.tool.empty()) return;
  std::string& path = env["PATH"];
  const std::string folder = std::filesystem::path(in.options.tool).parent_path().string();
  path = path.empty() ? folder : folder + ":" + path;
}

class Renderer {
 public:
  Renderer(const RenderInput& input, SecretSource& source) : in_(input), source_(source) {
    collect_texts();
    scope_.names = sched::names_for(in_.snapshot, in_.run, templates_, &in_.run.state.tasks.at(in_.id.key));
  }

  Result<RenderedLaunch> launch() {
    if (in_.task.kind == dag::TaskKind::Image && !is_pod_)
      return Error{ErrorCode::InvalidArgument, "an image's own entrypoint needs a cluster, and this task runs locally",
                   "write executor: kubernetes, or the command to run"};
    SLIPWAY_TRY(render_env());
    RenderedLaunch out;
    Value::Array argv;
    if (!has_manifests_) SLIPWAY_TRY(render_argv(argv));
    out.shown["argv"] = std::move(argv);
    if (has_manifests_) SLIPWAY_TRY(render_manifests(out.shown));
    if (is_pod_) SLIPWAY_TRY(render_pod(out.shown));
    std::string workdir;
    SLIPWAY_TRY(render_workdir(workdir));
    out.shown["workdir"] = std::move(workdir);
    if (in_.task.service && in_.task.service->smoke && in_.task.service->smoke->post) {
      SLIPWAY_TRY_ASSIGN(const Value body, render_json(in_.task.service->smoke->json, scope_, "smoke.json"));
      out.shown["smoke_body"] = body.dump();
    }
    Value::Object inputs;
    SLIPWAY_TRY(render_inputs(inputs));
    SLIPWAY_TRY(render_data(inputs, out.shown));
    add_inputs(inputs);
    if (!inputs.empty()) out.shown["inputs"] = std::move(inputs);
    Value::Array secret_names;
    for (const auto& [name, secret] : secret_env_) {
      secret_names.emplace_back(name);
      env_[name] = kMask;
    }
    if (is_pod_)  // its environment refers to them
      for (const std::string& name : in_.task.secrets) secret_names.emplace_back(name);
    out.shown["env"] = std::move(env_);
    out.shown["secret_env"] = std::move(secret_names);
    add_place(out.shown);
    out.secrets = take_secrets();
    return out;
  }

  Result<Secrets> secrets_only() {
    SLIPWAY_TRY(render_env());
    return take_secrets();
  }

 private:
  // What an executor of containers is told besides.
  Result<void> render_pod(Value& shown) {
    shown["executor"] = is_rollout(in_.task) ? exec::kRollouts : kKubernetes;
    if (in_.task.image) {
      const auto image = dag::render(*in_.task.image, scope_);
      if (!image) return failed("image", image.error());
      shown["image"] = image->text;
    }
    SLIPWAY_TRY(render_list("args", in_.task.pod.args, shown));
    for (const auto& [field, texts] :
         {std::pair("labels", &in_.task.pod.labels), std::pair("annotations", &in_.task.pod.annotations)}) {
      Value::Object rendered;
      for (const auto& [name, text] : *texts) {
        const auto value = dag::render(text, scope_);
        if (!value) return failed(std::string(field) + "." + name, value.error());
        rendered[name] = value->text;
      }
      if (!rendered.empty()) shown[field] = std::move(rendered);
    }
    return {};
  }

  Result<void> render_manifests(Value& shown) {
    Value::Array objects;
    for (const dag::Manifest& manifest : in_.task.manifests) {
      SLIPWAY_TRY_ASSIGN(Value object, render_json(manifest.object, scope_, manifest.file));
      objects.push_back(std::move(object));
    }
    shown["manifests"] = std::move(objects);
    return {};
  }

  // Datasets, and what decides whether an earlier result will do.
  Result<void> render_data(const Value::Object& inputs, Value& shown) {
    SLIPWAY_TRY(render_list("produces", in_.task.produces, shown));
    SLIPWAY_TRY(render_list("consumes", in_.task.consumes, shown));
    if (!in_.task.cache) return {};
    std::string image;
    if (in_.task.image) {
      const auto rendered = dag::render(*in_.task.image, scope_);
      if (!rendered) return failed("image", rendered.error());
      image = rendered->text;
    }
    Value key;
    SLIPWAY_TRY(render_list("key", in_.task.cache->key, key));
    shown["cache"] = cache_key(shown, image, inputs, key["key"]);
    return {};
  }
  Result<void> render_list(const char* field, const std::vector<dag::Template>& texts, Value& out) {
    if (texts.empty()) return {};
    Value::Array list;
    for (const dag::Template& text : texts) {
      const auto rendered = dag::render(text, scope_);
      if (!rendered) return failed(field, rendered.error());
      list.emplace_back(rendered->text);
    }
    out[field] = std::move(list);
    return {};
  }

  // Each part is kept as a hash, so that the next miss can say what differs; of secrets only the names count.
  [[nodiscard]] Value cache_key(const Value& shown, const std::string& image, const Value::Object& inputs,
                                const Value& key) const {
    if (!image.empty() && image.find("@sha256:") == std::string::npos)
      return Value::Object{{"off", "the image " + image + " has no digest"}};
    const auto hash = [](const Value& value) { return Value(sha256_hex(value.dump()).substr(0, 16)); };
    Value::Object parts{{"command", hash(*shown.find("argv"))}, {"image", image}, {"key", hash(key)}};
    for (const auto& [name, value] : scope_.names.find("env")->as_object()) parts["env." + name] = hash(value);
    for (const auto& [name, secret] : secret_env_) parts["env." + name] = "secret";
    for (const auto& [name, uri] : inputs) parts["inputs." + name] = hash(uri);
    for (const auto& [name, value] : in_.run.state.header.params.as_object()) parts["params." + name] = hash(value);
    Value::Object whole{{"dag", in_.run.dag->id.str()}, {"task", in_.id.key.str()}, {"parts", parts}};
    return Value::Object{{"key", sha256_hex(Value(std::move(whole)).dump())}, {"parts", std::move(parts)}};
  }

  [[nodiscard]] const dag::Command& command() const { return in_.task.service ? in_.task.service->run : in_.task.run; }

  void collect_texts() {
    for (const dag::Template& word : command().words) templates_.push_back(&word);
    for (const auto& [name, text] : in_.task.env) templates_.push_back(&text);
    for (const auto& [name, uri] : in_.task.inputs) templates_.push_back(&uri);
    if (in_.task.workdir) templates_.push_back(&*in_.task.workdir);
    if (in_.task.image) templates_.push_back(&*in_.task.image);
    for (const dag::Template& word : in_.task.pod.args) templates_.push_back(&word);
    for (const auto* texts : {&in_.task.pod.labels, &in_.task.pod.annotations})
      for (const auto& [name, text] : *texts) templates_.push_back(&text);
    for (const auto* texts : {&in_.task.produces, &in_.task.consumes})
      for (const dag::Template& text : *texts) templates_.push_back(&text);
    if (in_.task.cache)
      for (const dag::Template& text : in_.task.cache->key) templates_.push_back(&text);
    if (in_.task.service && in_.task.service->smoke) collect_templates(in_.task.service->smoke->json, json_texts_);
    if (has_manifests_)
      for (const dag::Manifest& manifest : in_.task.manifests) collect_templates(manifest.object, json_texts_);
    for (const dag::Template& text : json_texts_) templates_.push_back(&text);
  }

  // Opens the secrets that `secrets:` names and those that expressions in `env:` read.
  Result<void> open_secrets() {
    std::set<std::string> names;
    if (!is_pod_) names.insert(in_.task.secrets.begin(), in_.task.secrets.end());
    const auto any = [](const std::vector<std::string>&) { return Result<dag::NameInfo>(dag::NameInfo{}); };
    for (const auto& [variable, text] : in_.task.env) {
      if (!text.has_expression()) continue;
      Diagnostics ignored;
      for (const auto& path : dag::check_template(text, any, ignored).names)
        if (path.size() >= 2 && path[0] == "secrets") names.insert(path[1]);
      if (is_pod_ && !names.empty())
        return Error{ErrorCode::InvalidArgument,
                     "env." + variable + " is made of secret `" + *names.begin() +
                         "`, and a pod's secrets are known to the pod alone",
                     "name it under `secrets`, and put the text together in the command"};
    }
    if (!is_pod_)
      for (const auto& [name, file] : in_.task.secret_files) names.insert(name);
    for (const std::string& name : names) {
      auto secret = source_.get(name);
      if (!secret) return Error{ErrorCode::NotFound, "secret `" + name + "`: " + secret.error().message, {}};
      opened_.emplace(name, *std::move(secret));
    }
    return {};
  }

  Result<void> render_env() {
    SLIPWAY_TRY(open_secrets());
    dag::Scope with_secrets{scope_.names, &opened_};
    Value::Object own;
    for (const auto& [name, text] : in_.task.env) {
      const auto rendered = dag::render(text, with_secrets);
      if (!rendered) return failed("env." + name, rendered.error());
      if (rendered->secret) {
        secret_env_.insert_or_assign(name, Secret(rendered->text));
      } else {
        env_[name] = rendered->text;
        own[name] = rendered->text;
      }
    }
    if (!is_pod_)
      for (const std::string& name : in_.task.secrets) secret_env_.insert_or_assign(name, opened_.at(name));
    scope_.names["env"] = std::move(own);
    return {};
  }

  Result<void> render_argv(Value::Array& argv) {
    if (command().shell) argv = {"/bin/sh", "-ec"};
    const dag::TextUse use = command().shell ? dag::TextUse::Shell : dag::TextUse::Plain;
    for (const dag::Template& word : command().words) {
      const auto rendered = dag::render(word, scope_, use);
      if (!rendered) return failed("run", rendered.error());
      argv.emplace_back(rendered->text);
    }
    return {};
  }

  // A relative folder lies in the run's workspace. An image's own entrypoint has a folder of its own.
  Result<void> render_workdir(std::string& workdir) {
    const bool own_entrypoint =
        in_.task.kind == dag::TaskKind::Image || (is_rollout(in_.task) && command().words.empty());
    if (own_entrypoint && !in_.task.workdir) return {};
    workdir = workspace_of(in_);
    if (!in_.task.workdir) return {};
    const auto rendered = dag::render(*in_.task.workdir, scope_);
    if (!rendered) return failed("workdir", rendered.error());
    workdir = (std::filesystem::path(workdir) / rendered->text).string();
    return {};
  }

  Result<void> render_inputs(Value::Object& inputs) {
    for (const auto& [name, uri] : in_.task.inputs) {
      const auto rendered = dag::render(uri, scope_);
      if (!rendered) return failed("inputs." + name, rendered.error());
      inputs[name] = rendered->text;
    }
    return {};
  }

  // Beside the run's workspace and the same for every attempt, so that a further one replaces what it finds.
  void add_inputs(const Value::Object& inputs) {
    for (const auto& [name, uri] : inputs)
      env_["SLIPWAY_INPUT_" + upper_name(name)] = workspace_of(in_) + "/.inputs/" + in_.id.key.str() + "/" + name;
    if (!inputs.empty()) env_["SLIPWAY_INPUTS"] = Value(inputs).dump();
  }

  void add_place(Value& shown) {
    Value::Object resources;
    const std::int64_t memory = sched::next_memory(in_.task, in_.run.state, in_.id.key);
    if (memory > 0) resources["memory"] = memory;
    if (in_.task.resources.cpu_milli > 0) resources["cpu"] = static_cast<double>(in_.task.resources.cpu_milli) / 1000;
    if (!resources.empty()) shown["resources"] = std::move(resources);
    if (!in_.task.run_as.empty()) shown["run_as"] = in_.task.run_as;
    Value::Object files;
    for (const auto& [name, file] : in_.task.secret_files) files[name] = file;
    if (!files.empty()) shown["secret_files"] = std::move(files);
  }

  Secrets take_secrets() {
    Secrets secrets;
    if (!is_pod_)
      for (const auto& [name, file] : in_.task.secret_files) secrets.files.insert_or_assign(name, opened_.at(name));
    secrets.env = std::move(secret_env_);
    return secrets;
  }

  const RenderInput& in_;
  SecretSource& source_;
  const bool is_pod_ = run::runs_as_pod(in_.task);
  const bool has_manifests_ = is_pod_ && !in_.task.manifests.empty();
  std::vector<dag::Template> json_texts_;
  std::vector<const dag::Template*> templates_;
  dag::Scope scope_;
  std::map<std::string, Secret> opened_;
  Value::Object env_;
  std::map<std::string, Secret> secret_env_;
};

std::optional<exec::ServiceSpec> service_spec(const RenderInput& input, const Value& shown) {
  if (!input.task.service) return std::nullopt;
  const dag::Service& service = *input.task.service;
  exec::ServiceSpec spec{service.name, input.run.dag->id, service.port, service.health, {}, service.rollout_timeout};
  if (service.smoke)
    spec.smoke = {service.smoke->post, service.smoke->path, shown.get_string("smoke_body"), service.smoke->expect};
  return spec;
}

}  // namespace

// These names win over a task's own `env`.
void add_contract(const run::RunHeader& header, const AttemptId& id, const std::string& server_url,
                  std::map<std::string, std::string>& env) {
  env["SLIPWAY_DAG"] = header.dag.str();
  env["SLIPWAY_RUN"] = header.id.str();
  env["SLIPWAY_TASK"] = id.key.task.str();
  env["SLIPWAY_MAP_INDEX"] = std::to_string(id.key.map_index);
  env["SLIPWAY_ATTEMPT"] = std::to_string(id.number);
  env["SLIPWAY_ATTEMPT_ID"] = id.str();
  env["SLIPWAY_LOGICAL_DATE"] = to_rfc3339(header.logical_date);
  env["SLIPWAY_INTERVAL_START"] = to_rfc3339(header.interval_start);
  env["SLIPWAY_INTERVAL_END"] = to_rfc3339(header.interval_end);
  env["SLIPWAY_URL"] = server_url;
  env["TRACEPARENT"] = traceparent(id);
  for (const auto& [name, value] : header.params.as_object()) {
    std::string variable = "SLIPWAY_PARAM_" + upper_name(name);
    std::string text = value.is_string() ? value.as_string() : value.dump();
    if (variable.size() + text.size() + 2 <= kVariableBytesMax) env[std::move(variable)] = std::move(text);
  }
}

exec::PodSpec pod_spec(const dag::Task& task, const Value& shown) {
  const dag::Pod& pod = task.pod;
  exec::PodSpec spec;
  spec.namespace_name = pod.namespace_name;
  spec.image = shown.get_string("image");
  spec.image_pull_policy = pod.image_pull_policy;
  if (const Value* args = shown.find("args"))
    for (const Value& word : args->as_array()) spec.args.push_back(word.as_string());
  spec.disk_bytes = pod.disk_bytes;
  spec.gpus = pod.gpus;
  spec.gpu_type = pod.gpu_type;
  for (const auto& [field, texts] : {std::pair("labels", &spec.labels), std::pair("annotations", &spec.annotations)})
    if (const Value* rendered = shown.find(field))
      for (const auto& [name, text] : rendered->as_object()) texts->emplace(name, text.as_string());
  spec.fragment = pod.fragment;
  spec.baseline = pod.baseline;
  spec.service_account = pod.service_account;
  spec.start_timeout = pod.start_timeout;
  spec.timeout = task.timeout;
  spec.restartable = task.idempotent;
  spec.retry_on_delete = pod.retry_on_delete;
  spec.trust_exit_zero = pod.trust_exit_zero;
  spec.env_secrets = pod.env_secrets;
  spec.env_config_maps = pod.env_config_maps;
  const auto place_of = [&](const std::string& name) {
    const auto named = pod.secrets.find(name);
    return named == pod.secrets.end() ? exec::SecretRef{"", name}
                                      : exec::SecretRef{named->second.secret, named->second.key};
  };
  for (const std::string& name : task.secrets) spec.secret_env[name] = place_of(name);
  for (const auto& [name, file] : task.secret_files) {
    spec.secret_files[file] = place_of(name);
    spec.file_variables[file] = name + "_FILE";
  }
  return spec;
}

exec::RolloutSpec rollout_spec(const dag::Task& task, const Value& shown) {
  exec::RolloutSpec spec;
  spec.recreate = task.service && task.service->recreate;
  if (const Value* objects = shown.find("manifests")) spec.objects = objects->as_array();
  return spec;
}

Result<RenderedLaunch> render_launch(const RenderInput& input, SecretSource& secrets) {
  return Renderer(input, secrets).launch();
}

Result<Secrets> render_secrets(const RenderInput& input, SecretSource& secrets) {
  return Renderer(input, secrets).secrets_only();
}

Result<Value> render_vars(const RenderInput& input, const Value& outputs, const Value& shown) {
  if (!input.task.set_vars.is_object()) return Value();
  std::vector<dag::Template> texts;
  collect_templates(input.task.set_vars, texts);
  std::vector<const dag::Template*> named;
  for (const dag::Template& text : texts) named.push_back(&text);
  dag::Scope scope{sched::names_for(input.snapshot, input.run, named, &input.run.state.tasks.at(input.id.key)),
                   nullptr};
  scope.names["outputs"] = outputs;
  if (const Value* env = shown.find("env")) scope.names["env"] = *env;
  return render_json(input.task.set_vars, scope, "set_vars");
}

run::FailureClass failure_of(const Error& error) {
  return error.code == ErrorCode::NotFound ? run::FailureClass::Config : run::FailureClass::Render;
}

std::string executor_of(const Value& shown) { return shown.get_string("executor"); }

exec::LaunchSpec to_spec(const RenderInput& input, const Value& shown, Secrets secrets) {
  exec::LaunchSpec spec;
  spec.id = input.id;
  spec.dag = input.run.dag->id;
  spec.executor = executor_of(shown);
  const bool is_pod = !spec.executor.empty();
  // The inputs are fetched inside the attempt, so its limits, its log and its end are theirs.
  if (shown.find("inputs") != nullptr)
    spec.argv = {input.options.tool.empty() || is_pod ? "slipway" : input.options.tool, "fetch-inputs", "--"};
  for (const Value& word : shown.find("argv")->as_array()) spec.argv.push_back(word.as_string());
  if (!is_pod) spec.env = input.options.base_env;
  for (const auto& [name, value] : shown.find("env")->as_object()) spec.env[name] = value.as_string();
  add_contract(input.run.state.header, input.id, input.options.server_url, spec.env);
  if (is_pod)
    spec.pod = pod_spec(input.task, shown);
  else
    add_local_places(input, spec.env);
  for (const auto& [name, secret] : secrets.env) spec.env.erase(name);
  spec.secret_env = std::move(secrets.env);
  for (auto& [name, secret] : secrets.files)
    spec.secret_files.insert_or_assign(name, exec::SecretFile{input.task.secret_files.at(name), std::move(secret)});
  if (const Value* resources = shown.find("resources"))
    spec.resources = {input.task.resources.cpu_milli, resources->get_int("memory")};
  spec.run_as = shown.get_string("run_as");
  spec.workdir = shown.get_string("workdir");
  spec.grace = input.task.grace;
  spec.slots = is_pod ? 0 : run::local_slots_of(input.task);
  spec.service = service_spec(input, shown);
  if (is_rollout(input.task)) spec.rollout = rollout_spec(input.task, shown);
  return spec;
}

}  // namespace slipway::engine
