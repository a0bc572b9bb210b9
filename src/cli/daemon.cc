#include "cli/daemon.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>

#include "cli/janitor.h"
#include "cli/post.h"
#include "cli/prober.h"
#include "cli/version.h"
#include "slipway/api/api.h"
#include "slipway/base/file.h"
#include "slipway/dagdir/watcher.h"
#include "slipway/exec/local_executor.h"
#include "slipway/exec/routed_executor.h"
#include "slipway/exec/services.h"
#include "slipway/http/server.h"
#include "slipway/pods/pod_executor.h"
#include "slipway/pods/rollouts.h"
#include "slipway/pods/services.h"
#include "slipway/store/home.h"
#include "slipway/store/sqlite_store.h"
#include "slipway/store/suspect_file.h"
#include "slipway/vault/token.h"
#include "slipway/vault/vault.h"

namespace slipway::cli {
namespace {

// Enough that no slot waits for a commit, and no more than is soon done.
constexpr int kAheadMax = 64;

// What local tasks see of the daemon's environment; everything else stays here.
constexpr std::string_view kPassedOn[] = {
    "PATH", "HOME",   "USER",       "LOGNAME",     "SHELL",    "LANG",          "LC_ALL",
    "TZ",   "TMPDIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SLIPWAY_CASE_HOME"};

// The engine and the executor each need the other; the reports that come before the engine is there cannot be.
class ReportRelay final : public exec::ReportSink {
 public:
  void connect(exec::ReportSink& sink) { sink_ = &sink; }
  void on_report(exec::Report report) override { sink_->on_report(std::move(report)); }

 private:
  exec::ReportSink* sink_ = nullptr;
};

// Opens sealed secrets when a task needs them, from what the store holds at that moment.
class HomeSecrets final : public engine::SecretSource {
 public:
  HomeSecrets(const store::Store& store, const vault::Vault& vault) : store_(store), vault_(vault) {}

  Result<Secret> get(const std::string& name) override {
    SLIPWAY_TRY_ASSIGN(auto sealed, store_.blobs("secret"));
    return vault::SealedSecrets(vault_, std::move(sealed)).get(name);
  }
  std::vector<std::string> names() override {
    std::vector<std::string> names;
    if (const auto sealed = store_.blobs("secret"))
      for (const auto& [name, bytes] : *sealed) names.push_back(name);
    return names;
  }

