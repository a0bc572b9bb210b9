#include "serve/ask.h"

#include <gtest/gtest.h>

namespace slipway::serve {
namespace {

Ask parsed(Endpoint endpoint, const std::string& body) {
  auto result = parse_ask(endpoint, body);
  if (const auto* refusal = std::get_if<Refusal>(&result)) {
    ADD_FAILURE() << refusal->message;
    return {};
  }
  return std::get<Ask>(result);
}
Ask generate(const std::string& body) { return parsed(Endpoint::Generate, body); }
Ask complete(const std::string& body) { return parsed(Endpoint::Completions, body); }
Ask chat(const std::string& body) { return parsed(Endpoint::Chat, body); }

const std::string kHi = R"("messages":[{"role":"user","content":"Hi"}])";

TEST(ParseAsk, DefaultsAreVllms) {
  for (const Endpoint endpoint : {Endpoint::Generate, Endpoint::Completions}) {
    const auto ask = parsed(endpoint, R"({"prompt":"Hi"})");
    EXPECT_EQ(std::get<std::string>(ask.prompts.at(0)), "Hi");
    EXPECT_EQ(ask.params.max_tokens, 16);
    EXPECT_EQ(ask.params.temperature, 1.0);
    EXPECT_EQ(ask.params.top_p, 1.0);
    EXPECT_EQ(ask.params.n, 1);
    EXPECT_TRUE(ask.add_special_tokens);
  }
  const auto ask = chat("{" + kHi + "}");
  EXPECT_FALSE(ask.add_special_tokens) << "the template writes them";
  EXPECT_TRUE(ask.add_generation_prompt);
  EXPECT_FALSE(ask.max_tokens_given);
}

TEST(ParseAsk, ReadsEverySamplingField) {
  const auto ask = generate(
      R"({"prompt":"p","model":"m","stream":true,"raw_response":true,"temperature":0.5,"top_k":5.0,"top_p":0.9,)"
      R"("min_p":0.1,"repetition_penalty":1.2,"frequency_penalty":0.3,"presence_penalty":0.4,"max_tokens":7,)"
      R"("min_tokens":2,"n":3,"seed":9,"stop":["a","b"],"stop_token_ids":[4],"include_stop_str_in_output":true,)"
      R"("ignore_eos":true,"skip_special_tokens":false,"logit_bias":{"12":-3.5}})");
  const auto& params = ask.params;
  EXPECT_EQ(ask.model, "m");
  EXPECT_TRUE(ask.stream);
  EXPECT_TRUE(ask.raw_response);
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
  EXPECT_EQ(params.logit_bias, (std::vector<std::pair<ml::TokenId, double>>{{12, -3.5}}));
  EXPECT_TRUE(params.include_stop);
  EXPECT_TRUE(params.ignore_eos);
  EXPECT_FALSE(params.skip_special_tokens);
}

TEST(ParseAsk, TakesOneInstance) {
  EXPECT_EQ(generate(R"({"instances":[{"prompt":"Hi","max_tokens":3}]})").params.max_tokens, 3);
}

TEST(ParseAsk, NullIsAbsent) {
  EXPECT_FALSE(generate(R"({"prompt":"Hi","seed":null,"stop":null})").params.seed.has_value());
}

TEST(ParseAsk, PromptsHaveFourForms) {
  using Ids = std::vector<ml::TokenId>;
  EXPECT_EQ(complete(R"({"prompt":"a"})").prompts, std::vector<Prompt>{"a"});
  EXPECT_EQ(complete(R"({"prompt":["a","b"]})").prompts, (std::vector<Prompt>{"a", "b"}));
  EXPECT_EQ(complete(R"({"prompt":[1,2]})").prompts, (std::vector<Prompt>{Ids{1, 2}}));
  EXPECT_EQ(complete(R"({"prompt":[[1,2],[3]]})").prompts, (std::vector<Prompt>{Ids{1, 2}, Ids{3}}));
}

TEST(ParseAsk, ReadsWhatCompletionsAdd) {
  const auto ask = complete(R"({"prompt":"a","echo":true,"logprobs":3,"stream":true,"user":"me","best_of":1,)"
                            R"("stream_options":{"include_usage":true},"suffix":"","add_special_tokens":false})");
  EXPECT_TRUE(ask.echo);
  EXPECT_EQ(ask.params.logprobs, 3);
  EXPECT_TRUE(ask.include_usage);
  EXPECT_FALSE(ask.add_special_tokens);
}

TEST(ParseAsk, ReadsWhatChatsAdd) {
  const auto ask = chat(R"({"messages":[{"role":"system","content":"Be brief."},)"
                        R"({"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},)"
                        R"({"role":"assistant","content":null}],"max_completion_tokens":5,"logprobs":true,)"
                        R"("top_logprobs":2,"tools":[],"tool_choice":"none","response_format":{"type":"text"}})");
  ASSERT_EQ(ask.messages.size(), 3U);
  EXPECT_EQ(ask.messages[0].role, "system");
  EXPECT_EQ(ask.messages[1].content, "ab");
  EXPECT_EQ(ask.messages[2].content, "");
  EXPECT_EQ(ask.params.max_tokens, 5);
  EXPECT_EQ(ask.params.logprobs, 2);
  EXPECT_EQ(chat("{" + kHi + R"(,"logprobs":true})").params.logprobs, 0);
  EXPECT_FALSE(chat("{" + kHi + R"(,"logprobs":false})").params.logprobs.has_value());
}

