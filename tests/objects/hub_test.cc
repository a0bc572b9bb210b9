#include "slipway/objects/hub.h"

#include <gtest/gtest.h>

#include <mutex>

#include "slipway/base/value.h"
#include "slipway/http/server.h"
#include "support/files.h"
#include "support/temp_folder.h"

namespace slipway::objects {
namespace {

using test::slurp;
using test::spill;

// A hub in this process with one model.
class HubTest : public ::testing::Test {
 protected:
  HubTest() {
    auto started = http::Server::start(
        {}, [this](const http::Request& request) { return answer(request); }, Logger());
    EXPECT_TRUE(started);
    server_ = std::move(started).value();
  }

  Result<std::int64_t> get(const std::string& model) {
    env_["HF_ENDPOINT"] = endpoint() + "/";
    return download_model(*transport_, *parse_hub_model(model), folder_.path() / "model", env_,
                          {.wait = [](Duration) {}, .tries = 1});
  }
  [[nodiscard]] std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(server_->port()); }

  http::Response answer(const http::Request& request) {
    const std::scoped_lock lock(mutex_);
    asked_.push_back(request.path);
    const std::string token = request.header("Authorization");
    if (gated_ && token != "Bearer good") return {.status = token.empty() ? 401 : 403, .body = "no"};
    if (request.path == "/api/models/org/tiny/revision/" + revision_) return {.body = listing()};
    const std::string root = "/org/tiny/resolve/abc123/";
    const auto it = request.path.starts_with(root) ? files_.find(request.path.substr(root.size())) : files_.end();
    return it == files_.end() ? http::Response{.status = 404} : http::Response{.body = it->second};
  }

  std::string listing() const {
    Value::Array siblings;
    for (const auto& [name, bytes] : files_)
      siblings.emplace_back(Value::Object{{"rfilename", name}, {"size", std::ssize(bytes)}});
    return Value(Value::Object{{"sha", "abc123"}, {"siblings", std::move(siblings)}}).dump();
  }

  test::TempFolder folder_;
  std::mutex mutex_;
  std::map<std::string, std::string> files_{{"config.json", "{}"},
                                            {"model-00001-of-00001.safetensors", "weights"},
                                            {"tokenizer.json", "{\"t\":1}"},
                                            {"consolidated.safetensors", "the same again"},
                                            {"original/model.safetensors", "others"},
                                            {"README.md", "words"}};
  std::map<std::string, std::string> env_;
  std::string revision_ = "main";
  bool gated_ = false;
  std::vector<std::string> asked_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<http::Transport> transport_ = http::make_curl_transport();
};

TEST(HubId, HasAnOrganisationAndAName) {
  EXPECT_EQ(parse_hub_model("google/gemma-2-9b-it").value(), (HubModel{"google/gemma-2-9b-it", "main"}));
  EXPECT_EQ(parse_hub_model("hf://org/tiny@v1.0").value(), (HubModel{"org/tiny", "v1.0"}));
  for (const char* text : {"tiny", "hf://tiny", "a/b/c", "/a", "a/", "../a", "a/..", "gs://b/c", "hf://a/b@", "a b/c"})
    EXPECT_FALSE(parse_hub_model(text)) << text;
}

TEST_F(HubTest, BringsWhatAModelNeeds) {
  const auto count = get("org/tiny");
  ASSERT_TRUE(count) << count.error().message;
  EXPECT_EQ(*count, 3);
  EXPECT_EQ(slurp(folder_ / "model/model-00001-of-00001.safetensors"), "weights");
  EXPECT_EQ(asked_.back(), "/org/tiny/resolve/abc123/config.json") << "what makes it a model comes last";
  EXPECT_FALSE(std::filesystem::exists(folder_ / "model/README.md"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "model/.hub.json"));
  asked_.clear();
  spill(folder_ / "model/tokenizer.json", "torn");
  ASSERT_TRUE(get("hf://org/tiny"));
  EXPECT_EQ(asked_.size(), 2U) << "only what is not there";
  EXPECT_EQ(slurp(folder_ / "model/tokenizer.json"), "{\"t\":1}");
}

TEST_F(HubTest, AnotherRevision) {
  revision_ = "v2";
  EXPECT_TRUE(get("org/tiny@v2"));
  const auto none = get("org/tiny@v3");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::NotFound);
}

TEST_F(HubTest, WhatIsClosedSaysWhatToDo) {
  gated_ = true;
  const auto without = get("org/tiny");
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().code, ErrorCode::Unauthorized);
  EXPECT_NE(without.error().message.find(endpoint() + "/org/tiny"), std::string::npos) << without.error().message;
  EXPECT_NE(without.error().help.find("HF_TOKEN"), std::string::npos);
  env_["HF_TOKEN"] = "other";
  const auto other = get("org/tiny");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::Forbidden);
  EXPECT_NE(other.error().help.find("licence"), std::string::npos);
  env_["HF_TOKEN"] = "good";
  EXPECT_TRUE(get("org/tiny"));
  files_.erase("config.json");
  EXPECT_EQ(get("org/tiny").error().code, ErrorCode::NotFound);
}

}  // namespace
}  // namespace slipway::objects