 private:
  const store::Store& store_;
  const vault::Vault& vault_;
};

std::map<std::string, std::string> passed_on(const std::map<std::string, std::string>& env) {
  std::map<std::string, std::string> chosen;
  for (const std::string_view name : kPassedOn)
    if (const auto it = env.find(std::string(name)); it != env.end()) chosen.insert(*it);
  return chosen;
}

Result<vault::Vault> open_vault(const std::string& home, const store::Store& store) {
  SLIPWAY_TRY_ASSIGN(const auto sealed, store.blobs("secret"));
  return vault::Vault::open(home, sealed.empty() ? vault::Vault::IfAbsent::Create : vault::Vault::IfAbsent::Refuse);
}

// The token of whoever owns the home; its record is stored before anything is served.
Result<void> ensure_token(const std::string& home, store::Store& store, Instant now) {
  SLIPWAY_TRY_ASSIGN(const auto records, store.blobs("token"));
  SLIPWAY_TRY_ASSIGN(const auto issued, vault::ensure_local_token(home, records, now));
  if (issued) SLIPWAY_TRY(store.commit({.blobs = {{{"token", issued->id}, issued->record}}}));
  return {};
}

// Every attempt that the executor watches takes one descriptor.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// Names this database on the cluster: pods of another one are never ours. Made once, by chance.
Result<std::string> instance_of(store::Store& store) {
  SLIPWAY_TRY_ASSIGN(const auto known, store.blobs("instance"));
  if (const auto found = known.find("id"); found != known.end()) return found->second;
  constexpr std::string_view kDigits = "abcdefghijklmnopqrstuvwxyz234567";
  std::string id;
  for (std::uint64_t bits = entropy(); id.size() < 12; bits /= kDigits.size()) id += kDigits[bits % kDigits.size()];
  SLIPWAY_TRY(store.commit({.blobs = {{{"instance", "id"}, id}}}));
  return id;
}

engine::Command folder_command(std::vector<dagdir::File> files) {
  engine::DagFolder folder;
  folder.complete = true;
  for (auto& file : files)
    folder.files.push_back({std::move(file.name), std::move(file.text), true, std::move(file.beside)});
  return folder;
}

}  // namespace

// In the order of construction; destroyed from the last to the first.
struct Daemon::Parts {
  DaemonOptions options;
  Logger log;
  SystemClock clock;
  Rng rng{entropy()};
  std::optional<store::HomeLock> lock;
  std::unique_ptr<store::SuspectFile> suspects;
  std::unique_ptr<store::Store> store;
  std::optional<vault::Vault> vault;
  std::unique_ptr<HomeSecrets> secrets;
  ReportRelay relay;
  std::unique_ptr<exec::Executor> executor;
  std::unique_ptr<kube::Client> service_client;  // with a cluster: for what people ask of services there
  api::EventStream events{clock};
  std::unique_ptr<engine::Engine> engine;
  std::unique_ptr<Post> post;
  std::unique_ptr<http::Transport> transport = http::make_curl_transport();
  std::unique_ptr<LocalProber> prober;
  std::thread engine_thread;
  std::unique_ptr<Janitor> janitor;
  std::unique_ptr<dagdir::Watcher> watcher;
  http::Handler handler;  // set before `serving`
  std::atomic<bool> serving{false};
  std::unique_ptr<http::Server> server;
  std::string url, own_name;
  mutable std::mutex mutex;
  std::optional<Error> failure;  // guarded by mutex

  Parts(DaemonOptions o, Logger l) : options(std::move(o)), log(std::move(l)) {}

  ~Parts() {
    if (!url.empty()) {
      std::error_code ignored;
      std::filesystem::remove(options.home + "/daemon.json", ignored);
    }
    server.reset();
    service_client.reset();
    watcher.reset();
    janitor.reset();
    if (engine) engine->request_stop();
    if (engine_thread.joinable()) engine_thread.join();
    prober.reset();
    post.reset();      // no outcome reaches the engine after this,
    executor.reset();  // and no report
  }

  [[nodiscard]] int slots() const {
    return options.slots > 0 ? options.slots : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  }

  Result<void> open() {
    SLIPWAY_TRY_ASSIGN(lock, store::HomeLock::acquire(options.home));
    SLIPWAY_TRY_ASSIGN(suspects, store::SuspectFile::open(options.home, clock.now()));
    SLIPWAY_TRY_ASSIGN(store, store::open_sqlite(options.home + "/slipway.db"));
    SLIPWAY_TRY_ASSIGN(vault, open_vault(options.home, *store));
    SLIPWAY_TRY(ensure_token(options.home, *store, clock.now()));
    secrets = std::make_unique<HomeSecrets>(*store, *vault);
    exec::LocalOptions local;
    local.home = options.home;
    local.slots = slots();
    exec::RoutedExecutor::Routes routes;
    SLIPWAY_TRY_ASSIGN(routes["local"], exec::make_local_executor(local, relay, clock, log));
    if (options.cluster.cluster) {
      SLIPWAY_TRY_ASSIGN(routes["kubernetes"], make_pods(*options.cluster.cluster));
      SLIPWAY_TRY_ASSIGN(routes[std::string(exec::kRollouts)], make_rollouts(*options.cluster.cluster));
    }
    executor = std::make_unique<exec::RoutedExecutor>(std::move(routes));
    return {};
  }

