#include "slipway/ml/engine.h"

#include <gtest/gtest.h>

#include <future>

#include "ml/support/tiny_model.h"
#include "slipway/ml/loaded_model.h"

namespace slipway::ml {
namespace {

class EngineTest : public ::testing::Test {
 protected:
  void start(EngineOptions options = {}) {
    options.compute.threads = 1;
    engine_.emplace(loaded_.model, loaded_.tokenizer, options);
  }
  struct Asked {
    Engine::Submission submission;
    std::future<Generation> generation;
    std::future<void> first_token;
  };
  Asked ask(int max_tokens) {
    auto done = std::make_shared<std::promise<Generation>>();
    auto first = std::make_shared<std::promise<void>>();
    Asked asked{.submission = {}, .generation = done->get_future(), .first_token = first->get_future()};
    GenerationRequest request{.prompt = {2, 9},
                              .params = {.temperature = 0, .max_tokens = max_tokens, .ignore_eos = true}};
    request.events.progress = [first](int, const Generation& so_far, std::string_view) {
      if (so_far.ids.size() == 1) first->set_value();
    };
    request.events.finished = [done](int, Generation generation) { done->set_value(std::move(generation)); };
    asked.submission = engine_->submit(std::move(request));
    return asked;
  }

  LoadedModel loaded_ = load_model(testing::fixture("models/tiny-gemma2-fp32")).value();
  std::optional<Engine> engine_;
};

TEST_F(EngineTest, AnswersRequestsOfManyThreads) {
  start({.limits = {.sequences_max = 3}});
  std::vector<std::future<std::size_t>> lengths;
  for (int i = 0; i < 12; ++i)
    lengths.push_back(std::async(std::launch::async, [this, i] { return ask(3 + i).generation.get().ids.size(); }));
  for (std::size_t i = 0; i < lengths.size(); ++i) EXPECT_EQ(lengths[i].get(), 3 + i);
}

TEST_F(EngineTest, RefusesWhatItHasNoRoomFor) {
  start({.requests_max = 2});
  auto one = ask(2000), two = ask(2000);
  const auto three = ask(1);
  EXPECT_EQ(three.submission.admission, Admission::Full);
  engine_->cancel(two.submission.id);
  EXPECT_EQ(two.generation.get().finish, FinishReason::Cancelled);
  auto four = ask(1);
  EXPECT_EQ(four.submission.admission, Admission::Accepted);
  EXPECT_EQ(four.generation.get().finish, FinishReason::Length) << "beside the first";
  engine_->cancel(one.submission.id);
  EXPECT_EQ(one.generation.get().finish, FinishReason::Cancelled);
}

TEST_F(EngineTest, CancelsInTheMiddle) {
  start();
  auto asked = ask(2000);
  asked.first_token.wait();
  engine_->cancel(asked.submission.id);
  engine_->cancel(asked.submission.id + 1);
  const auto generation = asked.generation.get();
  EXPECT_EQ(generation.finish, FinishReason::Cancelled);
  EXPECT_LT(generation.ids.size(), 2000U);
}

TEST_F(EngineTest, StoppingEndsEverything) {
  start();
  auto asked = ask(2000);
  asked.first_token.wait();
  engine_->stop();
  EXPECT_EQ(asked.generation.get().finish, FinishReason::Cancelled);
  EXPECT_EQ(ask(1).submission.admission, Admission::Stopping);
}

TEST_F(EngineTest, DestructionEndsEverything) {
  start();
  auto asked = ask(2000);
  engine_.reset();
  EXPECT_EQ(asked.generation.get().finish, FinishReason::Cancelled);
}

}  // namespace
}  // namespace slipway::ml
