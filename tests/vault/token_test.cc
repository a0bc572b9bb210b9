#include "slipway/vault/token.h"

#include <gmock/gmock.h>

#include "slipway/base/value.h"
#include "vault/temporary_home.h"

namespace slipway::vault {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

const Instant kNow = *parse_rfc3339("2024-11-01T12:00:00Z");

TEST(Token, HasItsFormAndIsStoredAsAHash) {
  const auto token = issue_token(Role::Operator, "ci", kNow);
  EXPECT_THAT(token.text.reveal(), MatchesRegex("slw_[0-9a-f]{8}_[-_A-Za-z0-9]{43}"));
  EXPECT_THAT(token.text.reveal(), HasSubstr(token.id));
  EXPECT_THAT(token.record, Not(HasSubstr(token.text.reveal().substr(13))));
  EXPECT_EQ(parse_json(token.record)->get_string("role"), "operator");
  EXPECT_NE(token.text.reveal(), issue_token(Role::Operator, "ci", kNow).text.reveal());
}

TEST(Token, SpeaksForItsRole) {
  const auto token = issue_token(Role::Operator, "ci", kNow);
  const auto identity = authenticate(token.text.reveal(), {{token.id, token.record}}, kNow);
  ASSERT_TRUE(identity);
  EXPECT_EQ(*identity, (Identity{token.id, Role::Operator, "ci"}));
}

TEST(Token, NothingElseIsAccepted) {
  const auto token = issue_token(Role::Admin, "", kNow);
  const auto other = issue_token(Role::Admin, "", kNow);
  const std::map<std::string, std::string> records{{token.id, token.record}, {"broken", "{"}, {"00000000", "{}"}};
  const std::string text = token.text.reveal();
  auto last_changed = text;
  last_changed.back() = last_changed.back() == 'A' ? 'B' : 'A';
  for (const std::string& bad :
       {std::string(), std::string("slw_"), "slw_" + token.id, "slw_" + token.id + "_", text + "A", " " + text,
        text.substr(0, text.size() - 1), text.substr(1), last_changed, other.text.reveal(), std::string("slw_broken_x"),
        std::string("slw_00000000_"), "slw_" + token.id + other.text.reveal().substr(12)}) {
    const auto refused = authenticate(bad, records, kNow);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().code, ErrorCode::Unauthorized);
    EXPECT_EQ(refused.error().message, "the token is not valid");
  }
}

TEST(Token, Expires) {
  const auto token = issue_token(Role::Viewer, "", kNow, kNow + std::chrono::hours(1));
  const std::map<std::string, std::string> records{{token.id, token.record}};
  EXPECT_TRUE(authenticate(token.text.reveal(), records, kNow + std::chrono::minutes(59)));
  const auto late = authenticate(token.text.reveal(), records, kNow + std::chrono::hours(1));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().message, "the token has expired");
}

TEST(LocalToken, IsMadeOnceAndAgainWhenItNoLongerOpens) {
  const TemporaryHome home;
  EXPECT_EQ(read_local_token(home.path()).error().code, ErrorCode::NotFound);
  const auto first = ensure_local_token(home.path(), {}, kNow);
  ASSERT_TRUE(first && *first);
  EXPECT_EQ(home.mode("token"), 0600U);
  EXPECT_EQ(read_local_token(home.path())->reveal(), (*first)->text.reveal());

  const std::map<std::string, std::string> records{{(*first)->id, (*first)->record}};
  EXPECT_EQ(authenticate((*first)->text.reveal(), records, kNow)->role, Role::Admin);
  const auto second = ensure_local_token(home.path(), records, kNow);
  ASSERT_TRUE(second);
  EXPECT_FALSE(*second);

  const auto third = ensure_local_token(home.path(), {}, kNow);
  ASSERT_TRUE(third && *third);
  EXPECT_NE(home.read("token"), (*first)->text.reveal() + "\n");
}

TEST(LocalToken, IsNotReadWhereOthersCan) {
  const TemporaryHome home;
  home.write("token", "slw_00000000_x\n", 0644);
  EXPECT_EQ(read_local_token(home.path()).error().code, ErrorCode::Forbidden);
  EXPECT_EQ(ensure_local_token(home.path(), {}, kNow).error().code, ErrorCode::Forbidden);
}

}  // namespace
}  // namespace slipway::vault
