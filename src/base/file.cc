#include "slipway/base/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "slipway/base/fd.h"

namespace slipway {
namespace {

Result<void> write_all(Fd& file, std::string_view bytes, const std::string& what) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno_error(what, errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(file.get()) != 0 || ::close(file.release()) != 0) return errno_error(what, errno);
  return {};
}

}  // namespace

Result<std::string> read_whole_file(const std::filesystem::path& file, std::size_t bytes_max) {
  const std::string what = "reading " + file.string();
  const Fd in(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (in.get() < 0) return errno_error(what, errno);
  std::string bytes;
  constexpr std::size_t kChunk = 64U << 10U;
  for (std::size_t used = 0;;) {
    bytes.resize(used + kChunk);
    const ssize_t got = ::read(in.get(), bytes.data() + used, kChunk);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(what, errno);
    used += static_cast<std::size_t>(got);
    bytes.resize(used);
    if (used > bytes_max)
      return Error{ErrorCode::TooLarge, file.string() + " is larger than " + std::to_string(bytes_max) + " bytes", {}};
    if (got == 0) return bytes;
  }
}

Result<void> write_whole_file(const std::filesystem::path& file, std::string_view bytes) {
  const std::string what = "writing " + file.string();
  const std::filesystem::path temporary = file.string() + ".tmp";
  Fd out(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (out.get() < 0) return errno_error(what, errno);
  SLIPWAY_TRY(write_all(out, bytes, what));
  if (std::rename(temporary.c_str(), file.c_str()) != 0) return errno_error(what, errno);
  return sync_to_disk(file.has_parent_path() ? file.parent_path() : std::filesystem::path("."));
}

Result<void> sync_to_disk(const std::filesystem::path& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0 || ::fsync(file.get()) != 0) return errno_error("syncing " + path.string(), errno);
  return {};
}

}  // namespace slipway
