// What an attempt may use: which groups are planned where, and what the kernel makes of them.
#include "slipway/exec/limits.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "exec/limit_groups.h"
#include "exec/local_fixture.h"

namespace slipway::exec {
namespace {

using test::eventually;
using test::read_text;

constexpr std::int64_t kMebibyte = 1 << 20;
const AttemptId kId{RunId("01jdrun"), {TaskId("task"), 3}, 2};

// A folder that looks like /sys/fs/cgroup, with a daemon in the group `own`.
class FakeGroups {
 public:
  explicit FakeGroups(const std::string& own_lines) {
    write(folder_.path() / "own", own_lines);
    places_ = {folder_.path() / "mount", folder_.path() / "own"};
    std::filesystem::create_directories(places_.mount);
  }
  void write(const std::filesystem::path& file, const std::string& text) const {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  void group(const std::string& name, const std::string& processes) const {
    const auto at = places_.mount / name;
    write(at / "cgroup.procs", processes);
    write(at / "cgroup.controllers", "cpuset cpu io memory pids\n");
    write(at / "cgroup.subtree_control", "");
  }
  [[nodiscard]] std::string text(const std::string& file) const { return read_text(places_.mount / file); }
  test::TempFolder folder_;
  GroupPlaces places_;
};

std::string own_pid() { return std::to_string(::getpid()) + "\n"; }

TEST(LimitGroups, VersionTwoTakesAGroupItIsAloneIn) {
  const FakeGroups fake("0::/system/app\n");
  fake.write(fake.places_.mount / "cgroup.controllers", "cpu memory pids");
  fake.group("system", "1\n");
  fake.group("system/app", own_pid());
  fake.write(fake.places_.mount / "system/app/slipway/cgroup.procs", "");
  const LimitGroups groups(fake.places_, true);
  EXPECT_EQ(groups.support().version, 2);
  EXPECT_TRUE(groups.support().memory && groups.support().cpu && groups.support().processes);
  EXPECT_EQ(fake.text("system/app/slipway/cgroup.procs"), "0") << "a group with children holds no process itself";
  EXPECT_NE(fake.text("system/app/cgroup.subtree_control"), "");
  const auto base = fake.places_.mount / "system/app";
  const LimitPlan plan = groups.plan(kId, {1500, 64 * kMebibyte}, 100);
  ASSERT_EQ(plan.groups.size(), 1U);
  EXPECT_EQ(plan.groups[0].folder, base / "slipway-01jdrun.task[3].2");
  EXPECT_EQ(plan.groups[0].settings,
            (std::vector<std::string>{"memory.max=67108864", "?memory.swap.max=0", "?memory.oom.group=1",
                                      "cpu.max=150000 100000", "pids.max=100"}));
  EXPECT_EQ(plan.data_bytes, 0);
}

TEST(LimitGroups, LookingChangesNothing) {
  const FakeGroups fake("0::/app\n");
  fake.write(fake.places_.mount / "cgroup.controllers", "cpu memory pids");
  fake.group("app", own_pid());
  const LimitSupport support = limit_support(fake.places_);
  EXPECT_EQ(support.version, 2);
  EXPECT_EQ(fake.text("app/cgroup.subtree_control"), "");
  EXPECT_FALSE(std::filesystem::exists(fake.places_.mount / "app/slipway"));
  EXPECT_NE(support.text.find("memory, cpu, pids by control groups (version 2)"), std::string::npos) << support.text;
}

TEST(LimitGroups, AGroupWithOthersInItIsNotTaken) {
  const FakeGroups fake("0::/session\n");
  fake.write(fake.places_.mount / "cgroup.controllers", "cpu memory pids");
  fake.group("session", own_pid() + "1\n");
  const LimitGroups groups(fake.places_, true);
  EXPECT_EQ(groups.support().version, 0);
  EXPECT_EQ(fake.text("session/cgroup.subtree_control"), "");
  EXPECT_NE(groups.support().text.find("Delegate=yes"), std::string::npos) << groups.support().text;
  EXPECT_EQ(groups.plan(kId, {2000, 64 * kMebibyte}, 100), (LimitPlan{{}, 64 * kMebibyte}));
}

TEST(LimitGroups, ADelegatedGroupAboveIsTakenWhereItSaysSo) {
  const FakeGroups fake("0::/unit/daemon\n");
  fake.write(fake.places_.mount / "cgroup.controllers", "cpu memory pids");
  fake.group("unit", "");
  fake.group("unit/daemon", own_pid() + "1\n");
  const auto unit = fake.places_.mount / "unit";
  const bool marked = ::setxattr(unit.c_str(), "user.delegate", "1", 1, 0) == 0 ||
                      ::setxattr(unit.c_str(), "trusted.delegate", "1", 1, 0) == 0;
  if (!marked && ::geteuid() == 0) GTEST_SKIP() << "this file system keeps no extended attributes";
  const LimitGroups groups(fake.places_, true);
  EXPECT_EQ(groups.support().version, 2);
  const LimitPlan plan = groups.plan(kId, {0, kMebibyte}, 100);
  ASSERT_EQ(plan.groups.size(), 1U);
  EXPECT_EQ(plan.groups[0].folder.parent_path(), unit);
}

TEST(LimitGroups, VersionOneHasAGroupForEachController) {
  const FakeGroups fake("7:pids:/\n6:memory:/box\n5:cpu,cpuacct:/\n4:freezer:/\n0::/\n");
  for (const char* name : {"memory/box", "cpu", "pids"}) std::filesystem::create_directories(fake.places_.mount / name);
  const LimitGroups groups(fake.places_, true);
  EXPECT_EQ(groups.support().version, 1);
  const LimitPlan plan = groups.plan(kId, {250, kMebibyte}, 64);
  const auto& mount = fake.places_.mount;
  const std::string name = "slipway-01jdrun.task[3].2";
  const std::vector<LimitGroup> expected{
      {mount / "pids" / name, {"pids.max=64"}},
      {mount / "memory/box" / name, {"memory.limit_in_bytes=1048576", "?memory.memsw.limit_in_bytes=1048576"}},
      {mount / "cpu" / name, {"cpu.cfs_period_us=100000", "cpu.cfs_quota_us=25000"}}};
  EXPECT_EQ(plan.groups, expected);
}

TEST(LimitGroups, NoLimitsMeanNoGroups) {
  const FakeGroups fake("6:memory:/\n");
  std::filesystem::create_directories(fake.places_.mount / "memory");
  EXPECT_EQ(LimitGroups(fake.places_, true).plan(kId, {}, 100), LimitPlan{});
}

// --- on the machine at hand ------------------------------------------------------------------------------------------

class LimitsTest : public test::LocalFixture {
 protected:
  LaunchSpec limited(const std::string& script, Resources resources, int number = 1) {
    LaunchSpec spec = shell(script, number);
    spec.resources = resources;
    return spec;
  }
  // Folders of groups of this test's attempts that are still there.
  static std::vector<std::filesystem::path> groups_left() {
    std::vector<std::filesystem::path> left;
    const LimitGroups groups({}, false);
    for (const LimitGroup& group : groups.plan(id(), {1000, kMebibyte}, 10).groups)
      if (exists(group.folder)) left.push_back(group.folder);
    return left;
  }
};

constexpr char kEatMemory[] = "exec awk 'BEGIN { s = \"x\"; while (length(s) < 300000000) s = s s; print length(s) }'";

TEST_F(LimitsTest, MoreMemoryThanAllowedIsClassOom) {
  if (!limit_support().memory) GTEST_SKIP() << limit_support().text;
  start();
  const auto exited = run(limited(kEatMemory, {0, 48 * kMebibyte}));
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->exit_code, 137);
  EXPECT_TRUE(exited->oom);
  EXPECT_EQ(groups_left(), std::vector<std::filesystem::path>());
}

TEST_F(LimitsTest, AChildKilledForMemoryIsSeenThroughItsParent) {
  if (!limit_support().memory) GTEST_SKIP() << limit_support().text;
  start();
  const auto exited = run(limited("( " + std::string(kEatMemory) + " ) || exit 9", {0, 48 * kMebibyte}));
  ASSERT_TRUE(exited);
  EXPECT_TRUE(exited->exit_code == 9 || exited->exit_code == 137) << exited->exit_code;
  EXPECT_TRUE(exited->oom);
}

TEST_F(LimitsTest, EnoughMemoryIsEnough) {
  start();
  const auto exited = run(limited("echo fine", {2000, 256 * kMebibyte}));
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->exit_code, 0) << exited->message << output();
  EXPECT_FALSE(exited->oom);
  EXPECT_EQ(output(), "fine\n");
  EXPECT_EQ(groups_left(), std::vector<std::filesystem::path>());
}

TEST_F(LimitsTest, WithoutAGroupEachProcessHasADataLimit) {
  options_.groups = {"/nonexistent", "/nonexistent"};
  start();
  const auto exited = run(limited(kEatMemory, {0, 48 * kMebibyte}));
  ASSERT_TRUE(exited);
  EXPECT_NE(exited->exit_code, 0);
  EXPECT_FALSE(exited->oom) << "it was told no, and ended by itself";
  ASSERT_TRUE(run(limited("cat /proc/self/limits", {0, 48 * kMebibyte}, 2)));
  EXPECT_NE(output(2).find("Max data size             50331648             50331648"), std::string::npos) << output(2);
}

TEST_F(LimitsTest, AForkBombStopsAtTheLimitAndIsEnded) {
  if (!limit_support().processes) GTEST_SKIP() << limit_support().text;
  options_.processes_max = 40;
  start();
  LaunchSpec spec = limited("bomb() { bomb & bomb & sleep 60; }; bomb; echo $$ >pid; sleep 60", {1000, 0});
  spec.grace = std::chrono::milliseconds(50);
  executor_->launch(spec);
  ASSERT_TRUE(sink_.wait<Running>(id()));
  const auto group = LimitGroups({}, false).plan(id(), {1000, 0}, 40).groups;
  ASSERT_TRUE(eventually([&] {
    for (const LimitGroup& one : group)
      if (read_text(one.folder / "pids.events").find("max 0") == std::string::npos &&
          exists(one.folder / "pids.events"))
        return true;
    return sink_.count<Exited>(id()) > 0;  // the shell gave up before
  }));
  executor_->stop(id(), true);
  ASSERT_TRUE(sink_.wait<Exited>(id()));
  EXPECT_EQ(groups_left(), std::vector<std::filesystem::path>());
}

TEST_F(LimitsTest, AGroupThatCannotBeMadeIsAFailedLaunch) {
  const FakeGroups fake("6:memory:/\n");
  std::filesystem::create_directories(fake.places_.mount / "memory");
  options_.groups = fake.places_;
  start();
  // A plain folder has no file `memory.limit_in_bytes` to write to.
  executor_->launch(limited("echo never", {0, 48 * kMebibyte}));
  const auto failed = sink_.wait<LaunchFailed>(id());
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->failure, run::FailureClass::Launch);
  EXPECT_NE(failed->message.find("memory.limit_in_bytes=50331648: No such file"), std::string::npos) << failed->message;
  EXPECT_TRUE(std::filesystem::is_empty(fake.places_.mount / "memory"));
}

}  // namespace
}  // namespace slipway::exec
