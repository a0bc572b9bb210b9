#include "ml/core/cgroup_memory.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "ml/support/files.h"
#include "slipway/ml/memory.h"
#include "support/temp_folder.h"

namespace slipway::ml {
namespace {

class MemoryLeftTest : public ::testing::Test {
 protected:
  void group(const std::string& name, const std::string& limit, const std::string& stat) {
    std::filesystem::create_directories(root_.path() / name);
    testing::write_text(root_.path() / name / "memory.max", limit + "\n");
    testing::write_text(root_.path() / name / "memory.stat", stat);
  }
  test::TempFolder root_;
};

TEST_F(MemoryLeftTest, IsTheLimitLessAnonymousMemory) {
  group("pod", "1000000", "file 900000\nanon 200000\n");
  EXPECT_EQ(memory_left(root_.path(), "/pod"), 800000U) << "page cache does not count";
}

TEST_F(MemoryLeftTest, TheTightestGroupOnTheWayCounts) {
  group("pod", "500000", "anon 100000\n");
  group("pod/task", "max", "anon 100000\n");
  EXPECT_EQ(memory_left(root_.path(), "/pod/task"), 400000U);
  group("pod/task", "300000", "anon 400000\n");
  EXPECT_EQ(memory_left(root_.path(), "/pod/task"), 0U) << "over the limit already";
}

TEST_F(MemoryLeftTest, NothingSaidIsNoLimit) { EXPECT_EQ(memory_left(root_.path(), "/none"), SIZE_MAX); }

TEST(MachineMemory, ReadsMemAvailable) {
  EXPECT_EQ(machine_memory("MemTotal:  9 kB\nMemFree: 1 kB\nMemAvailable:    2000 kB\n"), 2048000U);
  EXPECT_EQ(machine_memory("MemTotal:  9 kB\n"), SIZE_MAX);
}

TEST(UsableMemory, IsSome) { EXPECT_GT(usable_memory(), 1U << 20U); }

}  // namespace
}  // namespace slipway::ml
