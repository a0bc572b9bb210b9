// What an attempt is given besides its command: an account, and secrets in files.
#include "exec/provision.h"

#include <sys/stat.h>

#include "exec/local_fixture.h"
#include "exec/run_as.h"

namespace slipway::exec {
namespace {

using test::read_text;

mode_t mode_of(const std::filesystem::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}

class SecretFilesTest : public test::LocalFixture {
 protected:
  SecretFilesTest() { options_.secrets = secrets_.path(); }
  LaunchSpec with_secret(const std::string& script, int number = 1) {
    LaunchSpec spec = shell(script, number);
    spec.secret_files["KEY"] = {"key.json", Secret("s3cret\nlines")};
    spec.secret_files["CERT"] = {"cert.pem", Secret("pem")};
    return spec;
  }
  test::TempFolder secrets_;
};

TEST_F(SecretFilesTest, AreThereForTheCommandAndGoneAfterIt) {
  start();
  const auto exited =
      run(with_secret("cat \"$KEY_FILE\" \"$CERT_FILE\"; stat -c '%a %n' \"$KEY_FILE\"; stat -c %a $(dirname "
                      "\"$KEY_FILE\"); env | grep -c "
                      "s3cret || true; touch $(dirname \"$KEY_FILE\")/more"));
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->exit_code, 0) << output();
  const std::string file = (secret_folder(options_, id()) / "key.json").string();
  EXPECT_EQ(output(), "s3cret\nlinespem400 " + file + "\n700\n0\n");
  EXPECT_TRUE(std::filesystem::is_empty(secrets_.path()));
}

TEST_F(SecretFilesTest, AreGoneAlsoWhenNothingCouldBeStarted) {
  start();
  LaunchSpec spec = with_secret("");
  spec.argv = {"/nonexistent/program"};
  executor_->launch(spec);
  ASSERT_TRUE(sink_.wait<LaunchFailed>(id()));
  EXPECT_TRUE(std::filesystem::is_empty(secrets_.path()));
}

TEST_F(SecretFilesTest, AreRemovedWhenTheShimWasKilled) {
  start();
  executor_->launch(with_secret("echo $$ >pid; sleep 600"));
  pid_in("pid");
  EXPECT_FALSE(std::filesystem::is_empty(secrets_.path()));
  ::kill(shim(), SIGKILL);
  const auto lost = sink_.wait<Lost>(id());
  ASSERT_TRUE(lost);
  EXPECT_TRUE(lost->end_proved);
  EXPECT_TRUE(std::filesystem::is_empty(secrets_.path()));
}

TEST_F(SecretFilesTest, ANameThatIsTakenIsAFailedLaunch) {
  start();
  std::filesystem::create_directory(secret_folder(options_, id()));
  executor_->launch(with_secret("true"));
  const auto failed = sink_.wait<LaunchFailed>(id());
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->failure, run::FailureClass::Launch);
  EXPECT_EQ(failed->message, "the folder of its secrets could not be made: File exists");
}

TEST_F(SecretFilesTest, WithoutTheFolderInMemoryTheTaskIsMisconfigured) {
  options_.secrets = "/nonexistent";
  start();
  executor_->launch(with_secret("true"));
  const auto failed = sink_.wait<LaunchFailed>(id());
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->failure, run::FailureClass::Config);
}

// --- run_as ----------------------------------------------------------------------------------------------------------

class RunAsTest : public test::LocalFixture {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "starting processes as another user needs root";
  }
  LaunchSpec as(const std::string& user, const std::string& script, int number = 1) {
    LaunchSpec spec = shell(script, number);
    spec.run_as = user;
    return spec;
  }
};

TEST_F(RunAsTest, TheCommandHasTheUserAndNothingElseOfRoot) {
  start();
  const auto exited =
      run(as("12345:23456", "id -u; id -g; id -G; grep -E '^(CapEff|Groups)' /proc/self/status; echo $HOME"));
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->exit_code, 0) << exited->message << output();
  EXPECT_EQ(output(), "12345\n23456\n23456\nGroups:\t23456 \nCapEff:\t0000000000000000\n/\n");
}

