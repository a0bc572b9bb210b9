#include "ml/io/new_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

namespace slipway::ml {
namespace {

// A rename is on disk when its folder is.
Result<void> sync_folder(const std::filesystem::path& folder) {
  const int fd = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno_error(folder.string(), errno);
  const int error = ::fsync(fd) != 0 ? errno : 0;
  ::close(fd);
  if (error != 0 && error != EINVAL) return errno_error("syncing " + folder.string(), error);
  return {};
}

}  // namespace

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

Result<void> NewFile::commit() {
  if (::fsync(fd_) != 0) return errno_error("syncing " + file_.string(), errno);
  ::close(std::exchange(fd_, -1));
  if (std::rename(partial().c_str(), file_.c_str()) != 0) return errno_error("renaming " + partial().string(), errno);
  return sync_folder(file_.parent_path());
}

Result<void> write_file(const std::filesystem::path& file, std::string_view text) {
  SLIPWAY_TRY_ASSIGN(NewFile out, NewFile::create(file));
  SLIPWAY_TRY(out.write(text));
  return out.commit();
}

}  // namespace slipway::ml
