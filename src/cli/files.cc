#include "cli/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace slipway::cli {

Result<std::string> read_file(const std::string& path) {
  constexpr std::uintmax_t kBytesMax = 64U << 20U;
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  std::error_code ignored;
  if (!in || std::filesystem::is_directory(path, ignored)) return errno_error("reading " + path, in ? EISDIR : errno);
  if (std::filesystem::file_size(path, ignored) > kBytesMax && !ignored)
    return Error{ErrorCode::TooLarge, path + " is larger than 64 MiB", {}};
  std::ostringstream bytes;
  bytes << in.rdbuf();
  return std::move(bytes).str();
}

Result<void> write_file(const std::string& path, const std::string& bytes) {
  const std::string temporary = path + ".tmp";
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return errno_error("writing " + path, errno);
  const auto written = write(fd, bytes.data(), bytes.size());
  const int problem = written == static_cast<ssize_t>(bytes.size()) ? 0 : errno;
  close(fd);
  if (problem != 0 || written != static_cast<ssize_t>(bytes.size()))
    return errno_error("writing " + path, problem == 0 ? ENOSPC : problem);
  if (std::rename(temporary.c_str(), path.c_str()) != 0) return errno_error("writing " + path, errno);
  return {};
}

std::string absolute_path(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::absolute(path, ignored).lexically_normal().string();
}

}  // namespace slipway::cli