  Result<std::unique_ptr<exec::Executor>> make_pods(const Cluster& cluster) {
    pods::PodOptions made;
    made.home = options.home;
    made.defaults = cluster.defaults;
    SLIPWAY_TRY_ASSIGN(made.defaults.instance, instance_of(*store));
    made.seed = entropy();
    SLIPWAY_TRY_ASSIGN(auto client, connect_cluster(cluster, clock, *transport, options.env, log));
    log.info("tasks may run as pods", {{"cluster", cluster.config.cluster.server},
                                       {"as", cluster.config.source},
                                       {"namespace", made.defaults.namespace_name}});
    return pods::make_pod_executor(std::move(client), std::move(made), relay, clock, log);
  }

  Result<std::unique_ptr<exec::Executor>> make_rollouts(const Cluster& cluster) {
    pods::RolloutOptions made;
    made.home = options.home;
    made.defaults = cluster.defaults;
    SLIPWAY_TRY_ASSIGN(made.defaults.instance, instance_of(*store));
    SLIPWAY_TRY_ASSIGN(auto client, connect_cluster(cluster, clock, *transport, options.env, log));
    SLIPWAY_TRY_ASSIGN(service_client, connect_cluster(cluster, clock, *transport, options.env, log));
    return pods::make_rollout_executor(std::move(client), std::move(made), relay, clock, log);
  }

  // Wherever it runs.
  Result<void> stop_service(const ServiceId& name) const {
    if (service_client) {
      SLIPWAY_TRY_ASSIGN(const bool stopped, pods::stop_cluster_service(*service_client, options.home, name));
      if (stopped) return {};
    }
    return exec::stop_service(options.home, name, std::chrono::seconds(60));
  }

  [[nodiscard]] std::optional<api::RemoteService> remote_service(const ServiceId& name) const {
    const auto found = service_client ? pods::cluster_service(*service_client, options.home, name) : std::nullopt;
    return found ? std::optional(api::RemoteService{found->up, found->words, found->logs}) : std::nullopt;
  }

  void start_engine() {
    engine::Options made;
    made.home = options.home;
    made.dags = options.dags;
    made.server_url = url;
    made.tool = options.tool;
    made.base_env = passed_on(options.env);
    made.slots = slots();
    made.place = options.cluster.place;
    made.processes_only = options.processes_only;
    made.ahead_max = kAheadMax;
    engine = std::make_unique<engine::Engine>(std::move(made), *store, *executor, *secrets, clock, rng, log);
    relay.connect(*engine);
    post = std::make_unique<Post>(
        options.notify_targets, [this](const std::string& name) { return HomeSecrets(*store, *vault).get(name); },
        clock, log, [this](std::string id) { engine->submit(engine::NoticeDone{std::move(id)}, {}); });
    engine->set_notice_carrier(post.get());
    prober = std::make_unique<LocalProber>(clock, *transport,
                                           [this](engine::Seen seen) { engine->on_seen(std::move(seen)); });
    engine->set_prober(prober.get());
    engine->set_suspects(suspects.get());
    engine->set_observer(&events);
    engine_thread = std::thread([this] {
      const auto ended = engine->run();
      if (ended) return;
      log.error("the engine stopped", {{"error", ended.error().message}});
      const std::lock_guard guard(mutex);
      failure = ended.error();
    });
  }

  // Returns once the folder's first state is known to the engine, so that a run can be started right away.
  Result<void> watch_dags() {
    if (options.dags.empty()) return {};
    auto first = std::make_shared<std::promise<void>>();
    auto told = first->get_future();
    SLIPWAY_TRY_ASSIGN(
        watcher, dagdir::Watcher::start(
                     {.folder = options.dags},
                     [this, first, waiting = true](std::vector<dagdir::File> files) mutable {
                       const bool is_first = std::exchange(waiting, false);
                       engine->submit(folder_command(std::move(files)), [this, first,
                                                                         is_first](const Result<engine::Reply>& reply) {
                         if (!reply) log.error("DAG folder was not taken over", {{"error", reply.error().message}});
                         if (is_first) first->set_value();
                       });
                     },
                     log));
    if (told.wait_for(std::chrono::seconds(60)) == std::future_status::ready) return {};
    const std::lock_guard guard(mutex);
    return failure
               ? *failure
               : Error{
                     ErrorCode::TimedOut, "the DAG folder " + options.dags + " could not be read within a minute", {}};
  }

