#include <algorithm>
#include <charconv>
#include <ostream>

#include "cli/compute_choice.h"
#include "cli/ml_options.h"
#include "cli/step_io.h"
#include "cli/verbs.h"
#include "cli/version.h"
#include "slipway/base/rng.h"
#include "slipway/serve/model_server.h"

namespace slipway::cli {
namespace {

struct Settings {
  serve::ServeOptions options;
  std::string model;
  std::vector<std::string> adapters;  // name=folder
  std::string drain = "30s";
  ComputeChoice choice;
  CLI::Option* port = nullptr;
  CLI::Option* host = nullptr;
};

// "" or what is wrong.
std::string complete(Settings& settings, const Session& session) {
  settings.options.model = settings.model;
  for (const std::string& adapter : settings.adapters) {
    const auto equals = adapter.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == adapter.size())
      return "--adapter takes NAME=FOLDER, not `" + adapter + "`";
    const std::string name = adapter.substr(0, equals);
    if (std::ranges::find(settings.options.adapters, name, &serve::AdapterSource::name) !=
        settings.options.adapters.end())
      return "--adapter names `" + name + "` twice";
    settings.options.adapters.push_back({name, adapter.substr(equals + 1)});
  }
  if (const std::string host = session.variable("SLIPWAY_HOST"); settings.host->count() == 0 && !host.empty())
    settings.options.host = host;
  if (const std::string port = session.variable("PORT"); settings.port->count() == 0 && !port.empty()) {
    const char* end = port.data() + port.size();
    const auto [stop, error] = std::from_chars(port.data(), end, settings.options.port);
    if (error != std::errc() || stop != end) return "PORT is `" + port + "`, which is no port";
  }
  return {};
}

int serve_until_stopped(const Settings& settings, Session& session, StepSurroundings& surroundings) {
  const auto limit = parse_duration(settings.drain);
  if (!limit) return session.usage("--drain: " + limit.error().message);
  const SystemClock clock;
  const auto log = Logger::to_stderr(session.globals.quiet ? LogLevel::Error : LogLevel::Info, LogFormat::Text);
  const auto server = serve::ModelServer::start(settings.options, clock, log);
  if (!server) return mlsteps::fail(surroundings.io(), server.error());
  const std::string address = settings.options.host + ":" + std::to_string((*server)->port());
  session.out << "listening on http://" << address << std::endl;
  if (const auto ready = (*server)->wait_ready(); !ready) return mlsteps::fail(surroundings.io(), ready.error());
  log.info("model is ready",
           {{"model", settings.model}, {"address", address}, {"context", std::to_string((*server)->context())}});
  surroundings.signals().wait();
  log.info("draining", {{"limit", settings.drain}});
  (*server)->drain(*limit);
  return kStepOk;
}

}  // namespace

Handler setup_serve_model(CLI::App& app) {
  auto settings = std::make_shared<Settings>();
  auto& options = settings->options;
  app.add_option("--model", settings->model, "folder of the model")->required();
  app.add_option("--served-model-name", options.model_name, "its name in /v1/models [the folder]");
  app.add_option("--adapter", settings->adapters, "NAME=FOLDER of a PEFT adapter that requests may name; repeatable")
      ->take_all();
  settings->host = app.add_option("--host", options.host, "address to listen on [127.0.0.1, or SLIPWAY_HOST]");
  settings->port = app.add_option("--port", options.port, "0: any free one [8000, or PORT]");
  add_enum(app, "--response-format", options.format, serve::kResponseFormats, "shape of /generate's reply");
  app.add_option("--max-num-seqs", options.sequences_max, "sequences decoded together [16]")->check(CLI::Range(1, 256));
  app.add_option("--max-num-batched-tokens", options.step_tokens,
                 "tokens computed in one step; longer prompts are cut so that others go on [256]")
      ->check(CLI::Range(64, 65536));
  app.add_option("--kv-cache-memory", options.kv_bytes_max,
                 "for keys and values, as 2GiB [half of what the weights leave]")
      ->transform(CLI::AsSizeValue(false));
  app.add_flag("--prefix-caching,!--no-prefix-caching", options.prefix_cache,
               "keep the beginnings of prompts for those that begin alike [yes]");
  app.add_option("--max-queue", options.queue_max, "prompts in work and waiting; more get 429 [64]")
      ->check(CLI::Range(1, 1024));
  app.add_option("--max-body", options.body_bytes_max, "largest body of a request; larger ones get 413 [1MiB]")
      ->transform(CLI::AsSizeValue(false));
  app.add_option("--max-tokens-limit", options.max_tokens_max, "largest `max_tokens` of a request [4096]");
  app.add_option("--max-prompt-tokens", options.prompt_tokens_max, "longest prompt [what the context leaves]");
  app.add_option("--drain", settings->drain, "time to finish after SIGTERM [30s]");
  add_enum(app, "--weights", options.weights, ml::kWeightForms, "how the matrices are kept [stored]");
  add_compute(app, settings->choice);
  return [settings](Session& session) {
    StepSurroundings surroundings(session);
    if (const std::string problem = complete(*settings, session); !problem.empty()) return session.usage(problem);
    const auto compute = resolve(settings->choice, surroundings.io().clock);
    if (!compute) return mlsteps::fail(surroundings.io(), compute.error());
    settings->options.compute = *compute;
    settings->options.seed = entropy();
    settings->options.version = kVersion;
    settings->options.started_s = to_micros(SystemClock().now()) / 1'000'000;
    return serve_until_stopped(*settings, session, surroundings);
  };
}

}  // namespace slipway::cli
