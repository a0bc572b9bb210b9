#include "ml/train/checkpoint.h"

#include <gtest/gtest.h>

#include "ml/support/files.h"
#include "ml/support/tiny_model.h"
#include "support/temp_folder.h"

namespace slipway::ml {
namespace {

using testing::bytes_of;
using testing::write_text;

class CheckpointTest : public ::testing::Test {
 protected:
  CheckpointTest() : lora_(make(4)), optimizer_({}, lora_.parameters()) {
    settings_ = {.folder = folder_.path(), .fingerprint = Value::Object{{"data", "a"}}, .config = config(4)};
    for (auto& parameter : lora_.parameters()) parameter.values[0] = 0.5F;
    optimizer_.moments()[1].first[0] = 0.25F;
    optimizer_.moments()[1].second[0] = 0.125F;
    optimizer_.set_steps(7);
    state_ = {.step = 9,
              .optimizer_steps = 7,
              .loss_since_report = 0.1,
              .steps_since_report = 2,
              .last_loss = 1.0 / 3,
              .kernel_id = "k"};
  }
  static AdapterConfig config(std::int64_t rank) {
    return {.base_model = {},
            .rank = rank,
            .alpha = 8,
            .target_modules = {"q_proj"},
            .rank_pattern = {},
            .alpha_pattern = {}};
  }
  static Lora make(std::int64_t rank) { return make_lora(config(rank), testing::tiny_gemma2()).value(); }

  void save() {
    const auto saved = save_checkpoint(settings_, lora_, optimizer_, state_, 0);
    ASSERT_TRUE(saved) << saved.error().message;
  }
  Result<void> load(Lora& lora) {
    AdamW optimizer({}, lora.parameters());
    SLIPWAY_TRY_ASSIGN(const SavedState saved, read_train_state(folder_.path(), 9));
    return load_tensors(folder_.path(), saved.state, testing::tiny_gemma2(), lora, optimizer);
  }
  [[nodiscard]] std::filesystem::path file(const std::string& name) const {
    return folder_.path() / "checkpoint-9" / name;
  }

  test::TempFolder folder_;
  Lora lora_;
  AdamW optimizer_;
  CheckpointSettings settings_;
  TrainState state_;
};

TEST_F(CheckpointTest, GivesBackEveryBit) {
  save();
  Lora lora = make(4);
  AdamW optimizer({}, lora.parameters());
  const SavedState saved = read_train_state(folder_.path(), 9).value();
  ASSERT_TRUE(load_tensors(folder_.path(), saved.state, testing::tiny_gemma2(), lora, optimizer));
  EXPECT_EQ(saved.state.step, 9);
  EXPECT_EQ(saved.state.loss_since_report, 0.1);
  EXPECT_EQ(saved.state.steps_since_report, 2);
  EXPECT_EQ(saved.state.last_loss, 1.0 / 3);
  EXPECT_EQ(saved.state.kernel_id, "k");
  EXPECT_EQ(saved.fingerprint, settings_.fingerprint);
  EXPECT_EQ(lora.parameters()[0].values[0], 0.5F);
  EXPECT_EQ(optimizer.moments()[1].first[0], 0.25F);
  EXPECT_EQ(optimizer.moments()[1].second[0], 0.125F);
  EXPECT_EQ(optimizer.steps(), 7);
  EXPECT_EQ(checkpoint_kernel(folder_.path()), "k");
}

TEST_F(CheckpointTest, ReplacesOneOfTheSameStep) {
  save();
  write_text(file("stale"), "x");
  save();
  EXPECT_FALSE(std::filesystem::exists(file("stale")));
  EXPECT_EQ(newest_checkpoint(folder_.path()), 9);
}

TEST_F(CheckpointTest, ComparesByNumberNotByName) {
  save();
  state_.step = 10;
  save();
  EXPECT_EQ(newest_checkpoint(folder_.path()), 10);
}

TEST_F(CheckpointTest, ATornFileIsAnErrorThatNamesIt) {
  for (const char* name : {"optimizer.safetensors", "adapter_model.safetensors"}) {
    save();
    write_text(file(name), bytes_of(file(name)).substr(0, 100));
    Lora lora = make(4);
    const auto loaded = load(lora);
    ASSERT_FALSE(loaded) << name;
    EXPECT_EQ(loaded.error().code, ErrorCode::Corrupt);
    EXPECT_NE(loaded.error().message.find(name), std::string::npos) << loaded.error().message;
  }
}

TEST_F(CheckpointTest, AStateThatIsNoneIsAnError) {
  save();
  for (const char* text : {"", "{", "{}", "[]", "{\"global_step\":9}", "{\"global_step\":\"x\",\"fingerprint\":{}}"}) {
    write_text(file("trainer_state.json"), text);
    EXPECT_FALSE(read_train_state(folder_.path(), 9)) << text;
  }
  EXPECT_EQ(read_train_state(folder_.path(), 8).error().code, ErrorCode::NotFound);
}

TEST_F(CheckpointTest, AnotherRankIsRefused) {
  save();
  Lora lora = make(2);
  EXPECT_FALSE(load(lora));
}

TEST_F(CheckpointTest, RemovingTakesTornOnesToo) {
  save();
  std::filesystem::create_directories(folder_.path() / "checkpoint-3");
  write_text(folder_.path() / "metrics.jsonl", "");
  ASSERT_TRUE(remove_checkpoints(folder_.path()));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 1) << "only the metrics stay";
}

TEST_F(CheckpointTest, AFolderThatIsNoneIsAnError) {
  settings_.folder = folder_.path() / "file";
  write_text(settings_.folder, "x");
  EXPECT_FALSE(save_checkpoint(settings_, lora_, optimizer_, state_, 0));
}

TEST(Fingerprint, NamesWhatDiffers) {
  const Value a = Value::Object{{"seed", 1}, {"data", "x"}, {"rank", 8}};
  EXPECT_EQ(fingerprint_differences(a, a), "");
  EXPECT_EQ(fingerprint_differences(a, Value::Object{{"seed", 2}, {"data", "x"}, {"alpha", 8}}),
            "`alpha`, `rank`, `seed`");
  EXPECT_EQ(fingerprint_differences(a, Value(5)), "`fingerprint`");
}

}  // namespace
}  // namespace slipway::ml
