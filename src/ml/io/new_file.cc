#include "ml/io/new_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "slipway/base/file.h"

namespace slipway::ml {

Result<NewFile> NewFile::create(const std::filesystem::path& file) {
  NewFile out(file, -1);
  out.fd_ = ::open(out.partial().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (out.fd_ < 0) return errno_error("creating " + file.string(), errno);
  return out;
}

NewFile::NewFile(NewFile&& other) noexcept : file_(std::move(other.file_)), fd_(std::exchange(other.fd_, -1)) {}

NewFile::~NewFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(partial().c_str());
}

Result<void> NewFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("writing " + file_.string(), errno);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

// The error of close() counts: on network file systems it is where a full disk shows.
Result<void> NewFile::commit() {
  if (::fsync(fd_) != 0) return errno_error("syncing " + file_.string(), errno);
  if (::close(std::exchange(fd_, -1)) != 0 || std::rename(partial().c_str(), file_.c_str()) != 0) {
    const int error = errno;
    ::unlink(partial().c_str());
    return errno_error("writing " + file_.string(), error);
  }
  return sync_to_disk(file_.has_parent_path() ? file_.parent_path() : std::filesystem::path("."));
}

}  // namespace slipway::ml
