// The contract of the server, over real sockets, with a tiny model.
#include "slipway/serve/model_server.h"

#include <gtest/gtest.h>

#include <future>

#include "slipway/base/value.h"
#include "slipway/http/transport.h"
#include "support/temp_folder.h"

namespace slipway::serve {
namespace {

std::string fixture(const std::string& path) { return SLIPWAY_SOURCE_DIR "/tests/ml/fixtures/" + path; }

class ModelServerTest : public testing::Test {
 protected:
  void serve(ServeOptions options = {}) {
    options.model = fixture("models/tiny-gemma2-fp32");
    options.port = 0;
    options.compute.threads = 1;
    options.version = "1.2.3";
    auto started = ModelServer::start(options, clock_, Logger());
    ASSERT_TRUE(started) << started.error().message;
    server_ = *std::move(started);
    const auto ready = server_->wait_ready();
    ASSERT_TRUE(ready) << ready.error().message;
  }
  [[nodiscard]] http::Reply send(const std::string& method, const std::string& path,
                                 const std::string& body = {}) const {
    const auto reply =
        http::make_curl_transport()->send({.method = method,
                                           .url = "http://127.0.0.1:" + std::to_string(server_->port()) + path,
                                           .headers = {},
                                           .body = body});
    return reply ? *reply : http::Reply{};  // status 0: the connection was cut
  }
  [[nodiscard]] Value generate(const std::string& body) const {
    const auto reply = send("POST", "/generate", body);
    EXPECT_EQ(reply.status, 200) << reply.body;
    return parse_json(reply.body).value();
  }
  [[nodiscard]] std::string error_of(const http::Reply& reply) const {
    return parse_json(reply.body).value().find("error")->get_string("message");
  }

  [[nodiscard]] Value post(const std::string& path, const std::string& body) const {
    const auto reply = send("POST", path, body);
    EXPECT_EQ(reply.status, 200) << reply.body;
    return parse_json(reply.body).value();
  }
  // The line of /metrics that begins with `name`, behind its labels.
  [[nodiscard]] std::string metric(const std::string& name) const {
    const std::string page = send("GET", "/metrics").body;
    const auto at = page.find("\n" + name + "{");
    if (at == std::string::npos) return "absent";
    const auto value = page.find("} ", at) + 2;
    return page.substr(value, page.find('\n', value) - value);
  }

  SystemClock clock_;
  std::unique_ptr<ModelServer> server_;
};

TEST_F(ModelServerTest, GeneratesPromptAndOutput) {
  serve();
  const Value reply = generate(R"({"prompt":"<start_of_turn>user","temperature":0,"max_tokens":4,"ignore_eos":true})");
  const std::string text = reply.find("text")->as_array().at(0).as_string();
  EXPECT_EQ(text.rfind("<start_of_turn>user", 0), 0U);
  EXPECT_GT(text.size(), std::string("<start_of_turn>user").size());
  EXPECT_EQ(reply.as_object().size(), 1U);
}

TEST_F(ModelServerTest, SeedMakesItRepeatable) {
  serve();
  const std::string body = R"({"prompt":"Hi","seed":5,"max_tokens":12,"temperature":2,"n":2})";
  const Value first = generate(body);
  EXPECT_EQ(first, generate(body));
  EXPECT_NE(first.find("text")->as_array().at(0), first.find("text")->as_array().at(1));
}

TEST_F(ModelServerTest, PredictionsShape) {
  serve({.format = ResponseFormat::Predictions});
  const Value reply = generate(R"({"instances":[{"prompt":" Hi ","temperature":0,"max_tokens":2}]})");
  EXPECT_EQ(reply.find("predictions")->as_array().at(0).as_string().rfind("Prompt:\nHi\nOutput:\n", 0), 0U);
}

TEST_F(ModelServerTest, AdaptersAreChosenByModel) {
  serve({.model_name = "base", .adapters = {{"tuned", fixture("goldens/tiny-gemma2/adapter0")}}});
  const auto with = [&](const std::string& model) {
    return generate(R"({"prompt":"Hi","seed":1,"temperature":5,"max_tokens":40,"model":")" + model + "\"}");
  };
  EXPECT_NE(with("base"), with("tuned"));
  EXPECT_EQ(with("base"), with(fixture("models/tiny-gemma2-fp32"))) << "the folder is a name too";
  const auto unknown = send("POST", "/generate", R"({"prompt":"a","model":"none"})");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(error_of(unknown), "model `none` is not served here; GET /v1/models lists what is");
}

TEST_F(ModelServerTest, ListsModels) {
  serve({.model_name = "base", .adapters = {{"tuned", fixture("goldens/tiny-gemma2/adapter0")}}});
  const Value list = parse_json(send("GET", "/v1/models").body).value();
  EXPECT_EQ(list.get_string("object"), "list");
  const auto& data = list.find("data")->as_array();
  ASSERT_EQ(data.size(), 2U);
  EXPECT_EQ(data[0].get_string("id"), "base");
  EXPECT_EQ(data[0].get_string("owned_by"), "vllm");
  EXPECT_TRUE(data[0].find("parent")->is_null());
  EXPECT_EQ(data[1].get_string("id"), "tuned");
  EXPECT_EQ(data[1].get_string("parent"), "base");
}

TEST_F(ModelServerTest, HealthPingAndVersion) {
  serve();
  EXPECT_EQ(send("GET", "/health").status, 200);
  EXPECT_EQ(send("GET", "/health").body, "");
  EXPECT_EQ(send("GET", "/ping").status, 200);
  EXPECT_EQ(send("GET", "/version").body, R"({"version":"1.2.3"})");
}

TEST_F(ModelServerTest, WrongRequestsAreExplained) {
  serve({.body_bytes_max = 2000, .prompt_tokens_max = 20, .max_tokens_max = 50});
  const auto misspelt = send("POST", "/generate", R"({"prompt":"a","max_token":5})");
  EXPECT_EQ(misspelt.status, 400);
  EXPECT_NE(error_of(misspelt).find("`max_tokens`"), std::string::npos);
  EXPECT_EQ(send("POST", "/generate", R"({"prompt":"a","max_tokens":51})").status, 400);
  EXPECT_EQ(send("POST", "/generate", R"({"prompt":"a","n":17})").status, 400) << "more than are decoded together";
  EXPECT_EQ(send("POST", "/generate", R"({"prompt":"one two three four five six seven eight nine ten eleven"})").status,
            400);
  const auto large = send("POST", "/generate", std::string(2001, ' '));
  EXPECT_EQ(large.status, 413);
  EXPECT_NE(error_of(large).find("body too large"), std::string::npos);
  const auto method = send("GET", "/generate");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.headers.at("Allow"), "POST");
  EXPECT_EQ(send("GET", "/nothing").status, 404);
}

