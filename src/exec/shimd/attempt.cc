#include "exec/shimd/attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

namespace slipway::exec::shim {
namespace {

constexpr int kRetryMs = 200;

enum class Claim : unsigned char { Taken, Exists, Failed };

bool fill_folder(Attempt& attempt, const char* path) {
  attempt.folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (attempt.folder < 0) return false;
  attempt.lock = openat(attempt.folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  return attempt.lock >= 0 && try_lock_byte(attempt.lock, kLockAlive);
}

// The at-most-once guard. The folder is made complete and locked beside its place and then renamed: rename refuses a
// folder that is there and not empty, and nobody ever sees one without its lock.
Claim claim_folder(Attempt& attempt) {
  char temporary[sizeof attempt.path + 32];
  const char* const name = strrchr(attempt.path, '/') + 1;
  snprintf(temporary, sizeof temporary, "%.*s.%s.%d", static_cast<int>(name - attempt.path), attempt.path, name,
           getpid());
  if (mkdir(temporary, 0700) != 0) return Claim::Failed;
  const bool filled = fill_folder(attempt, temporary);
  if (filled && rename(temporary, attempt.path) == 0) return Claim::Taken;
  const int why = errno;
  unlinkat(attempt.folder, "lock", 0);
  rmdir(temporary);
  errno = why;
  return filled && (why == EEXIST || why == ENOTEMPTY) ? Claim::Exists : Claim::Failed;
}

Reply reply_of(const Attempt& attempt, Kind kind) {
  return {kind, kProtocolVersion, {}, getpid(), attempt.start_ticks, attempt.started_us, 0};
}

// The lock's file becomes `exit`: complete before it has that name, and one file less for every attempt.
bool publish_exit(const Attempt& attempt, const Text& json) {
  return lseek(attempt.lock, 0, SEEK_SET) == 0 && write_all(attempt.lock, json.out, json.used) &&
         renameat(attempt.folder, "lock", attempt.folder, "exit") == 0;
}

struct StopState {
  bool asked = false;
  std::int64_t deadline_ms = 0;
};

void take_signals(Attempt& attempt, StopState& stop) {
  while (const int signal = next_signal(attempt.signals)) {
    if (signal == kStopNowSignal) stop = {true, 0};
    if (signal != kStopSignal || stop.asked) continue;
    stop = {true, boot_ms() + attempt.request.grace_ms};
    signal_tree(SIGTERM);
  }
}

bool is_over(const Tree& tree, const StopState& stop, bool children_left) {
  if (!children_left) return true;
  return stop.asked ? boot_ms() >= stop.deadline_ms : tree.ended;
}

int wait_ms(const StopState& stop) {
  if (!stop.asked) return -1;
  const std::int64_t left = stop.deadline_ms - boot_ms();
  return left < 0 ? 0 : static_cast<int>(left < 3'600'000 ? left : 3'600'000);
}

// Until the main child ended (when asked to stop: until the tree is empty) or the grace is over.
void follow(Attempt& attempt, Tree& tree, StopState& stop) {
  while (true) {
    take_signals(attempt, stop);
    if (is_over(tree, stop, reap(tree))) return;
    pollfd fds[] = {{attempt.signals, POLLIN, 0},
                    {attempt.out.fd, POLLIN, 0},
                    {attempt.err.fd, POLLIN, 0},
                    {attempt.client, POLLOUT, 0}};
    if (poll(fds, 4, wait_ms(stop)) < 0) continue;
    if (fds[1].revents != 0) pump(attempt.log, attempt.out);
    if (fds[2].revents != 0) pump(attempt.log, attempt.err);
    if (fds[3].revents != 0) tell_started(attempt);
    flush(attempt.log);
  }
}

// In a group of its own the kernel says whose memory it was; without one only how often it killed on the whole machine,
// and a shell reports its child's death by KILL as 137.
bool is_oom(const Attempt& attempt, const Ending& ending, long long oom_before) {
  if (ending.stopped || ending.exit_code == 0) return false;
  if (group_oom_kills(attempt.limits) > 0) return true;
  return ending.exit_code == 128 + SIGKILL && oom_before >= 0 && oom_kills() > oom_before;
}

Ending ending_of(const Attempt& attempt, const Tree& tree, const StopState& stop, bool killed_all,
                 long long oom_before) {
  Ending ending;
  ending.exit_code = exit_code_of(tree.status);
  ending.signal = WIFSIGNALED(tree.status) ? WTERMSIG(tree.status) : 0;
  ending.stopped = stop.asked;
  ending.oom = is_oom(attempt, ending, oom_before);
  if (!killed_all) ending.message = "a process it started runs as another user and could not be ended";
  return ending;
}

// Another user finds what he must write in his own hands; the folder stays ours, and with it all other files.
bool open_to(const Attempt& attempt, const Account& account, int out, int err) {
  const int output = openat(attempt.folder, "output.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const bool given = output >= 0 && fchown(output, account.uid, account.gid) == 0 && fchmod(attempt.folder, 0711) == 0;
  if (output >= 0) close(output);
  // So that he may open /dev/stdout and /dev/stderr again.
  return given && fchown(out, account.uid, account.gid) == 0 && fchown(err, account.uid, account.gid) == 0;
}

bool provide(Attempt& attempt, int out, int err, char* message, std::size_t size) {
  const Request& request = attempt.request;
  if (!make_limits(request.limits, attempt.limits, message, size)) return false;
  const Account& account = attempt.limits.account;
  const bool other = attempt.limits.has_account;
  snprintf(message, size, "what its user needs could not be prepared");
  bool done = !other || open_to(attempt, account, out, err);
  if (done && request.secrets.folder != nullptr) {
    snprintf(message, size, "the folder of its secrets could not be made");
    done = make_secret_files(request.secrets, other ? account.uid : geteuid(), other ? account.gid : getegid(),
                             attempt.secrets);
  }
  if (done) return true;
  snprintf(message + strlen(message), size - strlen(message), ": %s", strerror(errno));
  remove_groups(attempt.limits);
  return false;
}

// Nothing runs without the limits it was to have.
void prepare(Attempt& attempt, int out, int err) {
  char message[1024];
  if (provide(attempt, out, err, message, sizeof message)) return;
  Ending ending;
  ending.started = false;
  ending.exit_code = 126;
  ending.failure = "launch";
  ending.message = message;
  finish(attempt, ending);
}

[[noreturn]] void run_task(Attempt& attempt) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  Command command{attempt.request.argv, attempt.request.environment, attempt.request.workdir};
  int out = -1;
  int err = -1;
  Spawned spawned{0, SpawnStep::Fork, 0};
  if (open_pipes(attempt.out, attempt.err, out, err)) {
    prepare(attempt, out, err);
    if (!attempt.limits.empty()) command.limits = &attempt.limits;
    spawned = spawn(command, out, err);
  } else {
    spawned.error = errno;
  }
  if (spawned.pid == 0) {
    char message[2048];
    remove_groups(attempt.limits);
    finish(attempt, launch_failure(command, spawned, message, sizeof message));
  }
  close(out);
  close(err);
  mark_started(attempt);
  tell_started(attempt);
  const std::int64_t grace_ms = attempt.request.grace_ms;
  const long long oom_before = attempt.request.oom_kills;
  wipe(attempt.request);
  attempt.request.grace_ms = grace_ms;
  Tree tree{spawned.pid, false, 0};
  StopState stop;
  follow(attempt, tree, stop);
  const bool killed_all = kill_tree(tree, attempt.limits);
  finish_stream(attempt.log, attempt.out);
  finish_stream(attempt.log, attempt.err);
  const Ending ending = ending_of(attempt, tree, stop, killed_all, oom_before);
  remove_groups(attempt.limits);
  finish(attempt, ending);
}

}  // namespace

bool open_pipes(LogStream& out_stream, LogStream& err_stream, int& out, int& err) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  out_stream.fd = ends[0];
  out = ends[1];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  err_stream.name = "stderr";
  err_stream.fd = ends[0];
  err = ends[1];
  return fcntl(out_stream.fd, F_SETFL, O_NONBLOCK) == 0 && fcntl(err_stream.fd, F_SETFL, O_NONBLOCK) == 0;
}

bool send_reply(int client, const Reply& reply, const char* folder, const char* message, int flags) {
  iovec parts[] = {{const_cast<Reply*>(&reply), sizeof reply},
                   {const_cast<char*>(folder), strlen(folder) + 1},
                   {const_cast<char*>(message), strlen(message) + 1}};
  msghdr packet{};
  packet.msg_iov = parts;
  packet.msg_iovlen = 3;
  return sendmsg(client, &packet, flags | MSG_NOSIGNAL) >= 0 || errno != EAGAIN;
}

void mark_started(Attempt& attempt) {
  attempt.started_us = wall_ns() / 1000;
  try_lock_byte(attempt.lock, kLockStarted);
}

bool tell_started(Attempt& attempt) {
  if (!send_reply(attempt.client, reply_of(attempt, Kind::Started), attempt.path, "", MSG_DONTWAIT)) return false;
  close(attempt.client);
  attempt.client = -1;
  return true;
}

Ending launch_failure(const Command& command, const Spawned& spawned, char* message, std::size_t size) {
  Text text{message, size};
  Ending ending;
  ending.started = false;
  ending.exit_code = spawned.error == ENOENT ? 127 : 126;
  ending.failure = spawned.failed == SpawnStep::Fork || spawned.failed == SpawnStep::Limits ||
                           spawned.error == EAGAIN || spawned.error == ENOMEM
                       ? "launch"
                       : "config";
  const bool searched = strchr(command.argv[0], '/') == nullptr;
  if (spawned.failed == SpawnStep::Fork) {
    text.add("no process could be started");
  } else if (spawned.failed == SpawnStep::Limits) {
    text.add("its limits could not be applied");
  } else if (spawned.failed == SpawnStep::Workdir) {
    text.add("workdir `");
    text.add(command.workdir);
    text.add("`");
  } else {
    text.add("program `");
    text.add(command.argv[0]);
    text.add("`");
  }
  if (spawned.failed == SpawnStep::Exec && spawned.error == ENOENT && searched) {
    const char* const path = getenv("PATH");
    text.add(" not found in PATH (");
    text.add(path == nullptr ? "unset" : path);
    text.add(")");
  } else {
    text.add(": ");
    text.add(strerror(spawned.error));
  }
  ending.message = message;
  return ending;
}

void finish(Attempt& attempt, const Ending& ending) {
  char json[8192];
  char started[kTimeBytes];
  char ended[kTimeBytes];
  format_time(attempt.started_us * 1000, 6, started);
  format_time(wall_ns(), 6, ended);
  Text text{json, sizeof json};
  text.add("{\"version\":1,\"exit_code\":");
  text.add_number(ending.exit_code);
  text.add(",\"signal\":");
  text.add_number(ending.signal);
  text.add(",\"pid\":");
  text.add_number(getpid());
  text.add(",\"start_ticks\":");
  text.add_number(static_cast<std::int64_t>(attempt.start_ticks));
  text.add(ending.started ? ",\"started\":true" : ",\"started\":false");
  text.add(ending.oom ? ",\"oom\":true" : ",\"oom\":false");
  text.add(ending.stopped ? ",\"stopped\":true" : ",\"stopped\":false");
  text.add(",\"started_at\":\"");
  text.add(started);
  text.add("\",\"ended_at\":\"");
  text.add(ended);
  text.add("\",\"failure\":\"");
  text.add(ending.failure);
  text.add("\",\"message\":");
  text.add_json(ending.message);
  text.add("}");
  close_log(attempt.log);
  remove_secret_files(attempt.secrets);
  while (!publish_exit(attempt, text)) {
    if (errno != ENOSPC && errno != EDQUOT && errno != EROFS && errno != EIO) break;
    poll(nullptr, 0, kRetryMs);
  }
  // The daemon waits for an answer only if the command never ran.
  if (attempt.client >= 0)
    send_reply(attempt.client, reply_of(attempt, ending.started ? Kind::Started : Kind::Exists), attempt.path, "",
               MSG_DONTWAIT);
  _exit(0);
}

void run_attempt(const Request& request, int client) {
  prctl(PR_SET_NAME, "slipway-shim");
  setsid();
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  // Written only where output arrives: most of its pages stay shared with shimd.
  static_assert(sizeof(Attempt) < (256U << 10U));
  Attempt attempt;
  attempt.request = request;
  attempt.client = client;
  attempt.start_ticks = start_ticks(getpid());
  snprintf(attempt.path, sizeof attempt.path, "%s", request.folder);
  attempt.signals = open_signals();
  errno = 0;
  const Claim claim = claim_folder(attempt);
  if (claim != Claim::Taken) {
    const char* const why = claim == Claim::Failed ? strerror(errno) : "";
    send_reply(client, reply_of(attempt, claim == Claim::Exists ? Kind::Exists : Kind::Failed), attempt.path, why, 0);
    _exit(0);
  }
  open_log(attempt.log, attempt.folder, request.log_bytes_max, Overflow::Discard);
  if (request.service.name != nullptr) run_deploy(attempt);
  run_task(attempt);
}

}  // namespace slipway::exec::shim
