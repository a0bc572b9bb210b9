#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exec/shim_protocol.h"
#include "exec/shimd/attempt.h"
#include "exec/shimd/front_watch.h"
#include "exec/shimd/log_writer.h"
#include "exec/shimd/service.h"

namespace slipway::exec::shim {
namespace {

constexpr std::int64_t kBackoffMinMs = 1'000;
constexpr std::int64_t kBackoffMaxMs = 60'000;
constexpr std::int64_t kHealthyMs = 60'000;

struct Supervisor {
  RevisionSpec spec;
  int control = -1;  // to the deploy; -1 once promoted
  int signals = -1;
  bool stopping = false;
  std::int64_t deadline_ms = 0;  // of the grace once stopping
  std::int64_t backoff_ms = kBackoffMinMs;
  std::int64_t started_ms = 0;
  std::int64_t restart_at_ms = 0;
  Tree tree;  // main 0 while no server runs
  LogWriter log;
  LogStream out;
  LogStream err;
  FrontWatch front;
};

[[noreturn]] void end(Supervisor& self) {
  kill_tree(self.tree, self.spec.limits);
  finish_stream(self.log, self.out);
  finish_stream(self.log, self.err);
  close_log(self.log);
  remove_groups(self.spec.limits);
  remove_secret_files(self.spec.secrets);
  _exit(0);
}

void begin_stop(Supervisor& self, std::int64_t grace_ms) {
  if (self.stopping) return;
  self.stopping = true;
  self.deadline_ms = boot_ms() + grace_ms;
  signal_tree(SIGTERM);
}

// Before the promotion every end is the deploy's to judge; afterwards the server is started again.
void take_end(Supervisor& self, const SupervisorNews& news) {
  self.tree.main = 0;
  if (self.control >= 0) {
    send(self.control, &news, sizeof news, MSG_NOSIGNAL);
    return begin_stop(self, 0);
  }
  if (boot_ms() - self.started_ms >= kHealthyMs) self.backoff_ms = kBackoffMinMs;
  self.restart_at_ms = boot_ms() + self.backoff_ms;
  char line[96];
  Text text{line, sizeof line};
  text.add("slipway: the server ended with exit code ");
  text.add_number(exit_code_of(news.status));
  text.add(", next start in ");
  text.add_number(self.backoff_ms / 1000);
  text.add(" s");
  say(self.log, line);
  self.backoff_ms = self.backoff_ms * 2 < kBackoffMaxMs ? self.backoff_ms * 2 : kBackoffMaxMs;
}

void start_server(Supervisor& self) {
  int out = -1;
  int err = -1;
  Command command = self.spec.command;
  if (!self.spec.limits.empty()) command.limits = &self.spec.limits;
  Spawned spawned{0, SpawnStep::Fork, 0};
  if (open_pipes(self.out, self.err, out, err))
    spawned = spawn(command, out, err);
  else
    spawned.error = errno;
  close(out);
  close(err);
  self.started_ms = boot_ms();
  self.tree = {spawned.pid, false, 0};
  if (spawned.pid == 0) take_end(self, {spawned.failed, spawned.error, 127 << 8});
}

void take_control(Supervisor& self) {
  char byte = 0;
  const ssize_t got = recv(self.control, &byte, 1, MSG_DONTWAIT);
  if (got < 0) return;
  close(self.control);
  self.control = -1;
  if (got == 0 || byte != 'p') return begin_stop(self, self.spec.grace_ms);
  begin_watch(self.front);
}

void take_signals(Supervisor& self) {
  while (const int signal = next_signal(self.signals)) {
    if (signal == kStopSignal) begin_stop(self, self.spec.grace_ms);
    if (signal == kStopNowSignal) end(self);
  }
}

int wait_ms(const Supervisor& self) {
  std::int64_t until = self.stopping ? self.deadline_ms : self.tree.main == 0 ? self.restart_at_ms : 0;
  const std::int64_t look_at = self.stopping ? 0 : self.front.look_at_ms;
  if (look_at != 0 && (until == 0 || look_at < until)) until = look_at;
  if (until == 0) return -1;
  const std::int64_t left = until - boot_ms();
  return left < 0 ? 0 : static_cast<int>(left);
}

void step(Supervisor& self) {
  pollfd fds[] = {{self.signals, POLLIN, 0},
                  {self.out.fd, POLLIN, 0},
                  {self.err.fd, POLLIN, 0},
                  {self.control, POLLIN, 0},
                  {self.front.process, POLLIN, 0}};
  if (poll(fds, 5, wait_ms(self)) < 0) return;
  if (fds[1].revents != 0) pump(self.log, self.out);
  if (fds[2].revents != 0) pump(self.log, self.err);
  flush(self.log);
  if (fds[3].revents != 0) take_control(self);
  take_signals(self);
  if (fds[4].revents != 0) on_front_end(self.front);
  if (!self.stopping) keep_front(self.front, self.spec);
  const bool children_left = reap(self.tree);
  if (self.stopping && (!children_left || boot_ms() >= self.deadline_ms)) end(self);
  if (self.tree.main != 0 && self.tree.ended) {
    kill_tree(self.tree, self.spec.limits);
    finish_stream(self.log, self.out);
    finish_stream(self.log, self.err);
    take_end(self, {SpawnStep::None, 0, self.tree.status});
  } else if (!self.stopping && self.tree.main == 0 && boot_ms() >= self.restart_at_ms) {
    start_server(self);
  }
}

}  // namespace

void run_supervisor(const RevisionSpec& spec, int control) {
  prctl(PR_SET_NAME, "slipway-service");
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  Supervisor self;
  self.spec = spec;
  self.control = control;
  self.signals = open_signals();
  const int folder = openat(spec.service_folder, spec.name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const int lock = openat(folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0 || !try_lock(lock)) {
    const SupervisorNews news{SpawnStep::Fork, errno, 0};
    send(control, &news, sizeof news, MSG_NOSIGNAL);
    _exit(1);
  }
  open_log(self.log, folder, spec.log_bytes_max, Overflow::Rotate);
  start_server(self);
  while (true) step(self);
}

}  // namespace slipway::exec::shim
