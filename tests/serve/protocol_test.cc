#include "serve/protocol.h"

#include <gtest/gtest.h>

namespace slipway::serve {
namespace {

TEST(ParseGenerate, DefaultsAreVllms) {
  const auto call = parse_generate(R"({"prompt":"Hi"})");
  ASSERT_TRUE(call) << call.error().message;
  EXPECT_EQ(call->prompt, "Hi");
  EXPECT_EQ(call->params.max_tokens, 16);
  EXPECT_EQ(call->params.temperature, 1.0);
  EXPECT_EQ(call->params.top_p, 1.0);
  EXPECT_EQ(call->params.n, 1);
}

TEST(ParseGenerate, ReadsEveryField) {
  const auto call = parse_generate(
      R"({"prompt":"p","model":"m","stream":false,"raw_response":true,"temperature":0.5,"top_k":5.0,"top_p":0.9,)"
      R"("min_p":0.1,"repetition_penalty":1.2,"frequency_penalty":0.3,"presence_penalty":0.4,"max_tokens":7,)"
      R"("min_tokens":2,"n":3,"seed":9,"stop":["a","b"],"stop_token_ids":[4],"include_stop_str_in_output":true,)"
      R"("ignore_eos":true,"skip_special_tokens":false})");
  ASSERT_TRUE(call) << call.error().message;
  const auto& params = call->params;
  EXPECT_EQ(call->model, "m");
  EXPECT_TRUE(call->raw_response);
  EXPECT_EQ(params.temperature, 0.5);
  EXPECT_EQ(params.top_k, 5) << "a whole number may be sent as 5.0";
  EXPECT_EQ(params.top_p, 0.9);
  EXPECT_EQ(params.min_p, 0.1);
  EXPECT_EQ(params.repetition_penalty, 1.2);
  EXPECT_EQ(params.frequency_penalty, 0.3);
  EXPECT_EQ(params.presence_penalty, 0.4);
  EXPECT_EQ(params.max_tokens, 7);
  EXPECT_EQ(params.min_tokens, 2);
  EXPECT_EQ(params.n, 3);
  EXPECT_EQ(params.seed, 9U);
  EXPECT_EQ(params.stop, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(params.stop_token_ids, std::vector<std::int32_t>{4});
  EXPECT_TRUE(params.include_stop);
  EXPECT_TRUE(params.ignore_eos);
  EXPECT_FALSE(params.skip_special_tokens);
}

TEST(ParseGenerate, TakesOneInstance) {
  const auto call = parse_generate(R"({"instances":[{"prompt":"Hi","max_tokens":3}]})");
  ASSERT_TRUE(call);
  EXPECT_EQ(call->params.max_tokens, 3);
}

TEST(ParseGenerate, NullIsAbsent) {
  const auto call = parse_generate(R"({"prompt":"Hi","seed":null,"stop":null})");
  ASSERT_TRUE(call) << call.error().message;
  EXPECT_FALSE(call->params.seed.has_value());
}

struct Bad {
  std::string body;
  std::string message;
};
class BadBodyTest : public testing::TestWithParam<Bad> {};
TEST_P(BadBodyTest, IsExplained) {
  const auto call = parse_generate(GetParam().body);
  ASSERT_FALSE(call);
  EXPECT_EQ(call.error().code, ErrorCode::InvalidArgument);
  EXPECT_NE(call.error().message.find(GetParam().message), std::string::npos) << call.error().message;
}
INSTANTIATE_TEST_SUITE_P(Rows, BadBodyTest,
                         testing::Values(Bad{"{", "no JSON"}, Bad{"[]", "object"}, Bad{"{}", "`prompt` is missing"},
                                         Bad{R"({"prompt":""})", "`prompt` is missing or empty"},
                                         Bad{R"({"prompt":5})", "`prompt` must be text"},
                                         Bad{R"({"prompt":"a","max_token":5})", "did you mean `max_tokens`"},
                                         Bad{R"({"prompt":"a","zzzzzzzz":5})", "`zzzzzzzz` is no field"},
                                         Bad{R"({"prompt":"a","temperature":"hot"})", "`temperature` must be a number"},
                                         Bad{R"({"prompt":"a","temperature":-1})", "temperature must"},
                                         Bad{R"({"prompt":"a","top_k":1.5})", "`top_k` must be a whole number"},
                                         Bad{R"({"prompt":"a","max_tokens":1e300})",
                                             "`max_tokens` must be a whole number"},
                                         Bad{R"({"prompt":"a","max_tokens":0})", "max_tokens must"},
                                         Bad{R"({"prompt":"a","ignore_eos":1})", "`ignore_eos` must be true or false"},
                                         Bad{R"({"prompt":"a","stop":5})", "`stop` must"},
                                         Bad{R"({"prompt":"a","stop":[""]})", "stop string must not be empty"},
                                         Bad{R"({"prompt":"a","stop_token_ids":["x"]})", "`stop_token_ids` must"},
                                         Bad{R"({"prompt":"a","stream":true})", "`stream` must be false"},
                                         Bad{R"({"instances":[]})", "`instances`"},
                                         Bad{R"({"instances":[{"prompt":"a"},{"prompt":"b"}]})", "`instances`"},
                                         Bad{R"({"instances":[{"prompt":"a"}],"n":2})", "`instances`"}));

GenerateResult two_texts() {
  return {.prompt = "\n What? ",
          .generations = {{.ids = {1}, .text = " This.\n", .finish = ml::FinishReason::Stop},
                          {.ids = {2}, .text = "That"}}};
}

TEST(GenerateReply, TextIsPromptAndOutput) {
  EXPECT_EQ(generate_reply(two_texts(), ResponseFormat::Text, false).dump(),
            R"({"text":["\n What?  This.\n","\n What? That"]})");
}

TEST(GenerateReply, PredictionsNameBothParts) {
  EXPECT_EQ(generate_reply(two_texts(), ResponseFormat::Predictions, false).dump(),
            R"({"predictions":["Prompt:\nWhat?\nOutput:\n This.","Prompt:\nWhat?\nOutput:\nThat"]})");
}

TEST(GenerateReply, RawPredictionsAreTheOutputAlone) {
  EXPECT_EQ(generate_reply(two_texts(), ResponseFormat::Predictions, true).dump(),
            R"({"predictions":[" This.\n","That"]})");
}

}  // namespace
}  // namespace slipway::serve
