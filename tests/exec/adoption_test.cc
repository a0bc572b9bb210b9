// An attempt runs at most once, and is found again whatever happened to those who watched it.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec/local_fixture.h"

namespace slipway::exec {
namespace {

using slipway::test::ReportLog;
using test::end_holder;
using test::eventually;
using test::read_text;

// Runs until release(), then exits 7.
constexpr char kHold[] = "echo $$ >pid; echo started; while [ ! -e go ]; do sleep 0.01; done; exit 7";

class AdoptionTest : public test::LocalFixture {
 protected:
  void release() const { std::ofstream(workspace() / "go") << "1"; }
  // Launches kHold and waits until it runs.
  Running hold() {
    executor_->launch(shell(kHold));
    const auto launched = sink_.wait<Running>(id());
    EXPECT_TRUE(launched);
    EXPECT_GT(pid_in("pid"), 0);
    return launched.value_or(Running{});
  }
  OpenAttempt open(const std::string& identity) const { return {id(), identity, false, Duration(0), false}; }
};

TEST_F(AdoptionTest, LaunchingTwiceRunsOnce) {
  start();
  executor_->launch(shell("echo x >>count"));
  executor_->launch(shell("echo x >>count"));
  ASSERT_TRUE(sink_.wait<Exited>(id()));
  executor_->launch(shell("echo x >>count"));
  ASSERT_TRUE(sink_.wait<Exited>(id(), 1));
  EXPECT_EQ(read_text(workspace() / "count"), "x\n");
  EXPECT_EQ(log().size(), 0U);
}

TEST_F(AdoptionTest, TwoExecutorsOnOneHomeRunEachAttemptOnce) {
  constexpr int kAttempts = 40;
  start();
  ReportLog other_sink;
  auto other = make_local_executor(options_, other_sink, clock_, Logger());
  ASSERT_TRUE(other);
  for (int n = 1; n <= kAttempts; ++n) {
    const std::string script = "echo x >>count." + std::to_string(n);
    (n % 2 == 0 ? *executor_ : **other).launch(shell(script, n));
    (n % 2 == 0 ? **other : *executor_).launch(shell(script, n));
  }
  for (int n = 1; n <= kAttempts; ++n) {
    EXPECT_TRUE(sink_.wait<Exited>(id(n))) << n;
    EXPECT_TRUE(other_sink.wait<Exited>(id(n))) << n;
    EXPECT_EQ(read_text(workspace() / ("count." + std::to_string(n))), "x\n");
  }
  int folders = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder().parent_path())) ++folders;
  EXPECT_EQ(folders, kAttempts);  // whoever lost the race left nothing behind
}

TEST_F(AdoptionTest, ANewExecutorTakesARunningAttemptOver) {
  start();
  const Running launched = hold();
  restart();
  executor_->adopt({open(launched.identity)});
  const auto running = sink_.wait<Running>(id(), 1);
  ASSERT_TRUE(running);
  EXPECT_EQ(running->identity, launched.identity);
  EXPECT_LT(sink_.wait<Running>(id())->at - running->at, std::chrono::seconds(2));
  release();
  const auto exited = sink_.wait<Exited>(id());
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->exit_code, 7);
}

TEST_F(AdoptionTest, LaunchFindsARunningAttemptOfWhichOnlyTheIntentWasCommitted) {
  start();
  const Running launched = hold();
  restart();
  executor_->launch(shell("echo twice >>pid"));
  const auto again = sink_.wait<Running>(id(), 1);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->identity, launched.identity);
  release();
  EXPECT_EQ(sink_.wait<Exited>(id())->exit_code, 7);
  EXPECT_EQ(read_text(workspace() / "pid").find("twice"), std::string::npos);
}

TEST_F(AdoptionTest, AnEndThatNobodyWatchedIsReported) {
  start();
  const Running launched = hold();
  executor_.reset();
  release();
  ASSERT_TRUE(eventually([&] { return exists(folder() / "exit"); }));
  start();
  executor_->adopt({open(launched.identity)});
  const auto exited = sink_.wait<Exited>(id());
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->exit_code, 7);
  EXPECT_EQ(output(), "started\n");
}

