// A deploy: start the new revision beside the live one, check it, switch the front port, end the old one. It is an
// attempt like any other (folder, lock, log, exit); whatever ends it before the switch ends the new revision only.
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec/shimd/attempt.h"
#include "exec/shimd/http.h"
#include "exec/shimd/service.h"

namespace slipway::exec::shim {
namespace {

constexpr std::int64_t kHealthPauseMs = 100;
constexpr std::int64_t kHealthTimeoutMs = 5'000;
constexpr std::int64_t kSmokeTimeoutMs = 120'000;  // a first answer of a cold model on a CPU takes its time
constexpr int kTailBytes = 1'500;
constexpr std::int64_t kDrainMs = 5'000;
constexpr std::int64_t kDrainPauseMs = 20;

struct Deploy {
  Attempt& attempt;
  Request& request;
  ServiceRequest& service;
  int folder = -1;    // <home>/services/<name>
  int listener = -1;  // bound to the front port; -1 where a front listens already
  int control = -1;   // to the supervisor
  int port = 0;       // of the new revision
  std::int64_t deadline_ms = 0;
  Live old{};
  char revision[192] = "";  // its folder: the attempt's id with '.' for '/'
  char environment[2][40] = {};
  char message[6000] = "";
};

// Ends the attempt; the closed control socket makes the supervisor end the new revision.
[[noreturn]] void fail(Deploy& deploy, const char* failure) {
  Ending ending;
  ending.exit_code = 1;
  ending.failure = failure;
  ending.message = deploy.message;
  say(deploy.attempt.log, deploy.message);
  finish(deploy.attempt, ending);
}

[[noreturn]] void fail_errno(Deploy& deploy, const char* what) {
  snprintf(deploy.message, sizeof deploy.message, "%s: %s", what, strerror(errno));
  fail(deploy, "launch");
}

[[noreturn]] void fail_stopped(Deploy& deploy) {
  Ending ending;
  ending.exit_code = 128 + SIGTERM;
  ending.signal = SIGTERM;
  ending.stopped = true;
  ending.message = "stopped before the switch, the previous revision stays live";
  say(deploy.attempt.log, ending.message);
  finish(deploy.attempt, ending);
}

void check_stop(Deploy& deploy) {
  while (const int signal = next_signal(deploy.attempt.signals))
    if (signal == kStopSignal || signal == kStopNowSignal) fail_stopped(deploy);
}

// The text of a log line, without its time, stream and tag.
const char* text_of(const char* line) {
  for (int i = 0; i < 3; ++i) {
    const char* const space = strchr(line, ' ');
    if (space == nullptr) return line;
    line = space + 1;
  }
  return line;
}

// The end of what the new revision printed.
void add_tail(Deploy& deploy, Text& text) {
  char path[256];
  char tail[kTailBytes + 1];
  snprintf(path, sizeof path, "%s/log", deploy.revision);
  const int fd = openat(deploy.folder, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  const off_t size = lseek(fd, 0, SEEK_END);
  const ssize_t got = pread(fd, tail, kTailBytes, size > kTailBytes ? size - kTailBytes : 0);
  close(fd);
  if (got <= 0) return;
  tail[got] = '\0';
  char* line = tail;
  if (size > kTailBytes && strchr(tail, '\n') != nullptr) line = strchr(tail, '\n') + 1;
  text.add("; its last output:");
  while (char* const stop = strchr(line, '\n')) {
    *stop = '\0';
    text.add("\n");
    text.add(text_of(line));
    line = stop + 1;
  }
}

[[noreturn]] void fail_with_tail(Deploy& deploy, const char* what) {
  char whole[sizeof deploy.message];
  Text text{whole, sizeof whole};
  text.add(what);
  add_tail(deploy, text);
  memcpy(deploy.message, whole, text.used + 1);
  fail(deploy, "user");
}

// A stranger on the front port is found before anything is started.
void reserve_front(Deploy& deploy) {
  char lock[24];
  snprintf(lock, sizeof lock, "front.%d", deploy.service.port);
  if (lock_holder(deploy.folder, lock) != 0) return;
  deploy.listener = bind_front(deploy.service.port);
  if (deploy.listener >= 0) return;
  snprintf(deploy.message, sizeof deploy.message, "port %d of service `%s` cannot be used: %s%s", deploy.service.port,
           deploy.service.name, strerror(errno),
           errno == EADDRINUSE ? " by another program; end it or choose another `port`" : "");
  fail(deploy, "config");
}

int free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool known = bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                     getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  close(fd);
  return known ? ntohs(address.sin_port) : 0;
}

void open_service(Deploy& deploy) {
  char path[160];
  mkdir("services", 0700);
  snprintf(path, sizeof path, "services/%s", deploy.service.name);
  mkdir(path, 0700);
  deploy.folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (deploy.folder < 0) fail_errno(deploy, "the service's folder");
  // One deploy of a service at a time; the lock ends with this process.
  const int lock = openat(deploy.folder, "deploy.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  while (lock < 0 || !try_lock(lock)) {
    check_stop(deploy);
    if (boot_ms() > deploy.deadline_ms) fail_errno(deploy, "another deploy of the service is under way");
    poll(nullptr, 0, static_cast<int>(kHealthPauseMs));
  }
  deploy.old = read_live(deploy.folder);
}

// Revisions that neither run nor were the last to be live are of no more use.
void remove_old_revisions(Deploy& deploy) {
  const int again = openat(deploy.folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const entries = fdopendir(again);
  if (entries == nullptr) return;
  while (const dirent* entry = readdir(entries)) {
    const char* const name = entry->d_name;
    char path[300];
    if (entry->d_type != DT_DIR || name[0] == '.' || strcmp(name, deploy.old.revision) == 0 ||
        strcmp(name, deploy.revision) == 0)
      continue;
    snprintf(path, sizeof path, "%.200s/lock", name);
    if (lock_holder(deploy.folder, path) != 0) continue;
    static constexpr const char* kFiles[] = {"lock", "log.1", "log"};
    for (const char* file : kFiles) {
      snprintf(path, sizeof path, "%.200s/%s", name, file);
      unlinkat(deploy.folder, path, 0);
    }
    unlinkat(deploy.folder, name, AT_REMOVEDIR);
  }
  closedir(entries);
}

void start_revision(Deploy& deploy) {
  snprintf(deploy.revision, sizeof deploy.revision, "%s", deploy.request.id);
  for (char* at = deploy.revision; *at != '\0'; ++at)
    if (*at == '/') *at = '.';
  if (mkdirat(deploy.folder, deploy.revision, 0700) != 0) fail_errno(deploy, "the revision's folder");
  deploy.port = free_port();
  if (deploy.port == 0) fail_errno(deploy, "a free port");
  snprintf(deploy.environment[0], sizeof deploy.environment[0], "PORT=%d", deploy.port);
  snprintf(deploy.environment[1], sizeof deploy.environment[1], "SLIPWAY_PORT=%d", deploy.port);
  for (char* variable : deploy.environment) add_environment(deploy.request, variable);
  if (!make_limits(deploy.request.limits, deploy.attempt.limits, deploy.message, sizeof deploy.message))
    fail(deploy, "launch");
  const Limits& limits = deploy.attempt.limits;
  SecretFolder secrets;  // the revision's, not the attempt's
  if (!make_secret_files(deploy.request.secrets, limits.has_account ? limits.account.uid : geteuid(),
                         limits.has_account ? limits.account.gid : getegid(), secrets))
    fail_errno(deploy, "the folder of its secrets");
  int control[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) != 0) fail_errno(deploy, "a socket pair");
  const pid_t pid = fork();
  if (pid < 0) fail_errno(deploy, "no process could be started");
  if (pid == 0) {
    setsid();
    close(control[0]);
    close(deploy.attempt.lock);
    close(deploy.attempt.signals);
    if (deploy.attempt.log.file >= 0) close(deploy.attempt.log.file);
    if (deploy.listener >= 0) close(deploy.listener);
    if (deploy.attempt.client >= 0) close(deploy.attempt.client);
    const Command command{deploy.request.argv, deploy.request.environment, deploy.request.workdir};
    run_supervisor({command, deploy.request.grace_ms, deploy.request.log_bytes_max, deploy.folder, deploy.revision,
                    limits, secrets},
                   control[1]);
  }
  close(control[1]);
  deploy.control = control[0];
}

// Fails the deploy if the new revision has ended.
void check_revision(Deploy& deploy) {
  SupervisorNews news{};
  const ssize_t got = recv(deploy.control, &news, sizeof news, MSG_DONTWAIT);
  if (got < 0) return;
  if (got == sizeof news && news.failed != SpawnStep::None) {
    char why[2048];
    environ = deploy.request.environment;
    const Command command{deploy.request.argv, deploy.request.environment, deploy.request.workdir};
    const Ending ending = launch_failure(command, {0, news.failed, news.error}, why, sizeof why);
    memcpy(deploy.message, why, sizeof why);
    fail(deploy, ending.failure);
  }
  char what[160];
  if (got == sizeof news)
    snprintf(what, sizeof what, "the new revision ended with exit code %d before it was live",
             exit_code_of(news.status));
  else
    snprintf(what, sizeof what, "the supervisor of the new revision was killed");
  fail_with_tail(deploy, what);
}

// One request within what is left of the rollout.
void ask(Deploy& deploy, const char* method, const char* path, const char* body, std::int64_t timeout_ms,
         HttpReply& reply) {
  const std::int64_t until = boot_ms() + timeout_ms;
  exchange(deploy.port, method, path, body, until < deploy.deadline_ms ? until : deploy.deadline_ms,
           deploy.attempt.signals, deploy.control, reply);
  check_stop(deploy);
  check_revision(deploy);
}

// "503 not yet", or why there was no reply.
struct Answer {
  char text[600] = "nothing";
};
Answer describe(const HttpReply& reply) {
  Answer answer;
  if (reply.status == 0)
    snprintf(answer.text, sizeof answer.text, "nothing (%.500s)", reply.text);
  else
    snprintf(answer.text, sizeof answer.text, "%d %.500s", reply.status, reply.text);
  return answer;
}

void await_health(Deploy& deploy) {
  HttpReply reply;
  Answer last;  // the server's, if it ever gave one
  bool answered = false;
  const std::int64_t begin = boot_ms();
  while (true) {
    ask(deploy, "GET", deploy.service.health, "", kHealthTimeoutMs, reply);
    if (reply.status / 100 == 2) break;
    if (reply.status != 0 || !answered) last = describe(reply);
    answered = answered || reply.status != 0;
    if (boot_ms() >= deploy.deadline_ms) {
      char what[1200];
      snprintf(what, sizeof what, "the new revision was not healthy within %lld.%lld s: GET %.200s answered %s",
               static_cast<long long>(deploy.service.rollout_ms / 1000),
               static_cast<long long>(deploy.service.rollout_ms % 1000 / 100), deploy.service.health, last.text);
      fail_with_tail(deploy, what);
    }
    pollfd fds[] = {{deploy.attempt.signals, POLLIN, 0}, {deploy.control, POLLIN, 0}};
    poll(fds, 2, static_cast<int>(kHealthPauseMs));
  }
  char line[96];
  snprintf(line, sizeof line, "slipway: healthy after %lld ms", static_cast<long long>(boot_ms() - begin));
  say(deploy.attempt.log, line);
}

void check_smoke(Deploy& deploy) {
  const SmokeRequest& smoke = deploy.service.smoke;
  if (smoke.method == nullptr) return;
  HttpReply reply;
  ask(deploy, smoke.method, smoke.path, smoke.body, kSmokeTimeoutMs, reply);
  if (reply.status / 100 == 2 && strstr(reply.text, smoke.expect) != nullptr)
    return say(deploy.attempt.log, "slipway: smoke request passed");
  char what[1600];
  snprintf(what, sizeof what, "the smoke request %s %.200s expected a reply with `%.200s` and got %s", smoke.method,
           smoke.path, smoke.expect, describe(reply).text);
  fail_with_tail(deploy, what);
}

void start_front(Deploy& deploy) {
  if (deploy.listener < 0) return;
  int ready[2];
  if (pipe2(ready, O_CLOEXEC) != 0) fail_errno(deploy, "a pipe");
  const pid_t pid = fork();
  if (pid < 0) fail_errno(deploy, "no process could be started");
  if (pid == 0) {
    setsid();
    close(ready[0]);
    close(deploy.control);
    close(deploy.attempt.lock);
    close(deploy.attempt.signals);
    if (deploy.attempt.client >= 0) close(deploy.attempt.client);
    // It forwards bytes and needs no secret.
    const int port = deploy.service.port;
    wipe(deploy.request);
    run_front(deploy.folder, deploy.listener, port, ready[1]);
  }
  close(ready[1]);
  char byte = 0;
  while (read(ready[0], &byte, 1) < 0 && errno == EINTR) {
  }
  close(ready[0]);
  int status = 0;
  if (waitpid(pid, &status, WNOHANG) == 0) return;
  snprintf(deploy.message, sizeof deploy.message, "port %d of service `%s` cannot be listened on", deploy.service.port,
           deploy.service.name);
  fail(deploy, "config");
}

void write_live(Deploy& deploy) {
  char json[2048];
  char since[kTimeBytes];
  format_time(wall_ns(), 6, since);
  Text text{json, sizeof json};
  text.add("{\"version\":1,\"revision\":");
  text.add_json(deploy.request.id);
  text.add(",\"folder\":");
  text.add_json(deploy.revision);
  text.add(",\"target_port\":");
  text.add_number(deploy.port);
  text.add(",\"front_port\":");
  text.add_number(deploy.service.port);
  text.add(",\"dag\":");
  text.add_json(deploy.service.dag);
  text.add(",\"since\":\"");
  text.add(since);
  text.add("\"}");
  if (!replace_file(deploy.folder, "live", json, text.used)) fail_errno(deploy, "the file `live`");
}

// Whether anybody on this machine (the front) is connected to a port of it.
bool has_callers(int port) {
  char wanted[32];
  snprintf(wanted, sizeof wanted, "%08X:%04X 01 ", htonl(INADDR_LOOPBACK), static_cast<unsigned>(port));
  FILE* const table = fopen("/proc/net/tcp", "re");
  if (table == nullptr) return false;
  char line[512];
  bool found = false;
  while (!found && fgets(line, sizeof line, table) != nullptr) found = strstr(line, wanted) != nullptr;
  fclose(table);
  return found;
}

// Requests that the old revision has begun may end. Looked at twice, because the front may just be connecting.
void drain_old(const Deploy& deploy) {
  const std::int64_t deadline_ms = boot_ms() + kDrainMs;
  for (int quiet = 0; quiet < 2 && boot_ms() < deadline_ms;) {
    poll(nullptr, 0, static_cast<int>(kDrainPauseMs));
    quiet = has_callers(deploy.old.target_port) ? 0 : quiet + 1;
  }
}

void end_old(const Deploy& deploy) {
  char path[256];
  snprintf(path, sizeof path, "%s/lock", deploy.old.revision);
  const pid_t supervisor = deploy.old.revision[0] == '\0' ? 0 : lock_holder(deploy.folder, path);
  if (supervisor > 0) {
    drain_old(deploy);
    kill(supervisor, kStopSignal);
  }
  if (deploy.old.front_port == 0 || deploy.old.front_port == deploy.service.port) return;
  snprintf(path, sizeof path, "front.%d", deploy.old.front_port);
  const pid_t front = lock_holder(deploy.folder, path);
  if (front > 0) kill(front, kStopSignal);
}

void write_output(Deploy& deploy) {
  char json[512];
  Text text{json, sizeof json};
  text.add("{\"revision\":");
  text.add_json(deploy.request.id);
  text.add(",\"url\":\"http://127.0.0.1:");
  text.add_number(deploy.service.port);
  text.add("\"}");
  if (!replace_file(deploy.attempt.folder, "output.json", json, text.used)) fail_errno(deploy, "the output");
}

}  // namespace

void run_deploy(Attempt& attempt) {
  Deploy deploy{.attempt = attempt, .request = attempt.request, .service = attempt.request.service};
  mark_started(attempt);
  tell_started(attempt);
  deploy.deadline_ms = boot_ms() + deploy.service.rollout_ms;
  open_service(deploy);
  reserve_front(deploy);
  start_revision(deploy);
  snprintf(deploy.message, sizeof deploy.message, "slipway: revision %s of service `%s` starts on port %d",
           deploy.request.id, deploy.service.name, deploy.port);
  say(attempt.log, deploy.message);
  await_health(deploy);
  check_smoke(deploy);
  write_output(deploy);
  check_stop(deploy);
  // A front started for a first deploy answers 503 for the instant until `live` is there.
  start_front(deploy);
  write_live(deploy);
  const char promote = 'p';
  send(deploy.control, &promote, 1, MSG_NOSIGNAL);
  end_old(deploy);
  remove_old_revisions(deploy);
  snprintf(deploy.message, sizeof deploy.message, "slipway: http://127.0.0.1:%d serves revision %s",
           deploy.service.port, deploy.request.id);
  say(attempt.log, deploy.message);
  finish(attempt, Ending{});
}

}  // namespace slipway::exec::shim
