// The home: the folder that holds everything one daemon owns. One daemon per home.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "slipway/base/result.h"

namespace slipway::store {

// Holds <home>/lock (flock, the holder's pid inside) until destroyed or the process ends, however it ends.
class HomeLock final {
 public:
  // Creates the home (0700) where absent. Conflict, naming the pid: another process holds it.
  [[nodiscard]] static Result<HomeLock> acquire(const std::filesystem::path& home);

  ~HomeLock();
  HomeLock(HomeLock&& other) noexcept;
  HomeLock& operator=(HomeLock&& other) noexcept;

 private:
  explicit HomeLock(int file) : file_(file) {}

  int file_ = -1;
};

// "nfs", "fuse", "cifs", "smb2" or "9p" if `path` lies on a file system whose locks and flushes a write-ahead log
// cannot rely on; nullopt on others.
[[nodiscard]] Result<std::optional<std::string>> unsafe_file_system(const std::filesystem::path& path);

}  // namespace slipway::store
