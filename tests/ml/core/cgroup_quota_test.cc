#include "ml/core/cgroup_quota.h"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "slipway/ml/thread_pool.h"
#include "support/temp_folder.h"

namespace slipway::ml {
namespace {

constexpr int kUnlimited = std::numeric_limits<int>::max();

class CgroupQuotaTest : public ::testing::Test {
 protected:
  void limit(const std::string& group, const std::string& text) {
    std::filesystem::create_directories(root_.string() + group);
    std::ofstream(root_.string() + group + "/cpu.max") << text;
  }

  test::TempFolder folder_;
  const std::filesystem::path root_ = folder_.path();
};

TEST_F(CgroupQuotaTest, NoFileIsNoLimit) { EXPECT_EQ(quota_cpus(root_, "/a/b"), kUnlimited); }

TEST_F(CgroupQuotaTest, RoundsUpAndGivesAtLeastOne) {
  struct Row {
    const char* text;
    int cpus;
  };
  for (const auto& [text, cpus] :
       {Row{"max 100000", kUnlimited}, Row{"150000 100000", 2}, Row{"200000 100000\n", 2}, Row{"1000 100000", 1},
        Row{"0 100000", 1}, Row{"100000 0", kUnlimited}, Row{"nonsense", kUnlimited}, Row{"-5 100000", kUnlimited}}) {
    limit("/a", text);
    EXPECT_EQ(quota_cpus(root_, "/a"), cpus) << text;
  }
}

TEST_F(CgroupQuotaTest, EveryAncestorBinds) {
  limit("/pod/container", "max 100000");
  limit("/pod", "300000 100000");
  EXPECT_EQ(quota_cpus(root_, "/pod/container"), 3);
  limit("", "200000 100000");
  EXPECT_EQ(quota_cpus(root_, "/pod/container"), 2);
  EXPECT_EQ(quota_cpus(root_, "/"), 2);
  EXPECT_EQ(quota_cpus(root_, ""), 2);
}

TEST(UnifiedGroup, IsTheLineOfHierarchyZero) {
  EXPECT_EQ(unified_group("1:cpu:/x\n0::/kubepods/pod1\n"), "/kubepods/pod1");
  EXPECT_EQ(unified_group("0::/\n"), "/");
  EXPECT_EQ(unified_group("4:cpu:/x\n"), "");
}

TEST(UsableCpus, IsAtLeastOne) { EXPECT_GE(usable_cpus(), 1); }

}  // namespace
}  // namespace slipway::ml
