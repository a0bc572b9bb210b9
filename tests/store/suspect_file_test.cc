#include "slipway/store/suspect_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <thread>

#include "store/story.h"

namespace slipway::store {
namespace {

constexpr Instant kNow{std::chrono::hours(1)};

class SuspectFileTest : public ::testing::Test {
 protected:
  // A process that opens the file at that instant and does something; the signal that ended it, or 0.
  [[nodiscard]] int process(Instant now, const std::function<void(SuspectFile&)>& work) const {
    const pid_t child = ::fork();
    if (child == 0) {
      const rlimit no_core{0, 0};
      ::setrlimit(RLIMIT_CORE, &no_core);
      for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL})
        ::signal(signal, SIG_DFL);  // not a sanitizer's
      auto file = SuspectFile::open(home(), now);
      if (!file) ::_exit(1);
      work(**file);
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }
  [[nodiscard]] int abort_over(const std::string& subject, Instant now) const {
    return process(now, [&](SuspectFile& file) {
      file.work_on(subject);
      std::abort();
    });
  }
  [[nodiscard]] std::filesystem::path home() const { return folder_ / "."; }
  [[nodiscard]] std::vector<SetAside> opened_at(Instant now) const {
    return expect_ok(SuspectFile::open(home(), now))->all();
  }

  const TempFolder folder_;
};

TEST_F(SuspectFileTest, SetsAsideWhatThreeProcessesDiedOf) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(abort_over("run a", kNow + std::chrono::minutes(i)), SIGABRT);
  const auto file = expect_ok(SuspectFile::open(home(), kNow + std::chrono::minutes(3)));
  ASSERT_EQ(file->all().size(), 1U);
  EXPECT_EQ(file->all().front().subject, "run a");
  EXPECT_EQ(file->all().front().aborts, 3);
  EXPECT_TRUE(file->is_set_aside("run a"));
  EXPECT_FALSE(file->is_set_aside("run b"));
  EXPECT_EQ(expect_ok(read_quarantine(home())).size(), 1U);
}

TEST_F(SuspectFileTest, ItStaysSetAsideUntilItIsReleased) {
  for (int i = 0; i < 3; ++i) (void)abort_over("run a", kNow);
  EXPECT_EQ(opened_at(kNow).size(), 1U);
  EXPECT_EQ(opened_at(kNow + std::chrono::hours(24)).size(), 1U);
  EXPECT_EQ(release_from_quarantine(home(), "b").error().code, ErrorCode::NotFound);
  EXPECT_EQ(expect_ok(release_from_quarantine(home(), "a")).subject, "run a");
  EXPECT_TRUE(opened_at(kNow + std::chrono::hours(24)).empty());
  EXPECT_EQ(release_from_quarantine(home(), "run a").error().code, ErrorCode::NotFound);
}

TEST_F(SuspectFileTest, OnlyTheSameSubjectWithinTenMinutesCounts) {
  for (const char* subject : {"run a", "run b", "run a", "run c"}) (void)abort_over(subject, kNow);
  EXPECT_TRUE(opened_at(kNow).empty());
  (void)abort_over("run a", kNow + std::chrono::minutes(11));
  EXPECT_TRUE(opened_at(kNow + std::chrono::minutes(11)).empty());
}

TEST_F(SuspectFileTest, EveryFatalSignalCounts) {
  const auto overflow = [](SuspectFile& file) {
    file.work_on("run a");
    const std::function<int(int)> deeper = [&](int depth) {
      volatile char page[4096];
      page[0] = static_cast<char>(depth);
      return depth < 0 ? 0 : deeper(depth + 1) + page[0];
    };
    ::_exit(deeper(0));
  };
  EXPECT_EQ(process(kNow, overflow), SIGSEGV);
  for (const int signal : {SIGBUS, SIGFPE})
    EXPECT_EQ(process(kNow,
                      [&](SuspectFile& file) {
                        file.work_on("run a");
                        ::raise(signal);
                      }),
              signal);
  EXPECT_EQ(opened_at(kNow).size(), 1U);
}

TEST_F(SuspectFileTest, DeathsFromOutsideAndOfOthersAreNoSuspicion) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(process(kNow,
                      [](SuspectFile& file) {
                        file.work_on("run a");
                        ::raise(SIGKILL);
                      }),
              SIGKILL);
    EXPECT_EQ(process(kNow,
                      [](SuspectFile& file) {
                        file.work_on("run a");
                        std::thread([] { std::abort(); }).join();
                      }),
              SIGABRT);
    EXPECT_EQ(process(kNow,
                      [](SuspectFile& file) {
                        file.work_on("run a");
                        file.work_on({});
                        std::abort();
                      }),
              SIGABRT);
    EXPECT_EQ(process(kNow, [](SuspectFile& file) { file.work_on("run a"); }), 0);
  }
  EXPECT_TRUE(opened_at(kNow).empty());
}

TEST_F(SuspectFileTest, ASpoiltListKeepsNobodyFromStarting) {
  for (int i = 0; i < 2; ++i) (void)abort_over("run a", kNow);
  std::ofstream(home() / "quarantine.json") << "{";
  EXPECT_FALSE(read_quarantine(home()));
  EXPECT_TRUE(opened_at(kNow).empty());
}

TEST_F(SuspectFileTest, LongNamesAreCutAndStillFound) {
  const std::string subject = "file " + std::string(400, 'x');
  for (int i = 0; i < 3; ++i) (void)abort_over(subject, kNow);
  EXPECT_TRUE(expect_ok(SuspectFile::open(home(), kNow))->is_set_aside(subject));
}

}  // namespace
}  // namespace slipway::store
