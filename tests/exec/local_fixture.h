// A local executor on a home of its own, with everything it started ended at the end of the test.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <vector>

#include "exec/process_table.h"
#include "exec/shim_protocol.h"
#include "slipway/exec/attempt_folder.h"
#include "slipway/exec/local_executor.h"
#include "support/eventually.h"
#include "support/report_log.h"
#include "support/temp_folder.h"

namespace slipway::exec::test {

using slipway::test::TempFolder;

using slipway::test::eventually;
using slipway::test::kPatience;

inline std::string read_text(const std::filesystem::path& file) { return read_proc_file(file); }

// Ends the holder of a lock and waits for it. True if there was one.
inline bool end_holder(const std::filesystem::path& lock, int signal) {
  const pid_t pid = lock_holder(lock);
  if (pid <= 0) return false;
  const Fd process = open_process(pid, start_ticks_of(pid));
  if (!process) return false;
  signal_process(process, signal);
  pollfd wait{process.get(), POLLIN, 0};
  return ::poll(&wait, 1, 30'000) == 1;
}

class LocalWorld {
 public:
  LocalWorld() { options_.home = home_.path(); }
  LocalWorld(const LocalWorld&) = delete;
  LocalWorld& operator=(const LocalWorld&) = delete;
  ~LocalWorld() {
    executor_.reset();
    end_all("services");
    end_all("attempts");
    end_holder(home_.path() / shim::kLockName, SIGTERM);
  }

  void start() {
    auto made = make_local_executor(options_, sink_, clock_, Logger());
    ASSERT_TRUE(made);
    executor_ = *std::move(made);
  }
  // As after kill -9 of the daemon: a new executor knows nothing.
  void restart() {
    executor_.reset();
    start();
  }

  // Of this process alone: control groups are named by attempts, and tests run side by side.
  inline static const std::string kRun = "01jd" + std::to_string(::getpid());
  static AttemptId id(int number = 1) { return {RunId(kRun), {TaskId("task"), -1}, number}; }
  static LaunchSpec shell(const std::string& script, int number = 1) {
    LaunchSpec spec;
    spec.id = id(number);
    spec.argv = {"/bin/sh", "-ec", script};
    spec.env["PATH"] = "/usr/local/bin:/usr/bin:/bin";
    spec.grace = std::chrono::seconds(20);
    return spec;
  }
  // Launches, and waits for the end.
  std::optional<Exited> run(LaunchSpec spec) {
    const AttemptId attempt = spec.id;
    executor_->launch(std::move(spec));
    return sink_.wait<Exited>(attempt);
  }
  std::filesystem::path workspace() const { return workspace_folder(home_.path(), id().run); }
  std::filesystem::path folder(int number = 1) const { return attempt_folder(home_.path(), id(number)); }
  std::vector<LogLine> log(int number = 1) const {
    return read_log(log_file(home_.path(), id(number)), 0, 512U << 20U).lines;
  }
  // The texts of all lines, one per line.
  std::string output(int number = 1) const {
    std::string text;
    for (const LogLine& line : log(number)) text += line.text + (line.partial ? "" : "\n");
    return text;
  }
  // The pid a script wrote with `echo $$ >file`, once it is complete.
  pid_t pid_in(const std::string& name) const {
    std::string text;
    EXPECT_TRUE(eventually([&] { return (text = read_text(workspace() / name)).find('\n') != std::string::npos; }));
    return std::atoi(text.c_str());
  }
  static bool is_alive(pid_t pid) {
    const std::string stat = read_text("/proc/" + std::to_string(pid) + "/stat");
    const auto name_end = stat.rfind(')');
    return name_end != std::string::npos && stat[name_end + 2] != 'Z' && stat[name_end + 2] != 'X';
  }
  pid_t shim(int number = 1) const { return lock_holder(folder(number) / "lock"); }
  pid_t shimd() const { return lock_holder(home_.path() / shim::kLockName); }

  TempFolder home_;
  LocalOptions options_;
  SystemClock clock_;
  slipway::test::ReportLog sink_;
  std::unique_ptr<Executor> executor_;

 private:
  void end_all(const char* below) const {
    std::error_code ignored;
    std::vector<std::filesystem::path> files;
    for (std::filesystem::recursive_directory_iterator it(home_.path() / below, ignored), end; it != end;
         it.increment(ignored))
      files.push_back(it->path());
    for (const auto& file : files) end_holder(file, shim::kStopNowSignal);
  }
};

class LocalFixture : public ::testing::Test, protected LocalWorld {};

}  // namespace slipway::exec::test
