// SLIPWAY_SIM_SEEDS=10000 runs that many seeds instead of 300; SLIPWAY_SIM_SEED=17 replays one, telling every event.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "sim/simulation.h"
#include "slipway/store/sqlite_store.h"
#include "support/memory_store.h"
#include "support/temp_folder.h"

namespace slipway::sim {
namespace {

std::optional<std::uint64_t> number_from(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  return std::strtoull(text, nullptr, 10);
}

Outcome simulate_in_memory(std::uint64_t seed, bool trace) {
  const auto disk = std::make_shared<test::MemoryDisk>();
  return simulate(
      seed, [disk] { return std::make_unique<test::MemoryStore>(disk); }, trace);
}

Outcome simulate_on_sqlite(std::uint64_t seed, bool trace) {
  const test::TempFolder folder;
  const std::string path = (folder.path() / "slipway.db").string();
  const auto open = [&path]() -> std::unique_ptr<store::Store> {
    auto store = store::open_sqlite(path);
    EXPECT_TRUE(store) << store.error().message;
    return store ? *std::move(store) : nullptr;
  };
  return simulate(seed, open, trace);
}

// Every `stride`-th seed below `count`, from `first` on; or the one to replay.
void run_seeds(std::uint64_t first, std::uint64_t stride, std::uint64_t count, Outcome (*run)(std::uint64_t, bool)) {
  const auto replayed = number_from("SLIPWAY_SIM_SEED");
  Outcome total;
  for (std::uint64_t seed = replayed.value_or(first); seed < (replayed ? *replayed + 1 : count); seed += stride) {
    const Outcome outcome = run(seed, replayed.has_value());
    ASSERT_EQ(outcome.violation, "") << "replay with SLIPWAY_SIM_SEED=" << seed;
    total.events += outcome.events;
    total.runs += outcome.runs;
    total.deaths += outcome.deaths;
    total.attempts += outcome.attempts;
  }
  ::testing::Test::RecordProperty("events", std::to_string(total.events));
  std::cout << "runs " << total.runs << ", attempts " << total.attempts << ", events " << total.events << ", deaths "
            << total.deaths << "\n";
  EXPECT_GT(total.events, 0U);
}

// In shards, so that as many cores as there are take part.
constexpr std::uint64_t kShards = 4;
class Shard : public testing::TestWithParam<std::uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Simulation, Shard, testing::Range<std::uint64_t>(0, kShards));

TEST_P(Shard, EverySeedKeepsTheContract) {
  run_seeds(GetParam(), kShards, number_from("SLIPWAY_SIM_SEEDS").value_or(300), simulate_in_memory);
}

TEST(Simulation, TheRealStoreKeepsItToo) {
  run_seeds(0, 1, number_from("SLIPWAY_SIM_SEEDS").value_or(300) / 50 + 1, simulate_on_sqlite);
}

TEST(Simulation, TheSameSeedIsTheSameLife) {
  for (const std::uint64_t seed : {3U, 11U}) {
    const Outcome first = simulate_in_memory(seed, false);
    const Outcome second = simulate_in_memory(seed, false);
    EXPECT_EQ(first.events, second.events);
    EXPECT_EQ(first.deaths, second.deaths);
    EXPECT_EQ(first.violation, second.violation);
  }
}

}  // namespace
}  // namespace slipway::sim