  // Binds before the engine starts, because tasks are told the address; until open_api() every request is answered with
  // 503.
  Result<void> bind() {
    const auto handle = [this](const http::Request& request) {
      if (serving.load(std::memory_order_acquire)) return handler(request);
      return http::Response{503,
                            "application/problem+json",
                            R"({"status":503,"title":"starting","detail":"the daemon is starting"})",
                            {{"Retry-After", "1"}}};
    };
    SLIPWAY_TRY_ASSIGN(server, http::Server::start({.host = options.host, .port = options.port}, handle, log));
    const std::string host = options.host == "0.0.0.0" ? "127.0.0.1" : options.host == "::" ? "::1" : options.host;
    own_name = host.find(':') == std::string::npos ? host : "[" + host + "]";
    url = "http://" + own_name + ":" + std::to_string(server->port());
    return {};
  }

  [[nodiscard]] std::optional<Error> trouble() const {
    if (auto disk = engine->trouble()) return disk;
    if (auto finding = janitor ? janitor->finding() : std::nullopt) return finding;
    if (suspects->all().empty()) return std::nullopt;
    return Error{
        ErrorCode::Conflict,
        std::to_string(suspects->all().size()) + " of the runs, DAGs and files set aside: the daemon aborted over them",
        "`slipway doctor` names them"};
  }

  Result<void> open_api() {
    api::Deps deps{*engine,
                   *store,
                   *vault,
                   clock,
                   events,
                   log,
                   options.home,
                   kVersion,
                   [this](const ServiceId& name) { return stop_service(name); },
                   options.retention,
                   [this] { return trouble(); }};
    deps.remote_service = [this](const ServiceId& name) { return remote_service(name); };
    if (std::find(deps.hosts.begin(), deps.hosts.end(), own_name) == deps.hosts.end()) deps.hosts.push_back(own_name);
    deps.hosts.insert(deps.hosts.end(), options.names.begin(), options.names.end());
    handler = api::make_handler(std::move(deps));
    serving.store(true, std::memory_order_release);
    const Value state = Value::Object{{"url", url},
                                      {"pid", static_cast<int>(getpid())},
                                      {"dags", options.dags},
                                      {"started_at", to_rfc3339(clock.now())},
                                      {"version", kVersion}};
    SLIPWAY_TRY(write_whole_file(options.home + "/daemon.json", state.dump() + "\n"));
    return {};
  }
};

Daemon::Daemon(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Daemon::~Daemon() = default;

Result<std::unique_ptr<Daemon>> Daemon::start(DaemonOptions options, Logger log) {
  auto parts = std::make_unique<Parts>(std::move(options), std::move(log));
  raise_descriptor_limit();
  SLIPWAY_TRY(parts->open());
  if (parts->options.api) SLIPWAY_TRY(parts->bind());
  parts->start_engine();
  SLIPWAY_TRY(parts->watch_dags());
  parts->janitor = std::make_unique<Janitor>(*parts->engine, *parts->store, parts->options.home,
                                             parts->options.retention, parts->clock, parts->log);
  if (parts->options.api) SLIPWAY_TRY(parts->open_api());
  parts->log.info("up", {{"url", parts->url}, {"home", parts->options.home}, {"dags", parts->options.dags}});
  return std::unique_ptr<Daemon>(new Daemon(std::move(parts)));
}

const std::string& Daemon::url() const { return parts_->url; }
engine::Engine& Daemon::engine() { return *parts_->engine; }
const store::Store& Daemon::store() const { return *parts_->store; }
void Daemon::beat() { parts_->events.beat(); }
std::optional<Error> Daemon::failure() const {
  const std::lock_guard guard(parts_->mutex);
  return parts_->failure;
}

}  // namespace slipway::cli