TEST_F(ModelServerTest, CompletesAndStreamsTheSame) {
  serve({.model_name = "base"});
  const std::string ask = R"("prompt":"Hi","temperature":0,"max_tokens":12,"ignore_eos":true)";
  const Value whole = post("/v1/completions", "{" + ask + "}");
  EXPECT_EQ(whole.get_string("object"), "text_completion");
  EXPECT_EQ(whole.get_string("model"), "base");
  EXPECT_EQ(whole.get_string("id").substr(0, 5), "cmpl-");
  EXPECT_EQ(whole.find("usage")->get_int("completion_tokens"), 12);
  const auto streamed = send("POST", "/v1/completions", "{" + ask + R"(,"stream":true})");
  EXPECT_EQ(streamed.headers.at("Content-Type"), "text/event-stream; charset=utf-8");
  std::string text;
  const std::string_view all = streamed.body;
  for (std::size_t at = 0; at < all.size();) {
    const auto end = all.find("\n\n", at);
    ASSERT_NE(end, std::string_view::npos);
    const auto line = all.substr(at, end - at);
    ASSERT_TRUE(line.starts_with("data: ")) << line;
    if (line != "data: [DONE]")
      text += parse_json(line.substr(6)).value().find("choices")->as_array()[0].get_string("text");
    at = end + 2;
  }
  EXPECT_EQ(text, whole.find("choices")->as_array()[0].get_string("text"));
  EXPECT_TRUE(all.ends_with("data: [DONE]\n\n"));
}

TEST_F(ModelServerTest, ChatsByTheModelsTemplate) {
  serve();
  const Value reply =
      post("/v1/chat/completions",
           R"({"messages":[{"role":"user","content":"Hi"}],"temperature":0,"max_tokens":6,"ignore_eos":true})");
  const Value rendered =
      post("/v1/completions", R"({"prompt":"<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n",)"
                              R"("add_special_tokens":false,"temperature":0,"max_tokens":6,"ignore_eos":true})");
  EXPECT_EQ(reply.find("choices")->as_array()[0].find("message")->get_string("content"),
            rendered.find("choices")->as_array()[0].get_string("text"));
  EXPECT_EQ(reply.find("usage")->get_int("prompt_tokens"), rendered.find("usage")->get_int("prompt_tokens"));
  const auto refused = send("POST", "/v1/chat/completions",
                            R"({"messages":[{"role":"system","content":"x"},{"role":"user","content":"y"}]})");
  EXPECT_EQ(refused.status, 400) << "this template knows no system role";
}

TEST_F(ModelServerTest, APromptOfIdsIsTakenAsItIs) {
  serve();
  const Value reply = post("/v1/completions", R"({"prompt":[2,9,299],"max_tokens":1})");
  EXPECT_EQ(reply.find("usage")->get_int("prompt_tokens"), 3);
  EXPECT_EQ(send("POST", "/v1/completions", R"({"prompt":[999999]})").status, 400);
}

