// SLIPWAY_SIM_SEEDS=10000 runs that many seeds instead of 300; SLIPWAY_SIM_SEED=17 replays one, telling every event.
#include <gtest/gtest.h>

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

void run_seeds(std::uint64_t count, Outcome (*run)(std::uint64_t, bool)) {
  const auto replayed = number_from("SLIPWAY_SIM_SEED");
  Outcome total;
  for (std::uint64_t seed = replayed.value_or(0); seed < (replayed ? *replayed + 1 : count); ++seed) {
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

TEST(Simulation, EverySeedKeepsTheContract) {
  run_seeds(number_from("SLIPWAY_SIM_SEEDS").value_or(300), simulate_in_memory);
}

TEST(Simulation, TheRealStoreKeepsItToo) {
  run_seeds(number_from("SLIPWAY_SIM_SEEDS").value_or(300) / 50, simulate_on_sqlite);
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
