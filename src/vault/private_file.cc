#include "vault/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "slipway/base/file.h"

namespace slipway::vault {
namespace {

Result<void> write_new(const std::string& path, std::string_view bytes, mode_t mode) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (file < 0) return errno_error("cannot create " + path, errno);
  const auto written = ::write(file, bytes.data(), bytes.size());
  const bool durable = written == static_cast<ssize_t>(bytes.size()) && ::fsync(file) == 0;
  const int error = errno;
  ::close(file);
  if (!durable) return errno_error("cannot write " + path, error);
  return {};
}

}  // namespace

Result<void> write_private_file(const std::filesystem::path& file, std::string_view bytes, mode_t mode) {
  const std::string unfinished = file.string() + ".tmp";
  ::unlink(unfinished.c_str());
  SLIPWAY_TRY(write_new(unfinished, bytes, mode));
  if (std::rename(unfinished.c_str(), file.c_str()) != 0) return errno_error("cannot rename " + unfinished, errno);
  return sync_to_disk(file.parent_path());
}

Result<std::string> read_private_file(const std::filesystem::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return errno_error("cannot read " + file.string(), errno);
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return Error{ErrorCode::Forbidden, file.string() + " may be read by others", "chmod go= " + file.string()};
  return read_whole_file(file, 4'096);
}

}  // namespace slipway::vault
