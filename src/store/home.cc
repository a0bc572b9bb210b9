#include "slipway/store/home.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <string_view>
#include <system_error>
#include <utility>

namespace slipway::store {
namespace {

constexpr int kTriesMax = 100, kTryAgainMs = 20;

struct FileSystem {
  long type;  // statfs(2), f_type
  std::string_view name;
};
constexpr std::array<FileSystem, 5> kUnsafe{{
    {0x6969, "nfs"},
    {0x65735546, "fuse"},
    {0xff534d42, "cifs"},
    {0xfe534d42, "smb2"},
    {0x01021997, "9p"},
}};

Result<void> create_home(const std::filesystem::path& home) {
  std::error_code error;
  if (home.has_parent_path()) std::filesystem::create_directories(home.parent_path(), error);
  if (error) return errno_error("cannot create " + home.parent_path().string(), error.value());
  if (::mkdir(home.c_str(), 0700) != 0 && errno != EEXIST) return errno_error("cannot create " + home.string(), errno);
  return {};
}

// The pid that the lock's file names; 0: none.
pid_t holder(const Fd& file) {
  std::array<char, 32> text{};
  const auto size = ::pread(file.get(), text.data(), text.size() - 1, 0);
  pid_t pid = 0;
  std::from_chars(text.data(), text.data() + std::max<ssize_t>(size, 0), pid);
  return pid;
}

bool is_gone(pid_t pid) { return pid > 0 && ::kill(pid, 0) != 0 && errno == ESRCH; }

// A process that was killed may leave a child that has not become another program yet; until then it holds the lock,
// too. Returns what flock(2) says.
int lock(const Fd& file) {
  for (int tries = 0;; ++tries) {
    const int problem = ::flock(file.get(), LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    if (problem != EWOULDBLOCK || tries == kTriesMax || !is_gone(holder(file))) return problem;
    (void)::poll(nullptr, 0, kTryAgainMs);
  }
}

}  // namespace

Result<HomeLock> HomeLock::acquire(const std::filesystem::path& home) {
  SLIPWAY_TRY(create_home(home));
  const auto path = home / "lock";
  Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return errno_error("cannot open " + path.string(), errno);
  const int problem = lock(file);
  if (problem == EWOULDBLOCK) {
    const pid_t pid = holder(file);
    return Error{
        ErrorCode::Conflict,
        "home " + home.string() + " is locked by " + (pid == 0 ? "another process" : "pid " + std::to_string(pid)),
        "stop that daemon, or choose another --home"};
  }
  if (problem != 0) return errno_error("cannot lock " + path.string(), problem);
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(file.get(), 0) != 0 || ::pwrite(file.get(), pid.data(), pid.size(), 0) < 0)
    return errno_error("cannot write " + path.string(), errno);
  return HomeLock(std::move(file));
}

Result<std::optional<std::string>> unsafe_file_system(const std::filesystem::path& path) {
  struct statfs info {};
  if (::statfs(path.c_str(), &info) != 0) return errno_error("cannot look at " + path.string(), errno);
  for (const auto& system : kUnsafe)
    if (static_cast<unsigned long>(info.f_type) == static_cast<unsigned long>(system.type))
      return std::optional<std::string>(system.name);
  return std::optional<std::string>();
}

}  // namespace slipway::store
