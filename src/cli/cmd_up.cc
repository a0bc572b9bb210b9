#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <ostream>
#include <thread>

#include "cli/config.h"
#include "cli/daemon.h"
#include "cli/exit_code.h"
#include "cli/process.h"
#include "cli/retention.h"
#include "cli/session.h"
#include "cli/signals.h"
#include "cli/verbs.h"

namespace slipway::cli {
namespace {

struct UpOptions {
  std::string dags, listen, behind_proxy;
  ClusterFlags cluster;
  int slots = -1;
  bool detach = false;
};

Result<DaemonOptions> daemon_options(const UpOptions& given, const Config& config, const Session& session) {
  DaemonOptions options;
  options.home = session.home();
  options.dags = absolute_path(config.get("dags", given.dags).value);
  const Resolved listen = config.get("listen", given.listen);
  const auto colon = listen.value.rfind(':');
  const std::string port = colon == std::string::npos ? "" : listen.value.substr(colon + 1);
  if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string::npos ||
      std::stoi(port) > 65535)
    return Error{ErrorCode::InvalidArgument, "`" + listen.value + "` (" + listen.origin + ") is no HOST:PORT",
                 "write 127.0.0.1:8480"};
  options.host = listen.value.substr(0, colon);
  options.port = static_cast<std::uint16_t>(std::stoi(port));
  if (options.host == "[::1]") options.host = "::1";
  options.names = split_names(config.get("behind_proxy", given.behind_proxy).value);
  const bool loopback = options.host == "127.0.0.1" || options.host == "::1";
  if (!loopback && options.names.empty())
    return Error{ErrorCode::Unsupported, "the API has no TLS and listens on loopback only, not on " + options.host,
                 "listen on 127.0.0.1, or with a TLS proxy in front that only it can reach, say --behind-proxy NAME"};
  const std::string slots = config.get("slots").value;
  if (slots.empty() || slots.size() > 5 || slots.find_first_not_of("0123456789") != std::string::npos)
    return Error{ErrorCode::InvalidArgument, "`" + slots + "` is no number of slots", {}};
  options.slots = given.slots >= 0 ? given.slots : std::stoi(slots);
  SLIPWAY_TRY_ASSIGN(options.retention, retention_from(config));
  options.tool = own_path();
  options.env = session.env;
  options.notify_targets = config.notify_targets();
  SLIPWAY_TRY_ASSIGN(options.cluster, cluster_settings(config, given.cluster, session.env));
  return options;
}

Logger make_logger(const Config& config, const Session& session) {
  const std::string level = config.get("log_level").value;
  const LogLevel chosen = session.globals.verbose > 0 || level == "debug" ? LogLevel::Debug
                          : session.globals.quiet || level == "error"     ? LogLevel::Error
                          : level == "warn"                               ? LogLevel::Warn
                                                                          : LogLevel::Info;
  return Logger::to_stderr(chosen, config.get("log_format").value == "json" ? LogFormat::Json : LogFormat::Text);
}

void report(int fd, const std::string& line) {
  if (fd < 0) return;
  [[maybe_unused]] const auto written = write(fd, line.data(), line.size());
  close(fd);
}

// Serves until a signal or until the engine cannot go on.
int serve(const DaemonOptions& options, const Logger& log, Session& session, int report_fd) {
  const SignalWaiter signals;
  auto daemon = Daemon::start(options, log);
  if (!daemon) {
    report(report_fd, Value(Value::Object{{"code", kErrorCodes.text(daemon.error().code)},
                                          {"message", daemon.error().message},
                                          {"help", daemon.error().help}})
                          .dump());
    return session.fail(daemon.error());
  }
  report(report_fd, "ready " + (*daemon)->url());
  if (report_fd < 0 && !session.globals.quiet)
    session.err << "slipway is up at " << (*daemon)->url() << ", home " << options.home
                << "; Ctrl-C stops it, tasks go on\n";
  while (!signals.wait(std::chrono::milliseconds(500))) {
    (*daemon)->beat();
    if (const auto failure = (*daemon)->failure()) {
      session.fail(*failure);
      return kInternal;
    }
  }
  log.info("stopping; running tasks go on");
  return kOk;
}

int up(const UpOptions& given, Session& session) {
  const auto config = Config::load(session.env);
  if (!config) return session.fail(config.error());
  const auto options = daemon_options(given, *config, session);
  if (!options) return session.fail(options.error());
  if (!given.detach) return serve(*options, make_logger(*config, session), session, -1);
  std::error_code ignored;
  std::filesystem::create_directories(options->home, ignored);
  std::filesystem::permissions(options->home, std::filesystem::perms::owner_all, ignored);
  const auto detached = detach(options->home + "/daemon.log");
  if (!detached) return session.fail(detached.error());
  if (detached->is_child) _exit(serve(*options, make_logger(*config, session), session, detached->report_fd));
  if (detached->report.rfind("ready ", 0) == 0) {
    if (!session.globals.quiet)
      session.err << "slipway is up at " << detached->report.substr(6) << ", home " << options->home << "\n";
    return kOk;
  }
  const auto problem = parse_json(detached->report);
  if (!problem)
    return session.fail(
        {ErrorCode::Internal, "the daemon ended while starting", "its log is " + options->home + "/daemon.log"});
  return session.fail({kErrorCodes.parse(problem->get_string("code")).value_or(ErrorCode::Internal),
                       problem->get_string("message"), problem->get_string("help")});
}

}  // namespace

Handler setup_up(CLI::App& app) {
  auto options = std::make_shared<UpOptions>();
  app.add_option("--dags", options->dags, "folder of DAG files [dags]");
  app.add_option("--listen", options->listen, "HOST:PORT of the API [127.0.0.1:8480]; port 0 takes any free one");
  app.add_option("--executor", options->cluster.executor, "local or kubernetes: where tasks run that say nothing");
  app.add_option("--kubeconfig", options->cluster.kubeconfig, "file that tells how the cluster is reached");
  app.add_option("--kube-context", options->cluster.context, "context of that file");
  app.add_option("--kube-namespace", options->cluster.namespace_name, "namespace of pods");
  app.add_option("--kube-image", options->cluster.image, "image of tasks that name none");
  app.add_option("--behind-proxy", options->behind_proxy,
                 "NAME[,NAME]: clients use these names, a proxy ends TLS; then HOST may be any address");
  app.add_option("--slots", options->slots, "tasks at a time; 0 = one per core")->check(CLI::Range(0, 10000));
  app.add_flag("-d,--detach", options->detach, "return once it answers; its log goes to <home>/daemon.log");
  return [options](Session& session) { return up(*options, session); };
}

Handler setup_down(CLI::App&) {
  return [](Session& session) {
    const auto daemon = running_daemon(session.home());
    if (!daemon) return session.fail({ErrorCode::Unavailable, "no daemon runs on home " + session.home(), {}});
    const auto stopped = stop_process(daemon->pid, std::chrono::seconds(30));
    if (!stopped) return session.fail(stopped.error());
    if (!session.globals.quiet) session.err << "stopped; tasks and services go on\n";
    return kOk;
  };
}

}  // namespace slipway::cli