struct Bad {
  Endpoint endpoint;
  std::string body;
  std::string message;
  std::string param;
};
class BadBodyTest : public testing::TestWithParam<Bad> {};
TEST_P(BadBodyTest, IsExplained) {
  const auto result = parse_ask(GetParam().endpoint, GetParam().body);
  const auto* refusal = std::get_if<Refusal>(&result);
  ASSERT_NE(refusal, nullptr);
  EXPECT_EQ(refusal->status, 400);
  EXPECT_NE(refusal->message.find(GetParam().message), std::string::npos) << refusal->message;
  EXPECT_EQ(refusal->param, GetParam().param);
}

Bad generation(const std::string& body, const std::string& message, const std::string& param) {
  return {Endpoint::Generate, body, message, param};
}
Bad field(const std::string& member, const std::string& message, const std::string& param) {
  return generation(R"({"prompt":"a",)" + member + "}", message, param);
}
INSTANTIATE_TEST_SUITE_P(
    Generate, BadBodyTest,
    testing::Values(generation("{", "no JSON", ""), generation("[]", "object", ""),
                    generation("{}", "`prompt` is missing", "prompt"),
                    generation(R"({"prompt":5})", "`prompt` must be text", "prompt"),
                    field(R"("max_token":5)", "did you mean `max_tokens`", "max_token"),
                    field(R"("zzzzzzzz":5)", "`zzzzzzzz` is no field", "zzzzzzzz"),
                    field(R"("temperature":"hot")", "`temperature` must be a number", "temperature"),
                    field(R"("temperature":-1)", "temperature must", "temperature"),
                    field(R"("top_k":1.5)", "`top_k` must be a whole number", "top_k"),
                    field(R"("max_tokens":1e300)", "`max_tokens` must be a whole number", "max_tokens"),
                    field(R"("max_tokens":0)", "max_tokens must", "max_tokens"),
                    field(R"("ignore_eos":1)", "`ignore_eos` must be true or false", "ignore_eos"),
                    field(R"("stop":5)", "`stop` must", "stop"),
                    field(R"("stop":[""])", "stop string must not be empty", "stop"),
                    field(R"("stop_token_ids":["x"])", "`stop_token_ids` must", "stop_token_ids"),
                    field(R"("logit_bias":{"x":1})", "`logit_bias` must", "logit_bias"),
                    field(R"("logit_bias":{"1":101})", "logit_bias must", "logit_bias"),
                    field(R"("echo":true)", "`echo` is no field", "echo"),
                    generation(R"({"instances":[]})", "`instances`", "instances"),
                    generation(R"({"instances":[{"prompt":"a"},{"prompt":"b"}]})", "`instances`", "instances"),
                    generation(R"({"instances":[{"prompt":"a"}],"n":2})", "`instances`", "instances")));

Bad completion(const std::string& member, const std::string& message, const std::string& param) {
  return {Endpoint::Completions, "{" + member + "}", message, param};
}
Bad turn(const std::string& member, const std::string& message, const std::string& param) {
  return {Endpoint::Chat, "{" + member + "}", message, param};
}
INSTANTIATE_TEST_SUITE_P(
    OpenAi, BadBodyTest,
    testing::Values(
        completion(R"("prompt":[])", "`prompt` must", "prompt"),
        completion(R"("prompt":["a",1])", "`prompt` must", "prompt"),
        completion(R"("prompt":"a","logprobs":21)", "logprobs must be in [0, 20]", "logprobs"),
        completion(R"("prompt":"a","best_of":4)", "`best_of` must be 1", "best_of"),
        completion(R"("prompt":"a","suffix":"x")", "`suffix` is not possible", "suffix"),
        completion(R"("prompt":"a","stream_options":{"include_usage":true})", "needs `stream`", "stream_options"),
        turn(R"("model":"x")", "`messages` is missing", "messages"),
        turn(R"("messages":[])", "`messages` must", "messages"),
        turn(R"("messages":[{"content":"x"}])", "[0]: role is missing", "messages"),
        turn(R"("messages":[{"role":"user"}])", "[0]: content is missing", "messages"),
        turn(R"("messages":[{"role":"user","content":[{"type":"image_url"}]}])", "text only", "messages"),
        turn(kHi + R"(,"top_logprobs":2)", "needs `logprobs`", "top_logprobs"),
        turn(kHi + R"(,"logprobs":3)", "`logprobs` must be true or false", "logprobs"),
        turn(kHi + R"(,"response_format":{"type":"json_object"})", "`response_format` must", "response_format"),
        turn(kHi + R"(,"tools":[{}])", "`tools` is not possible", "tools")));

TEST(ErrorReply, HasOpenAisShape) {
  EXPECT_EQ(error_reply({.status = 400, .message = "no", .param = "n"}).dump(),
            R"({"error":{"code":null,"message":"no","param":"n","type":"invalid_request_error"}})");
  EXPECT_EQ(error_reply({.status = 429, .message = "full", .code = "queue_full"}).find("error")->get_string("type"),
            "rate_limit_error");
  EXPECT_EQ(error_reply({.status = 503, .message = "x"}).find("error")->get_string("type"), "server_error");
}

}  // namespace
}  // namespace slipway::serve
