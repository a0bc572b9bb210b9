#include "serve/reply.h"

#include <gtest/gtest.h>

namespace slipway::serve {
namespace {

class ReplyTest : public testing::Test {
 protected:
  Exchange exchange(Endpoint endpoint, std::size_t choices = 1) {
    Exchange made{.ask = {.endpoint = endpoint},
                  .id = "id-1",
                  .created_s = 7,
                  .model = "m",
                  .prompt_texts = {"\n What? "},
                  .prompt_tokens = 4,
                  .tokenizer = tokenizer_};
    made.choices.resize(choices);
    return made;
  }
  static void finish(Choice& choice, const std::string& text, std::size_t tokens,
                     ml::FinishReason reason = ml::FinishReason::Stop) {
    choice.text = text;
    choice.tokens = tokens;
    choice.done = true;
    choice.end.finish = reason;
  }
  Exchange two_texts(ResponseFormat format) {
    auto made = exchange(Endpoint::Generate, 2);
    made.format = format;
    finish(made.choices[0], " This.\n", 2);
    finish(made.choices[1], "That", 1);
    return made;
  }
  [[nodiscard]] ml::TokenId id(const std::string& token) const { return tokenizer_.find(token).value(); }

  ml::Tokenizer tokenizer_ =
      ml::Tokenizer::load(SLIPWAY_SOURCE_DIR "/tests/ml/fixtures/models/tiny-gemma2-fp32").value();
};

TEST_F(ReplyTest, TextIsPromptAndOutput) {
  EXPECT_EQ(whole_reply(two_texts(ResponseFormat::Text)), R"({"text":["\n What?  This.\n","\n What? That"]})");
}

TEST_F(ReplyTest, PredictionsNameBothParts) {
  EXPECT_EQ(whole_reply(two_texts(ResponseFormat::Predictions)),
            R"({"predictions":["Prompt:\nWhat?\nOutput:\n This.","Prompt:\nWhat?\nOutput:\nThat"]})");
}

TEST_F(ReplyTest, RawPredictionsAreTheOutputAlone) {
  auto made = two_texts(ResponseFormat::Predictions);
  made.ask.raw_response = true;
  EXPECT_EQ(whole_reply(made), R"({"output_token_counts":[2,1],"predictions":[" This.\n","That"]})");
}

TEST_F(ReplyTest, CompletionIsOpenAis) {
  auto made = exchange(Endpoint::Completions, 2);
  finish(made.choices[0], "A", 3);
  finish(made.choices[1], "B", 5, ml::FinishReason::Length);
  made.choices[0].end.stop_string = "\n";
  EXPECT_EQ(whole_reply(made),
            R"({"choices":[{"finish_reason":"stop","index":0,"logprobs":null,"stop_reason":"\n","text":"A"},)"
            R"({"finish_reason":"length","index":1,"logprobs":null,"stop_reason":null,"text":"B"}],)"
            R"("created":7,"id":"id-1","model":"m","object":"text_completion",)"
            R"("usage":{"completion_tokens":8,"prompt_tokens":4,"total_tokens":12}})");
}

TEST_F(ReplyTest, ChatIsOpenAis) {
  auto made = exchange(Endpoint::Chat);
  finish(made.choices[0], "A", 3);
  EXPECT_EQ(whole_reply(made), R"({"choices":[{"finish_reason":"stop","index":0,"logprobs":null,)"
                               R"("message":{"content":"A","refusal":null,"role":"assistant"},"stop_reason":null}],)"
                               R"("created":7,"id":"id-1","model":"m","object":"chat.completion",)"
                               R"("usage":{"completion_tokens":3,"prompt_tokens":4,"total_tokens":7}})");
}

TEST_F(ReplyTest, EchoPutsThePromptInFront) {
  auto made = exchange(Endpoint::Completions);
  made.ask.echo = true;
  finish(made.choices[0], "A", 1);
  EXPECT_NE(whole_reply(made).find(R"("text":"\n What? A")"), std::string::npos);
}

TEST_F(ReplyTest, EchoedTokensHaveLogprobsToo) {
  auto made = exchange(Endpoint::Completions);
  made.ask.echo = true;
  made.ask.params.logprobs = 1;
  made.first_tokens = {id("a")};
  finish(made.choices[0], "a", 1);
  made.choices[0].prompt_logprobs = {{{id("b"), -2.0F}, {{id("a"), -0.25F}}}};
  made.choices[0].logprobs = {{{id("a"), -0.5F}, {}}};
  EXPECT_NE(whole_reply(made).find(R"("logprobs":{"text_offset":[0,1,2],"token_logprobs":[null,-2.0,-0.5],)"
                                   R"("tokens":["a","b","a"],"top_logprobs":[null,{"a":-0.25,"b":-2.0},{"a":-0.5}]})"),
            std::string::npos)
      << whole_reply(made);
}

TEST_F(ReplyTest, LogprobsInBothForms) {
  auto made = exchange(Endpoint::Completions);
  made.ask.params.logprobs = 1;
  finish(made.choices[0], "ab", 2);
  made.choices[0].logprobs = {{{id("a"), -0.5F}, {{id("b"), -0.25F}}}, {{id("b"), -1.0F}, {{id("b"), -1.0F}}}};
  EXPECT_NE(whole_reply(made).find(R"("logprobs":{"text_offset":[0,1],"token_logprobs":[-0.5,-1.0],"tokens":["a","b"],)"
                                   R"("top_logprobs":[{"a":-0.5,"b":-0.25},{"b":-1.0}]})"),
            std::string::npos)
      << whole_reply(made);
  made.ask.endpoint = Endpoint::Chat;
  EXPECT_NE(whole_reply(made).find(R"("logprobs":{"content":[{"bytes":[97],"logprob":-0.5,"token":"a",)"
                                   R"("top_logprobs":[{"bytes":[98],"logprob":-0.25,"token":"b"}]})"),
            std::string::npos)
      << whole_reply(made);
}

TEST_F(ReplyTest, ChatStreamBeginsWithTheRole) {
  auto made = exchange(Endpoint::Chat);
  made.ask.stream = made.ask.include_usage = true;
  EXPECT_EQ(stream_content_type(made), "text/event-stream; charset=utf-8");
  EXPECT_EQ(stream_piece(made, 0), "") << "nothing to say yet";
  made.choices[0].text = "A";
  const std::string tail = R"(,"created":7,"id":"id-1","model":"m","object":"chat.completion.chunk","usage":)";
  EXPECT_EQ(stream_piece(made, 0),
            R"(data: {"choices":[{"delta":{"content":"","role":"assistant"},"finish_reason":null,"index":0,)"
            R"("logprobs":null}])" +
                tail + "null}\n\n" +
                R"(data: {"choices":[{"delta":{"content":"A"},"finish_reason":null,"index":0,"logprobs":null}])" +
                tail + "null}\n\n");
  EXPECT_EQ(stream_piece(made, 0), "") << "no news";
  finish(made.choices[0], "AB", 2);
  EXPECT_EQ(stream_piece(made, 0),
            R"(data: {"choices":[{"delta":{"content":"B"},"finish_reason":"stop","index":0,"logprobs":null,)"
            R"("stop_reason":null}])" +
                tail + "null}\n\n");
  EXPECT_EQ(stream_end(made), R"(data: {"choices":[])" + tail +
                                  R"({"completion_tokens":2,"prompt_tokens":4,"total_tokens":6}})"
                                  "\n\ndata: [DONE]\n\n");
}

TEST_F(ReplyTest, CompletionStreamEchoesOnceAndCountsOffsets) {
  auto made = exchange(Endpoint::Completions);
  made.ask.echo = true;
  made.ask.params.logprobs = 0;
  made.first_tokens = {id("b")};
  made.choices[0].text = "a";
  made.choices[0].prompt_logprobs = {{{id("a"), -2.0F}, {}}};
  made.choices[0].logprobs = {{{id("a"), -0.5F}, {}}};
  const std::string first = stream_piece(made, 0);
  EXPECT_NE(first.find(R"("text":"\n What? a")"), std::string::npos);
  EXPECT_NE(first.find(R"("text_offset":[0,1,2],"token_logprobs":[null,-2.0,-0.5],"tokens":["b","a","a"])"),
            std::string::npos)
      << first;
  made.choices[0].text = "ab";
  made.choices[0].logprobs.push_back({{id("b"), -1.0F}, {}});
  const std::string second = stream_piece(made, 0);
  EXPECT_NE(second.find(R"("text":"b")"), std::string::npos) << second;
  EXPECT_NE(second.find(R"("text_offset":[3],"token_logprobs":[-1.0])"), std::string::npos) << second;
  EXPECT_EQ(stream_end(made), "data: [DONE]\n\n");
}

TEST_F(ReplyTest, LegacyStreams) {
  auto made = exchange(Endpoint::Generate);
  made.choices[0].text = "A";
  EXPECT_EQ(stream_piece(made, 0), "{\"text\":[\"\\n What? A\"]}\n");
  made.choices[0].text = "AB";
  EXPECT_EQ(stream_piece(made, 0), "{\"text\":[\"\\n What? AB\"]}\n") << "all of it again, as vLLM does";
  made.format = ResponseFormat::Predictions;
  finish(made.choices[0], "ABC", 3);
  EXPECT_EQ(stream_piece(made, 0), std::string("{\"predictions\":[\"C\"]}\0", 22));
  EXPECT_EQ(stream_end(made), "");
}

TEST_F(ReplyTest, ErrorsEndAStream) {
  const std::string error = R"({"error":{"code":null,"message":"x","param":null,"type":"server_error"}})";
  EXPECT_EQ(stream_error(exchange(Endpoint::Chat), {.status = 503, .message = "x"}),
            "data: " + error + "\n\ndata: [DONE]\n\n");
  EXPECT_EQ(stream_error(exchange(Endpoint::Generate), {.status = 503, .message = "x"}), error + "\n");
}

}  // namespace
}  // namespace slipway::serve