TEST_F(ModelServerTest, CountsWhatItDoes) {
  serve({.model_name = "base"});
  EXPECT_EQ(metric("vllm:generation_tokens_total"), "0");
  const Value reply = post("/v1/completions", R"({"prompt":[2,9],"max_tokens":5,"ignore_eos":true})");
  EXPECT_EQ(reply.find("usage")->get_int("completion_tokens"), 5);
  EXPECT_EQ(metric("vllm:generation_tokens_total"), "5");
  EXPECT_EQ(metric("vllm:prompt_tokens_total"), "2");
  EXPECT_EQ(metric("vllm:inter_token_latency_seconds_count"), "4");
  EXPECT_EQ(metric("vllm:time_to_first_token_seconds_count"), "1");
}

TEST_F(ModelServerTest, MemoryForKeysBoundsTheContext) {
  constexpr std::size_t kPageBytes = std::size_t{64} * 3 * 2 * 32 * sizeof(float);
  serve({.kv_bytes_max = 3 * kPageBytes});
  EXPECT_EQ(server_->context(), 3 * 64);
  const Value reply = post("/v1/completions", R"({"prompt":[2,9],"max_tokens":1000,"ignore_eos":true})");
  EXPECT_EQ(reply.find("usage")->get_int("total_tokens"), 3 * 64) << "it ends where the memory ends";
}

TEST_F(ModelServerTest, HasAPageAndNamesOneModel) {
  serve({.model_name = "base"});
  EXPECT_NE(send("GET", "/").body.find("<title>slipway chat</title>"), std::string::npos);
  EXPECT_EQ(parse_json(send("GET", "/v1/models/base").body).value().get_string("id"), "base");
  EXPECT_GT(parse_json(send("GET", "/v1/models/base").body).value().get_int("max_model_len"), 0);
  EXPECT_EQ(send("GET", "/v1/models/none").status, 404);
}

TEST_F(ModelServerTest, ManyAtOnceAreAllAnswered) {
  serve({.sequences_max = 3});
  std::vector<std::future<Value>> replies;
  for (int i = 0; i < 8; ++i)
    replies.push_back(std::async(std::launch::async, [&, i] {
      return generate(R"({"prompt":"Hi","temperature":0,"ignore_eos":true,"max_tokens":)" + std::to_string(5 + i) +
                      "}");
    }));
  for (auto& reply : replies) EXPECT_EQ(reply.get().find("text")->as_array().size(), 1U);
}

// With room for one request, a 429 for the second proves that the first is in work.
class FullQueueTest : public ModelServerTest {
 protected:
  void fill() {
    serve({.queue_max = 1});
    long_reply_ = std::async(std::launch::async, [&] {
      http::Reply reply{.status = 429, .headers = {}, .body = {}};  // while the other request is the first
      while (reply.status == 429)
        reply = send("POST", "/generate", R"({"prompt":"Hi","ignore_eos":true,"max_tokens":1500})");
      return reply;
    });
    while (refusal_.status != 429) {
      refusal_ = send("POST", "/generate", R"({"prompt":"Hi","max_tokens":1})");
      ASSERT_EQ(long_reply_.wait_for(std::chrono::seconds(0)), std::future_status::timeout) << "never refused";
    }
  }

  std::future<http::Reply> long_reply_;
  http::Reply refusal_;
};

TEST_F(FullQueueTest, Is429) {
  fill();
  EXPECT_EQ(refusal_.headers.at("Retry-After"), "1");
  EXPECT_EQ(error_of(refusal_), "the queue is full; try again");
  EXPECT_EQ(send("GET", "/health").status, 200) << "probes are no requests";
  EXPECT_EQ(long_reply_.get().status, 200);
}

TEST_F(FullQueueTest, DrainFinishesWhatIsInWork) {
  fill();
  server_->drain(std::chrono::seconds(60));
  EXPECT_EQ(long_reply_.get().status, 200);
  const auto late =
      http::make_curl_transport()->send({.method = "GET",
                                         .url = "http://127.0.0.1:" + std::to_string(server_->port()) + "/health",
                                         .headers = {},
                                         .body = {}});
  EXPECT_TRUE(!late || late->status == 503) << "nothing new is taken";
}

TEST_F(FullQueueTest, DestructionCutsItShort) {
  fill();
  server_.reset();
  EXPECT_NE(long_reply_.get().status, 200);
}

TEST(ModelServer, SaysWhyAModelCannotBeLoaded) {
  test::TempFolder folder;
  const SystemClock clock;
  const auto server =
      ModelServer::start({.model = folder.path(), .port = 0, .compute = {.threads = 1}}, clock, Logger());
  ASSERT_TRUE(server);
  const auto ready = (*server)->wait_ready();
  ASSERT_FALSE(ready);
  EXPECT_NE(ready.error().message.find("config.json"), std::string::npos) << ready.error().message;
  const auto health = http::make_curl_transport()->send(
      {.method = "GET", .url = "http://127.0.0.1:" + std::to_string((*server)->port()) + "/health", .headers = {}});
  ASSERT_TRUE(health);
  EXPECT_EQ(health->status, 503);
}

}  // namespace
}  // namespace slipway::serve
