// Suspects on the disk: <home>/suspect is mapped and holds what is worked on, <home>/quarantine.json what was set
// aside. A process that is killed from outside leaves no suspect, nor does one whose other threads fail.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "slipway/base/result.h"
#include "slipway/base/suspects.h"

namespace slipway::store {

inline constexpr int kAbortsMax = 3;
inline constexpr Duration kAbortsWithin = std::chrono::minutes(10);

class SuspectFile final : public Suspects {
 public:
  // Takes in what the process before died of: the third time within ten minutes sets the subject aside. The home must
  // be locked. From here on fatal signals are noted, in this process's one SuspectFile.
  [[nodiscard]] static Result<std::unique_ptr<SuspectFile>> open(const std::filesystem::path& home, Instant now);
  ~SuspectFile() override;

  void work_on(std::string_view subject) override;
  [[nodiscard]] bool is_set_aside(std::string_view subject) const override;
  // As of the start. Any thread.
  [[nodiscard]] const std::vector<SetAside>& all() const { return set_aside_; }

 private:
  struct Record;
  SuspectFile(Record* record, std::vector<SetAside> set_aside);
  void bind_thread();

  Record* record_;
  const std::vector<SetAside> set_aside_;
  std::unique_ptr<char[]> signal_stack_;
};

// What is set aside on a home, whoever holds it.
[[nodiscard]] Result<std::vector<SetAside>> read_quarantine(const std::filesystem::path& home);
// Lets the next start take it up again, with three lives. `subject` may leave out its first word. NotFound: it is not
// set aside.
[[nodiscard]] Result<SetAside> release_from_quarantine(const std::filesystem::path& home, std::string_view subject);

}  // namespace slipway::store
