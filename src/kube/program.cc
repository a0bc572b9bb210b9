#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "slipway/base/fd.h"
#include "slipway/kube/credentials.h"

namespace slipway::kube {
namespace {

constexpr std::size_t kErrorsKept = 4096;

struct Pipe {
  Fd read;
  Fd write;
};

Result<void> open_pipe(Pipe& pipe) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return errno_error("pipe", errno);
  pipe.read = Fd(ends[0]);
  pipe.write = Fd(ends[1]);
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return {};
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

// A process group of its own, so that whatever it starts is ended with it.
Result<pid_t> spawn(const ProgramCall& call, const Pipe& out, const Pipe& err) {
  std::vector<std::string> args{call.command};
  args.insert(args.end(), call.args.begin(), call.args.end());
  std::vector<std::string> env;
  for (const auto& [name, value] : call.env) env.push_back(name + "=" + value);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, out.write.get(), 1);
  posix_spawn_file_actions_adddup2(&files, err.write.get(), 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  pid_t pid = -1;
  const int error =
      ::posix_spawnp(&pid, call.command.c_str(), &files, &attributes, pointers(args).data(), pointers(env).data());
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return errno_error("starting `" + call.command + "`", error);
  return pid;
}

void drain(int fd, std::string& into) {
  std::array<char, 4096> bytes{};
  for (ssize_t got = 0; (got = ::read(fd, bytes.data(), bytes.size())) > 0;)
    into.append(bytes.data(), static_cast<std::size_t>(got));
}

void keep_tail(std::string& text) {
  if (text.size() > kErrorsKept) text.erase(0, text.size() - kErrorsKept);
}

int reap(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

Error kill_it(pid_t pid, ErrorCode code, std::string message) {
  ::kill(-pid, SIGKILL);
  reap(pid);
  return {code, std::move(message), {}};
}

}  // namespace

Result<ProgramEnd> run_program(const ProgramCall& call) {
  Pipe out;
  Pipe err;
  SLIPWAY_TRY(open_pipe(out));
  SLIPWAY_TRY(open_pipe(err));
  SLIPWAY_TRY_ASSIGN(const pid_t pid, spawn(call, out, err));
  out.write.reset();
  err.write.reset();
  const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (process.get() < 0) return kill_it(pid, ErrorCode::Io, "pidfd_open failed");
  const SystemClock clock;
  const MonoInstant deadline = clock.monotonic() + call.timeout;
  ProgramEnd end;
  for (bool running = true; running;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock.monotonic());
    if (left.count() <= 0) return kill_it(pid, ErrorCode::TimedOut, "it did not end in " + to_text(call.timeout));
    std::array<pollfd, 3> ready{{{process.get(), POLLIN, 0}, {out.read.get(), POLLIN, 0}, {err.read.get(), POLLIN, 0}}};
    if (::poll(ready.data(), ready.size(), static_cast<int>(left.count())) < 0 && errno != EINTR)
      return kill_it(pid, ErrorCode::Io, "poll failed");
    running = (ready[0].revents & POLLIN) == 0;
    drain(out.read.get(), end.output);
    drain(err.read.get(), end.errors);
    keep_tail(end.errors);
    if ((ready[1].revents & (POLLIN | POLLHUP)) == POLLHUP) out.read.reset();  // poll passes over -1
    if ((ready[2].revents & (POLLIN | POLLHUP)) == POLLHUP) err.read.reset();
    if (end.output.size() > call.output_bytes_max)
      return kill_it(pid, ErrorCode::TooLarge, "it printed over " + std::to_string(call.output_bytes_max) + " bytes");
  }
  end.exit_code = reap(pid);
  return end;
}

}  // namespace slipway::kube
