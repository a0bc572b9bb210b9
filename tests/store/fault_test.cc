// What is left after the disk failed: everything acknowledged, nothing half, and no acknowledgement afterwards.
#include <gmock/gmock.h>

#include "store/fault_vfs.h"
#include "store/story.h"

namespace slipway::store {
namespace {

using ::testing::IsEmpty;

class FaultTest : public ::testing::Test {
 protected:
  std::unique_ptr<Store> open() { return expect_ok(open_sqlite(path, {.vfs = disk.name(), .checkpoint_pages = 15})); }

  // Commits runs until one is refused; returns how many were acknowledged and leaves the refusal in `error`.
  int commit_until_refused(Store& store) {
    for (int n = 1;; ++n) {
      Story story(header(n));
      story.start();
      const auto done = store.commit(story.batch());
      if (!done) {
        error = done.error();
        return n - 1;
      }
    }
  }

  void expect_intact(int acknowledged) {
    const auto store = expect_ok(open_sqlite(path));
    const auto runs = expect_ok(store->recover()).runs;
    EXPECT_GE(static_cast<int>(runs.size()), acknowledged);
    EXPECT_LE(static_cast<int>(runs.size()), acknowledged + 1);
    for (const auto& run : runs) EXPECT_EQ(run.last_seq, 5U) << run.header.id;
    EXPECT_THAT(expect_ok(store->check()), IsEmpty());
    Story next(header(9'999));
    expect_ok(store->commit(next.batch()));
  }

  TempFolder folder;
  std::string path = folder / "slipway.db";
  FaultDisk disk{"fault"};
  Error error;
};

class PowerCutTest : public FaultTest, public ::testing::WithParamInterface<std::uint64_t> {};

TEST_P(PowerCutTest, KeepsWhatWasAcknowledged) {
  Rng rng(GetParam());
  auto store = open();
  disk.fail_after(static_cast<int>(rng.below(400)), FaultDisk::Fault::PowerCut);
  const int acknowledged = commit_until_refused(*store);
  store.reset();
  disk.settle(rng);
  expect_intact(acknowledged);
}

INSTANTIATE_TEST_SUITE_P(Seeds, PowerCutTest, ::testing::Range<std::uint64_t>(0, 40));

class DiskErrorTest : public FaultTest, public ::testing::WithParamInterface<std::tuple<FaultDisk::Fault, int>> {};

TEST_P(DiskErrorTest, EndsAcknowledgementsButNotReading) {
  const auto [fault, operations] = GetParam();
  auto store = open();
  disk.fail_after(operations, fault);
  const int acknowledged = commit_until_refused(*store);
  EXPECT_EQ(error.code, ErrorCode::Io) << error.message;
  disk.fail_after(0, FaultDisk::Fault::None);  // it seems to work again, which proves nothing
  Batch innocent;
  innocent.vars = {{"A", Value(1)}};
  EXPECT_EQ(store->commit(innocent).error(), error);
  const auto reader = expect_ok(store->read());
  EXPECT_GE(
      static_cast<int>(
          expect_ok(reader->list_runs({.dag = {}, .state = {}, .before = {}, .id_prefix = "", .limit = 1'000})).size()),
      acknowledged);
  store.reset();
  expect_intact(acknowledged);
}

INSTANTIATE_TEST_SUITE_P(Faults, DiskErrorTest,
                         ::testing::Combine(::testing::Values(FaultDisk::Fault::SyncError),
                                            ::testing::Values(0, 1, 2, 5, 9, 14, 33, 60, 150)));

class FullDiskTest : public FaultTest, public ::testing::WithParamInterface<int> {};

TEST_P(FullDiskTest, RefusesUntilThereIsSpaceAndLosesNothing) {
  auto store = open();
  disk.fail_after(GetParam(), FaultDisk::Fault::NoSpace);
  const int acknowledged = commit_until_refused(*store);
  EXPECT_EQ(error.code, ErrorCode::Unavailable) << error.message;
  EXPECT_EQ(error.help, "free some space on the file system of the home");
  Story waiting(header(acknowledged + 1));
  waiting.start();
  const auto batch = waiting.batch();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(store->commit(batch).error().code, ErrorCode::Unavailable);
  expect_ok(store->idle());
  EXPECT_EQ(static_cast<int>(expect_ok(expect_ok(store->read())->list_runs({.limit = 1'000})).size()), acknowledged);
  disk.fail_after(0, FaultDisk::Fault::None);
  expect_ok(store->commit(batch));
  Story next(header(acknowledged + 2));
  expect_ok(store->commit(next.start().batch()));
  store.reset();
  expect_intact(acknowledged + 2);
}

INSTANTIATE_TEST_SUITE_P(Moments, FullDiskTest, ::testing::Values(0, 1, 2, 5, 9, 14, 33, 60, 150));

TEST_F(FaultTest, AFailedMigrationIsTriedAgain) {
  for (int operations = 0;; ++operations) {
    FaultDisk cut("cut");
    cut.fail_after(operations, FaultDisk::Fault::PowerCut);
    Rng rng(static_cast<std::uint64_t>(operations));
    const bool opened = open_sqlite(path, {.vfs = cut.name()}).has_value();
    cut.settle(rng);
    if (opened) break;
    ASSERT_LT(operations, 1'000);
  }
  expect_intact(0);
}

}  // namespace
}  // namespace slipway::store