TEST_F(RunAsTest, ItWritesItsOutputWorkspaceAndArtifacts) {
  start();
  const auto exited =
      run(as("12345:23456",
             "echo '{\"a\":1}' >\"$SLIPWAY_OUTPUT\"; echo x >file; echo y >\"${SLIPWAY_ARTIFACTS#file://}/art\"; "
             "echo again >/dev/stdout"));
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->exit_code, 0) << output();
  EXPECT_EQ(exited->output, "{\"a\":1}\n");
  EXPECT_EQ(read_text(workspace() / "file"), "x\n");
  EXPECT_EQ(read_text(artifact_folder(home_.path(), id()) / "art"), "y\n");
}

TEST_F(RunAsTest, ItReachesNoKeyAndChangesNoRecord) {
  std::ofstream(home_.path() / "slipway.db") << "rows";
  ::chmod((home_.path() / "slipway.db").c_str(), 0644);
  std::ofstream(home_.path() / "vault.key") << "key";
  start();
  const std::string home = home_.path().string();
  const auto exited =
      run(as("12345:23456", "for f in slipway.db vault.key; do cat " + home + "/$f && echo LEAK; done; ls " + home +
                                " && echo LEAK; cd $(dirname \"$SLIPWAY_OUTPUT\"); touch exit && echo LEAK; rm -f log "
                                "lock 2>/dev/null && echo LEAK; exit 0"));
  ASSERT_TRUE(exited);
  EXPECT_EQ(output().find("LEAK"), std::string::npos) << output();
  EXPECT_EQ(mode_of(home_.path() / "slipway.db"), 0600U);
  EXPECT_EQ(mode_of(home_.path()), 0711U);
}

TEST_F(RunAsTest, ItIsStoppedLikeAnyOther) {
  start();
  LaunchSpec spec = as("12345:23456", "trap '' TERM; echo $$ >pid; while :; do sleep 0.01; done");
  spec.grace = std::chrono::milliseconds(50);
  executor_->launch(spec);
  const pid_t pid = pid_in("pid");
  executor_->stop(id(), false);
  const auto exited = sink_.wait<Exited>(id());
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->exit_code, 137);
  EXPECT_FALSE(is_alive(pid));
}

TEST_F(RunAsTest, ItEndsWithItsShim) {
  start();
  executor_->launch(as("12345:23456", "echo $$ >pid; sleep 600"));
  const pid_t pid = pid_in("pid");
  ::kill(shim(), SIGKILL);
  const auto lost = sink_.wait<Lost>(id());
  ASSERT_TRUE(lost);
  EXPECT_TRUE(lost->end_proved);
  EXPECT_FALSE(is_alive(pid));
}

TEST_F(RunAsTest, AnUnknownUserIsAMistakeOfTheDag) {
  start();
  executor_->launch(as("no-such-user", "true"));
  const auto failed = sink_.wait<LaunchFailed>(id());
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->failure, run::FailureClass::Config);
  EXPECT_EQ(failed->message, "run_as: there is no user `no-such-user` on this machine");
}

TEST_F(RunAsTest, SecretsInFilesAreTheUsers) {
  start();
  LaunchSpec spec = as("12345:23456", "cat \"$KEY_FILE\"");
  spec.secret_files["KEY"] = {"key", Secret("s3cret")};
  ASSERT_TRUE(run(spec));
  EXPECT_EQ(output(), "s3cret\n");
  EXPECT_FALSE(exists(secret_folder(options_, id())));
}

TEST(FindAccount, KnowsNamesAndNumbers) {
  const auto root = find_account("root");
  ASSERT_TRUE(root);
  EXPECT_EQ(root->uid, 0U);
  EXPECT_EQ(find_account("0")->name, "root");
  EXPECT_EQ(find_account("4000001:5000001")->str(), "4000001:5000001:5000001");
  for (const char* bad : {"", "4000001", ":5", "5:", "a:b", "-1:5", "4294967295:5", "1:2:3"})
    EXPECT_FALSE(find_account(bad)) << bad;
}

}  // namespace
}  // namespace slipway::exec
