#include "cli/config.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace slipway::cli {
namespace {

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "slipway-config-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
    std::filesystem::create_directories(root_ + "/slipway");
    env_ = {{"HOME", root_}, {"XDG_CONFIG_HOME", root_}};
  }
  ~ConfigTest() override { std::filesystem::remove_all(root_); }
  void write_user(const std::string& text) { std::ofstream(root_ + "/slipway/config.yaml") << text; }

  std::string root_;
  std::map<std::string, std::string> env_;
};

TEST_F(ConfigTest, FlagBeatsEnvironmentBeatsFileBeatsDefault) {
  write_user("listen: 127.0.0.1:1\nslots: 3\n");
  env_["SLIPWAY_LISTEN"] = "127.0.0.1:2";
  const auto config = Config::load(env_);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->get("listen", "127.0.0.1:3").origin, "flag");
  EXPECT_EQ(config->get("listen").value, "127.0.0.1:2");
  EXPECT_EQ(config->get("listen").origin, "SLIPWAY_LISTEN");
  EXPECT_EQ(config->get("slots").value, "3");
  EXPECT_EQ(config->get("slots").origin, root_ + "/slipway/config.yaml:2");
  EXPECT_EQ(config->get("dags").origin, "default");
}

TEST_F(ConfigTest, TellsAllMistakesWithPlaceAndCure) {
  write_user("lisen: x\nslots: [1]\n");
  const auto config = Config::load(env_);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, ErrorCode::InvalidArgument);
  EXPECT_NE(config.error().message.find("config.yaml:1:1: error[unknown-key]: `lisen` is no setting"),
            std::string::npos);
  EXPECT_NE(config.error().message.find("did you mean `listen`?"), std::string::npos);
  EXPECT_NE(config.error().message.find("config.yaml:2:8: error[wrong-type]"), std::string::npos);
}

TEST_F(ConfigTest, ReadsNotifyTargets) {
  write_user(
      "notify:\n  ops: {slack: \"https://hooks.example.org/x\"}\n"
      "  team: {mail: \"smtp://mail:587\", username: u, secret: PW, from: a@b, to: [c@d, e@f]}\n");
  const auto config = Config::load(env_);
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->notify_targets().size(), 2U);
  EXPECT_EQ(config->notify_targets().at("ops").kind, "slack");
  EXPECT_EQ(config->notify_targets().at("ops").url, "https://hooks.example.org/x");
  const NotifyTarget& team = config->notify_targets().at("team");
  EXPECT_EQ(team.secret, "PW");
  EXPECT_EQ(team.to, (std::vector<std::string>{"c@d", "e@f"}));
  EXPECT_EQ(team.origin, root_ + "/slipway/config.yaml:3");
}

TEST_F(ConfigTest, TellsMistakesOfNotifyTargets) {
  const std::pair<const char*, const char*> table[] = {
      {"notify: x\n", "`notify` is a map of targets by name"},
      {"notify: {ops: x}\n", "target `ops` is no map"},
      {"notify: {ops: {}}\n", "target `ops` says not where to"},
      {"notify: {ops: {slak: \"https://x\"}}\n", "did you mean `slack`?"},
      {"notify: {ops: {slack: \"ftp://x\"}}\n", "`slack` takes an address"},
      {"notify: {ops: {slack: \"https://x\", teams: \"https://y\"}}\n", "this is slack already"},
      {"notify: {ops: {mail: \"smtp://x\"}}\n", "target `ops` needs `from` and `to`"},
      {"notify: {ops: {mail: \"smtp://x\", from: a@b, to: c}}\n", "`c` is no mail address"},
      {"notify: {ops: {webhook: \"https://x\", secret: [a]}}\n", "`secret` takes one value"},
  };
  for (const auto& [text, expected] : table) {
    write_user(text);
    const auto config = Config::load(env_);
    ASSERT_FALSE(config) << text;
    EXPECT_NE(config.error().message.find(expected), std::string::npos) << config.error().message;
  }
}

}  // namespace
}  // namespace slipway::cli