TEST_F(AdoptionTest, TasksOutliveTheHelper) {
  start();
  hold();
  const pid_t first = shimd();
  ASSERT_TRUE(end_holder(home_.path() / shim::kLockName, SIGKILL));
  EXPECT_TRUE(run(shell("exit 0", 2)));
  EXPECT_NE(shimd(), first);
  EXPECT_TRUE(is_alive(pid_in("pid")));
  release();
  EXPECT_EQ(sink_.wait<Exited>(id())->exit_code, 7);
}

TEST_F(AdoptionTest, KillingTheHelperAgainAndAgainLosesAndRepeatsNothing) {
  constexpr int kAttempts = 60;
  start();
  for (int n = 1; n <= kAttempts; ++n) {
    executor_->launch(shell("echo x >>count." + std::to_string(n), n));
    if (n % 6 == 0) end_holder(home_.path() / shim::kLockName, SIGKILL);
  }
  for (int n = 1; n <= kAttempts; ++n) {
    ASSERT_TRUE(sink_.wait<Exited>(id(n))) << n;
    EXPECT_EQ(read_text(workspace() / ("count." + std::to_string(n))), "x\n");
  }
}

TEST_F(AdoptionTest, AKilledShimIsLostAndItsTreeEnded) {
  start();
  executor_->launch(
      shell("setsid sh -c 'echo $$ >deep; while :; do sleep 0.05; done' & echo $$ >pid; while :; do sleep 0.05; done"));
  const pid_t deep = pid_in("deep");
  const pid_t main = pid_in("pid");
  ASSERT_TRUE(end_holder(folder() / "lock", SIGKILL));
  const auto lost = sink_.wait<Lost>(id());
  ASSERT_TRUE(lost);
  EXPECT_TRUE(lost->end_proved);
  EXPECT_EQ(lost->message, "the process that watched it was killed");
  EXPECT_FALSE(is_alive(deep));
  EXPECT_FALSE(is_alive(main));
}

TEST_F(AdoptionTest, ARestartOfTheMachineIsAProvedEnd) {
  options_.boot_id_file = home_.path() / "boot_id";
  std::ofstream(options_.boot_id_file) << "boot-1\n";
  start();
  const Running launched = hold();
  EXPECT_NE(launched.identity.find(":boot-1"), std::string::npos);
  std::ofstream(options_.boot_id_file) << "boot-2\n";
  restart();
  executor_->adopt({open(launched.identity)});
  const auto lost = sink_.wait<Lost>(id());
  ASSERT_TRUE(lost);
  EXPECT_TRUE(lost->end_proved);
  EXPECT_EQ(lost->message, "the machine was restarted while it ran");
}

TEST_F(AdoptionTest, AnEndBeforeTheRestartOfTheMachineCounts) {
  options_.boot_id_file = home_.path() / "boot_id";
  std::ofstream(options_.boot_id_file) << "boot-1\n";
  start();
  ASSERT_TRUE(run(shell("exit 5")));
  const std::string identity = sink_.wait<Running>(id())->identity;
  std::ofstream(options_.boot_id_file) << "boot-2\n";
  restart();
  executor_->adopt({open(identity)});
  const auto exited = sink_.wait<Exited>(id(), 1);
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->exit_code, 5);
}

TEST_F(AdoptionTest, AReusedProcessNumberIsNotTheAttempt) {
  start();
  const ProcessIdentity mine{::getpid(), start_ticks_of(::getpid()) + 1, read_boot_id(options_.boot_id_file)};
  executor_->adopt({open(mine.str())});
  const auto lost = sink_.wait<Lost>(id());
  ASSERT_TRUE(lost);
  EXPECT_TRUE(lost->end_proved);
  EXPECT_EQ(lost->message, "its folder is gone");
  EXPECT_EQ(sink_.count<Running>(id()), 0U);
}

TEST_F(AdoptionTest, ARunningAttemptIsFoundWithoutItsFolder) {
  start();
  const Running launched = hold();
  executor_.reset();
  std::filesystem::rename(home_.path() / "attempts", home_.path() / "elsewhere");
  start();
  executor_->adopt({open(launched.identity)});
  EXPECT_TRUE(sink_.wait<Running>(id(), 1));
  std::filesystem::rename(home_.path() / "elsewhere", home_.path() / "attempts");
  release();
  EXPECT_EQ(sink_.wait<Exited>(id())->exit_code, 7);
}

