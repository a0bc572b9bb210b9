// The home: the folder that holds everything one daemon owns. One daemon per home.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "slipway/base/fd.h"
#include "slipway/base/result.h"

namespace slipway::store {

// Holds <home>/lock (flock, the holder's pid inside) until destroyed or the process ends, however it ends.
class HomeLock final {
 public:
  // Creates the home (0700) where absent. Conflict, naming the pid: another process holds it. Waits up to 2 s for what
  // a holder that is gone has left behind. The file stays: removing it would let two daemons lock two files of one
  // name.
  [[nodiscard]] static Result<HomeLock> acquire(const std::filesystem::path& home);

 private:
  explicit HomeLock(Fd file) : file_(std::move(file)) {}

  Fd file_;
};

// "nfs", "fuse", "cifs", "smb2" or "9p" if `path` lies on a file system whose locks and flushes a write-ahead log
// cannot rely on; nullopt on others.
[[nodiscard]] Result<std::optional<std::string>> unsafe_file_system(const std::filesystem::path& path);

}  // namespace slipway::store
