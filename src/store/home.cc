#include "slipway/store/home.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

namespace slipway::store {
namespace {

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

std::string holder(int file) {
  std::array<char, 32> text{};
  const auto size = ::pread(file, text.data(), text.size() - 1, 0);
  std::string pid(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  while (!pid.empty() && pid.back() == '\n') pid.pop_back();
  return pid.empty() ? "another process" : "pid " + pid;
}

}  // namespace

Result<HomeLock> HomeLock::acquire(const std::filesystem::path& home) {
  SLIPWAY_TRY(create_home(home));
  const auto path = home / "lock";
  HomeLock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (lock.file_ < 0) return errno_error("cannot open " + path.string(), errno);
  if (::flock(lock.file_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return errno_error("cannot lock " + path.string(), errno);
    return Error{ErrorCode::Conflict, "home " + home.string() + " is locked by " + holder(lock.file_),
                 "stop that daemon, or choose another --home"};
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock.file_, 0) != 0 || ::pwrite(lock.file_, pid.data(), pid.size(), 0) < 0)
    return errno_error("cannot write " + path.string(), errno);
  return lock;
}

HomeLock::~HomeLock() {
  // The file stays: removing it would let two daemons lock two files of one name.
  if (file_ >= 0) ::close(file_);
}

HomeLock::HomeLock(HomeLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}

HomeLock& HomeLock::operator=(HomeLock&& other) noexcept {
  std::swap(file_, other.file_);
  return *this;
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
