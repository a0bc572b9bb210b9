#include "exec/process_table.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>

#include <array>
#include <charconv>
#include <system_error>

namespace slipway::exec {
namespace {

constexpr int kKillRoundsMax = 50;
constexpr int kKillRoundMs = 10;

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// The value of SLIPWAY_ATTEMPT_ID in an environment block, empty if it has none.
std::string_view attempt_in(std::string_view environment) {
  constexpr std::string_view kName = "SLIPWAY_ATTEMPT_ID=";
  for (std::size_t at = 0; at < environment.size();) {
    const std::string_view variable = environment.substr(at, environment.find('\0', at) - at);
    if (variable.substr(0, kName.size()) == kName) return variable.substr(kName.size());
    at += variable.size() + 1;
  }
  return {};
}

// One pass: KILLs what it finds and returns whose it was.
std::set<std::string> kill_once(const std::set<std::string>& attempts) {
  std::set<std::string> found;
  std::error_code error;
  std::filesystem::directory_iterator it("/proc", error);
  if (error) return attempts;  // nothing is proved without looking
  for (const std::filesystem::directory_iterator end; it != end; it.increment(error)) {
    const auto pid = parse_number<pid_t>(it->path().filename().native());
    if (!pid) continue;
    const std::string environment = read_proc_file(it->path() / "environ");
    const std::string attempt(attempt_in(environment));
    if (attempts.count(attempt) == 0) continue;
    ::kill(*pid, SIGKILL);
    found.insert(attempt);
  }
  return found;
}

// The holder of a lock on `length` bytes from `start`; length 0 means up to the end.
pid_t holder_of(const std::filesystem::path& file, off_t start, off_t length) {
  const Fd fd(::open(file.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return errno == ENOENT ? 0 : -1;
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = start;
  lock.l_len = length;
  if (::fcntl(fd.get(), F_GETLK, &lock) != 0) return -1;
  if (lock.l_type == F_UNLCK) return 0;
  return lock.l_pid > 0 ? lock.l_pid : -1;
}

}  // namespace

std::string ProcessIdentity::str() const {
  return std::to_string(pid) + ":" + std::to_string(start_ticks) + ":" + boot_id;
}

std::optional<ProcessIdentity> ProcessIdentity::parse(std::string_view text) {
  const auto first = text.find(':');
  const auto second = first == std::string_view::npos ? first : text.find(':', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const auto pid = parse_number<pid_t>(text.substr(0, first));
  const auto ticks = parse_number<std::uint64_t>(text.substr(first + 1, second - first - 1));
  if (!pid || !ticks) return std::nullopt;
  return ProcessIdentity{*pid, *ticks, std::string(text.substr(second + 1))};
}

std::string read_proc_file(const std::filesystem::path& file) {
  const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 4096> part;
  for (ssize_t got = 0; fd && (got = ::read(fd.get(), part.data(), part.size())) > 0;)
    text.append(part.data(), static_cast<std::size_t>(got));
  return text;
}

std::string read_boot_id(const std::filesystem::path& file) {
  std::string text = read_proc_file(file);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::uint64_t start_ticks_of(pid_t pid) {
  const std::string stat = read_proc_file("/proc/" + std::to_string(pid) + "/stat");
  // The name in parentheses may hold anything, so fields are counted from its last parenthesis (field 3 follows it).
  auto at = stat.rfind(')');
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = stat.find(' ', at + 1);
  if (at == std::string::npos) return 0;
  return parse_number<std::uint64_t>(std::string_view(stat).substr(at + 1, stat.find(' ', at + 1) - at - 1))
      .value_or(0);
}

Instant instant_of_ticks(std::uint64_t start_ticks, const Clock& clock) {
  const auto per_second = static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
  const MonoInstant start{Duration(static_cast<std::int64_t>(start_ticks * 1'000'000 / per_second))};
  return clock.now() - (clock.monotonic() - start);
}

pid_t lock_holder(const std::filesystem::path& file) { return holder_of(file, 0, 0); }
pid_t lock_holder(const std::filesystem::path& file, int byte) { return holder_of(file, byte, 1); }

Fd open_process(pid_t pid, std::uint64_t start_ticks) {
  Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process) return process;
  // The descriptor holds on to one process; that it is the right one can be seen only now.
  return if_it_is(std::move(process), start_ticks_of(pid), start_ticks);
}

Fd if_it_is(Fd process, std::uint64_t found_ticks, std::uint64_t start_ticks) {
  if (found_ticks == start_ticks) return process;
  pollfd end{process.get(), POLLIN, 0};
  const bool has_ended = found_ticks != 0 || ::poll(&end, 1, 0) > 0;
  process = Fd();
  errno = has_ended ? ESRCH : EAGAIN;
  return process;
}

void signal_process(const Fd& process, int signal) {
  ::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0);
}

std::set<std::string> kill_stragglers(const std::set<std::string>& attempts) {
  std::set<std::string> left = kill_once(attempts);
  for (int round = 0; !left.empty() && round < kKillRoundsMax; ++round) {
    ::poll(nullptr, 0, kKillRoundMs);
    left = kill_once(attempts);
  }
  return left;
}

}  // namespace slipway::exec
