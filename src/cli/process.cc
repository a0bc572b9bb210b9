#include "cli/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>

#include "slipway/base/file.h"
#include "slipway/base/value.h"

namespace slipway::cli {
namespace {

constexpr std::size_t kStateBytesMax = 64U << 10U;

std::string read_all(int fd) {
  std::string text;
  char buffer[1024];
  for (ssize_t n = 0; (n = read(fd, buffer, sizeof buffer)) != 0;) {
    if (n < 0 && errno != EINTR) break;
    if (n > 0) text.append(buffer, static_cast<std::size_t>(n));
  }
  return text;
}

}  // namespace

std::optional<DaemonState> running_daemon(const std::string& home) {
  const auto text = read_whole_file(home + "/daemon.json", kStateBytesMax);
  const auto state = text ? parse_json(*text) : Result<Value>(Value());
  if (!state || !state->is_object()) return std::nullopt;
  DaemonState daemon{state->get_string("url"), static_cast<int>(state->get_int("pid")), state->get_string("dags")};
  if (daemon.pid <= 0 || kill(daemon.pid, 0) != 0) return std::nullopt;
  return daemon;
}

Result<void> stop_process(int pid, Duration limit) {
  // A pidfd names this process even if the number is used again.
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0)
    return errno == ESRCH ? Result<void>() : Result<void>(errno_error("process " + std::to_string(pid), errno));
  kill(pid, SIGTERM);
  pollfd ended{fd, POLLIN, 0};
  const int ready = poll(&ended, 1, static_cast<int>(limit.count() / 1000));
  close(fd);
  if (ready > 0) return {};
  return Error{ErrorCode::TimedOut, "process " + std::to_string(pid) + " has not ended after " + to_text(limit), {}};
}

std::string own_path() {
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/self/exe", ignored).string();
}

Result<Detached> detach(const std::string& log_file) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return errno_error("pipe", errno);
  const int log = open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log < 0) return errno_error("opening " + log_file, errno);
  const pid_t child = fork();
  if (child < 0) return errno_error("fork", errno);
  if (child > 0) {
    close(ends[1]);
    close(log);
    Detached parent;
    parent.report = read_all(ends[0]);
    close(ends[0]);
    return parent;
  }
  close(ends[0]);
  setsid();
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(null, STDIN_FILENO);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  close(null);
  close(log);
  return Detached{true, ends[1], {}};
}

}  // namespace slipway::cli
