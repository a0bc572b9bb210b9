// A command that cannot be started is no command that failed: the class and the text say what to change.
#include <sys/stat.h>

#include "exec/local_fixture.h"

namespace slipway::exec {
namespace {

using run::FailureClass;
using ::testing::Test;

class LaunchFailureTest : public test::LocalFixture {
 protected:
  LaunchFailed fail(LaunchSpec spec) {
    const AttemptId attempt = spec.id;
    executor_->launch(std::move(spec));
    const auto failed = sink_.wait<LaunchFailed>(attempt);
    EXPECT_TRUE(failed);
    EXPECT_EQ(sink_.count<Running>(attempt), 0U);
    return failed.value_or(LaunchFailed{});
  }
  static LaunchSpec command(std::vector<std::string> argv) {
    LaunchSpec spec = shell("");
    spec.argv = std::move(argv);
    return spec;
  }
};

TEST_F(LaunchFailureTest, AMissingProgramIsNamedWithThePath) {
  start();
  const LaunchFailed failed = fail(command({"no-such-program", "x"}));
  EXPECT_EQ(failed.failure, FailureClass::Config);
  EXPECT_EQ(failed.message, "program `no-such-program` not found in PATH (/usr/local/bin:/usr/bin:/bin)");
}

TEST_F(LaunchFailureTest, TheSpecsPathIsTheOneSearched) {
  start();
  LaunchSpec spec = command({"tool"});
  const auto tool = home_.path() / "tool";
  std::ofstream(tool) << "#!/bin/sh\necho found\n";
  ASSERT_EQ(::chmod(tool.c_str(), 0755), 0);
  spec.env["PATH"] = "/nonexistent:" + home_.path().string();
  ASSERT_TRUE(run(spec));
  EXPECT_EQ(output(), "found\n");
}

TEST_F(LaunchFailureTest, AFileThatIsNoProgram) {
  start();
  const std::string file = (home_.path() / "notes").string();
  std::ofstream(file) << "text";
  const LaunchFailed failed = fail(command({file}));
  EXPECT_EQ(failed.failure, FailureClass::Config);
  EXPECT_EQ(failed.message, "program `" + file + "`: Permission denied");
}

TEST_F(LaunchFailureTest, AMissingWorkdir) {
  start();
  LaunchSpec spec = shell("exit 0");
  spec.workdir = "/nonexistent/folder";
  const LaunchFailed failed = fail(spec);
  EXPECT_EQ(failed.failure, FailureClass::Config);
  EXPECT_EQ(failed.message, "workdir `/nonexistent/folder`: No such file or directory");
}

TEST_F(LaunchFailureTest, AnArgumentTooLongForTheSystem) {
  start();
  const LaunchFailed failed = fail(command({"/bin/echo", std::string(1U << 18U, 'x')}));
  EXPECT_EQ(failed.failure, FailureClass::Config);
  EXPECT_EQ(failed.message, "program `/bin/echo`: Argument list too long");
}

TEST_F(LaunchFailureTest, ARequestTooLongForTheHelper) {
  start();
  const LaunchFailed failed = fail(command({"/bin/echo", std::string(9U << 20U, 'x')}));
  EXPECT_EQ(failed.failure, FailureClass::Config);
  EXPECT_NE(failed.message.find("arguments and environment take 9437"), std::string::npos) << failed.message;
}

TEST_F(LaunchFailureTest, ANulByteCannotBeAnArgument) {
  start();
  const LaunchFailed failed = fail(command({"/bin/echo", std::string("a\0b", 3)}));
  EXPECT_EQ(failed.failure, FailureClass::Config);
  EXPECT_EQ(failed.message, "an argument contains a NUL byte");
}

TEST_F(LaunchFailureTest, AHomeThatTakesNoFoldersIsALaunchFailure) {
  std::ofstream(home_.path() / "attempts") << "a file";
  start();
  const LaunchFailed failed = fail(shell("exit 0"));
  EXPECT_EQ(failed.failure, FailureClass::Launch);
  EXPECT_NE(failed.message.find("attempts"), std::string::npos) << failed.message;
  std::filesystem::remove(home_.path() / "attempts");
}

TEST_F(LaunchFailureTest, AFailureIsRememberedByItsFolder) {
  start();
  const LaunchFailed first = fail(command({"no-such-program"}));
  restart();
  executor_->launch(shell("exit 0"));
  const auto second = sink_.wait<LaunchFailed>(id(), 1);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->message, first.message);
}

TEST_F(LaunchFailureTest, ARequestMaySpanManyPackets) {
  start();
  LaunchSpec spec = command({"/bin/sh", "-c", "echo ${#A} ${#B} $# ${#1}", "sh"});
  spec.env["A"] = std::string(100'000, 'a');
  spec.env["B"] = std::string(120'000, 'b');
  for (int i = 0; i < 10; ++i) spec.argv.emplace_back(90'001, 'x');
  ASSERT_TRUE(run(spec));
  EXPECT_EQ(output(), "100000 120000 10 90001\n");
}

}  // namespace
}  // namespace slipway::exec
