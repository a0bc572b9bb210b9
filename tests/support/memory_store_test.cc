#include "support/memory_store.h"

#include "contract/store_contract.h"

namespace slipway::test {
namespace {

class MemoryPlace final : public StorePlace {
 public:
  std::unique_ptr<store::Store> open() override { return std::make_unique<MemoryStore>(disk_); }

 private:
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
};

INSTANTIATE_TEST_SUITE_P(Memory, StoreContract, ::testing::Values([] { return std::make_unique<MemoryPlace>(); }));

TEST(MemoryStore, DiesBeforeOrAfterTheCommit) {
  const auto disk = std::make_shared<MemoryDisk>();
  Story story("r1");
  MemoryStore store(disk);
  store.set_hooks([](const store::Batch&) -> Result<void> { throw std::string("dead"); }, {});
  EXPECT_THROW((void)store.commit(story.batch()), std::string);
  EXPECT_TRUE(disk->runs.empty());
  Story other("r1");
  store.set_hooks({}, [](const store::Batch&) -> Result<void> { throw std::string("dead"); });
  EXPECT_THROW((void)store.commit(other.batch()), std::string);
  EXPECT_EQ(disk->runs.size(), 1U);
}

TEST(MemoryStore, AFailedCommitBreaksItForGood) {
  MemoryStore store(std::make_shared<MemoryDisk>());
  Story story("r1"), other("r2");
  store.set_hooks(
      [](const store::Batch&) -> Result<void> {
        return Error{ErrorCode::Io, "fsync: input/output error", {}};
      },
      {});
  EXPECT_FALSE(store.commit(story.batch()));
  store.set_hooks({}, {});
  EXPECT_EQ(store.commit(other.batch()).error().message, "fsync: input/output error");
}

TEST(MemoryStore, RefusesAStateThatIsNotTheFold) {
  MemoryStore store(std::make_shared<MemoryDisk>());
  Story story("r1");
  store::Batch batch = story.batch();
  run::Run other = story.run;
  other.state = run::RunState::Running;
  batch.runs = {&other};
  EXPECT_EQ(store.commit(batch).error().message, "run r1 is not the fold of its events");
}

}  // namespace
}  // namespace slipway::test