// A process that holds the locks of an attempt as its shim would, and nothing else.
class FakeShim {
 public:
  explicit FakeShim(const std::filesystem::path& lock) {
    int orders[2];
    EXPECT_EQ(::pipe(orders), 0);
    pid_ = ::fork();
    if (pid_ == 0) obey(lock, orders[0]);
    ::close(orders[0]);
    orders_ = Fd(orders[1]);
    EXPECT_TRUE(eventually([&] { return lock_holder(lock) == pid_; }));
  }
  FakeShim(const FakeShim&) = delete;
  FakeShim& operator=(const FakeShim&) = delete;
  ~FakeShim() { end(); }

  void start_command() { EXPECT_EQ(::write(orders_.get(), "s", 1), 1); }
  void end() {
    if (pid_ > 0) ::kill(pid_, SIGKILL);
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  [[noreturn]] static void obey(const std::filesystem::path& file, int orders) {
    const int fd = ::open(file.c_str(), O_RDWR);
    for (const int byte : {shim::kLockAlive, shim::kLockStarted}) {
      struct flock lock {};
      lock.l_type = F_WRLCK;
      lock.l_start = byte;
      lock.l_len = 1;
      ::fcntl(fd, F_SETLK, &lock);
      char order = 0;
      if (::read(orders, &order, 1) != 1) ::_exit(1);
    }
    ::_exit(0);
  }
  pid_t pid_ = 0;
  Fd orders_;
};

TEST_F(AdoptionTest, AShimThatHasNotStartedTheCommandIsNotRunning) {
  std::filesystem::create_directories(folder());
  std::ofstream(folder() / "lock") << "";
  FakeShim fake(folder() / "lock");
  start();
  executor_->launch(shell("echo never"));
  ASSERT_TRUE(run(shell("exit 0", 2)));  // launched later, and already over
  EXPECT_EQ(sink_.count<Running>(id()), 0U);
  fake.start_command();
  EXPECT_TRUE(sink_.wait<Running>(id()));
  fake.end();
  EXPECT_TRUE(sink_.wait<Lost>(id()));
}

// Lowers the limit of open files, so that only a few more can be opened, and raises it again.
class FewDescriptors {
 public:
  FewDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const Fd next(::open("/dev/null", O_RDONLY));
    const rlimit few{static_cast<rlim_t>(next.get()) + 12, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &few);
  }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;
  ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(AdoptionTest, WithoutDescriptorsNothingIsConcludedAndNothingMissed) {
  constexpr int kAttempts = 30;
  start();
  ASSERT_TRUE(run(shell("exit 0", 100)));  // the helper is connected
  const FewDescriptors few;
  for (int n = 1; n <= kAttempts; ++n)
    executor_->launch(shell("while [ ! -e go ]; do sleep 0.02; done; exit " + std::to_string(n), n));
  for (int n = 1; n <= kAttempts; ++n) EXPECT_TRUE(sink_.wait<Running>(id(n))) << n;
  std::filesystem::create_directory(workspace() / "go");
  for (int n = 1; n <= kAttempts; ++n) {
    const auto exited = sink_.wait<Exited>(id(n));
    ASSERT_TRUE(exited) << n;
    EXPECT_EQ(exited->exit_code, n);
    EXPECT_EQ(sink_.count<Lost>(id(n)), 0U);
  }
}

TEST_F(AdoptionTest, AnUnreadableEndIsNotInvented) {
  start();
  ASSERT_TRUE(run(shell("exit 0")));
  std::ofstream(folder() / "exit") << "{\"exit_code\": 0";
  restart();
  executor_->adopt({open(sink_.wait<Running>(id())->identity)});
  const auto lost = sink_.wait<Lost>(id());
  ASSERT_TRUE(lost);
  EXPECT_TRUE(lost->end_proved);
  EXPECT_NE(lost->message.find("cannot be understood"), std::string::npos);
}

}  // namespace
}  // namespace slipway::exec
