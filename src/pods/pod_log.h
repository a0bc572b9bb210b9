// The log of an attempt that runs elsewhere: what was stored is the cursor from which its reading goes on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "slipway/base/ids.h"
#include "slipway/base/result.h"
#include "slipway/kube/logs.h"

namespace slipway::pods {

// Not thread-safe.
class PodLog {
 public:
  // Makes the attempt's folder, cuts a line that was not written whole, marks the log as being drained. Beyond
  // `bytes_max` lines are dropped, and a last one says so.
  [[nodiscard]] static Result<PodLog> open(const std::filesystem::path& home, const AttemptId& id,
                                           std::uint64_t bytes_max);
  PodLog(PodLog&& other) noexcept;
  PodLog& operator=(PodLog&&) = delete;
  ~PodLog();

  // Of what is stored.
  [[nodiscard]] kube::LogCursor cursor() const;
  // Kept in memory until write().
  void add(const kube::LogLine& line);
  [[nodiscard]] Result<void> write();
  // No more will come. Empty: the log is complete; else why it is not, which is also its last line.
  [[nodiscard]] Result<void> close(const std::string& why_cut = {});

 private:
  PodLog(std::filesystem::path folder, int fd, std::uint64_t size, std::uint64_t bytes_max);
  void note(std::string_view text);

  std::filesystem::path folder_;
  int fd_ = -1;
  std::uint64_t size_ = 0;  // of the file and of what is kept
  std::uint64_t bytes_max_ = 0;
  bool full_ = false;
  std::string pending_;
  std::string last_stamp_;
};

}  // namespace slipway::pods
