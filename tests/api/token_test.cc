// Tokens and the audit log.
#include "api/api_fixture.h"

namespace slipway::api {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

using TokenTest = ApiTest;

TEST_F(TokenTest, TokensAreShownOnceAndRevoked) {
  const auto made = send("POST", "/tokens", R"({"role": "operator", "note": "ci", "expires_in": "2d"})");
  ASSERT_EQ(made.status, 201) << made.body;
  const auto token = expect_ok(parse_json(made.body));
  const auto& command = control.last<engine::SetToken>();
  EXPECT_EQ(command.id, token.get_string("id"));
  EXPECT_THAT(*command.record, Not(HasSubstr(token.get_string("token"))));
  EXPECT_EQ(token.get_string("expires_at"), to_rfc3339(kNoon + std::chrono::hours(48)));
  expect_ok(store->commit({.blobs = {{{"token", command.id}, *command.record}}}));
  const auto who = expect_ok(vault::authenticate(token.get_string("token"), expect_ok(store->blobs("token")), kNoon));
  EXPECT_EQ(who.role, vault::Role::Operator);
  EXPECT_EQ(who.note, "ci");
  const auto listed = send("GET", "/tokens").body;
  EXPECT_THAT(listed, HasSubstr(command.id));
  EXPECT_THAT(listed, Not(HasSubstr(token.get_string("token"))));
  const std::string id = command.id;
  EXPECT_EQ(send("DELETE", "/tokens/" + id).status, 204);
  EXPECT_EQ(control.last<engine::SetToken>().record, std::nullopt);
  EXPECT_EQ(refused("DELETE", "/tokens/00000000"), "404 there is no token `00000000`");
}

TEST_F(TokenTest, TokensThatMakeNoSenseAreRefused) {
  EXPECT_EQ(refused("POST", "/tokens", R"({"role": "king"})"), "400 `role` is no role");
  EXPECT_THAT(refused("POST", "/tokens", R"({"role": "viewer", "expires_in": "-1d"})"), HasSubstr("is no duration"));
  EXPECT_THAT(refused("POST", "/tokens", R"({"role": "viewer", "note": "a\nb"})"), HasSubstr("no text of one line"));
  EXPECT_TRUE(control.commands.empty());
}

TEST_F(TokenTest, ACommandNamesWhoAsks) {
  fill();
  EXPECT_EQ(send("POST", "/runs/" + run_id(2).str() + "/cancel").status, 200);
  EXPECT_EQ(control.origins.back().action, "POST /runs/" + run_id(2).str() + "/cancel");
  EXPECT_EQ(control.origins.back().actor, "test");
  EXPECT_EQ(control.origins.back().token.size(), 8U);
  store::AuditEntry entry{.at = kNoon, .token = "t", .actor = "test", .action = "POST /x", .outcome = "ok"};
  expect_ok(store->commit({.audit = {entry, entry}}));
  const auto page = expect_ok(parse_json(send("GET", "/audit?limit=1").body));
  EXPECT_EQ(page.find("audit")->as_array().front().get_int("seq"), 2);
  EXPECT_EQ(page.get_int("next"), 2);
  const auto rest = expect_ok(parse_json(send("GET", "/audit?before=2").body));
  EXPECT_EQ(rest.find("audit")->as_array().front().get_string("at"), to_rfc3339(kNoon));
  EXPECT_TRUE(rest.find("next")->is_null());
}

}  // namespace
}  // namespace slipway::api
