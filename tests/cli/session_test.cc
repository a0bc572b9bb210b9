#include "cli/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "cli/exit_code.h"
#include "slipway/http/server.h"

namespace slipway::cli {
namespace {

class SessionTest : public testing::Test {
 protected:
  void serve(http::Handler handler) {
    auto started = http::Server::start({}, std::move(handler), Logger());
    ASSERT_TRUE(started);
    server_ = *std::move(started);
    session_.globals.server = "http://127.0.0.1:" + std::to_string(server_->port());
    session_.env["SLIPWAY_TOKEN"] = "slw_a_b";
  }

  std::ostringstream out_, err_;
  Session session_{out_, err_, {{"HOME", "/nonexistent"}}};
  std::unique_ptr<http::Server> server_;
};

TEST_F(SessionTest, SendsTokenBodyAndPath) {
  serve([](const http::Request& request) {
    return http::Response{
        200,
        "application/json",
        Value(Value::Object{{"auth", request.header("authorization")}, {"path", request.path}, {"body", request.body}})
            .dump(),
        {}};
  });
  const auto reply = session_.call("POST", "/x", Value::Object{{"a", 1}});
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->dump(), R"({"auth":"Bearer slw_a_b","body":"{\"a\":1}","path":"/api/v1/x"})");
}

TEST_F(SessionTest, ReadsProblemsAsErrors) {
  serve([](const http::Request&) {
    return http::Response{409,
                          "application/problem+json",
                          R"({"title":"t","detail":"it exists","code":"conflict","help":"choose another"})",
                          {}};
  });
  const auto reply = session_.call("GET", "/x");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error(), (Error{ErrorCode::Conflict, "it exists", "choose another"}));
  EXPECT_EQ(session_.fail(reply.error()), kConflict);
  EXPECT_EQ(err_.str(), "slipway: it exists\nhelp: choose another\n");
}

TEST_F(SessionTest, TakesTheStatusWhereThereIsNoCode) {
  serve([](const http::Request&) { return http::Response{403, "text/html", "<html>", {}}; });
  const auto reply = session_.call("GET", "/x");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::Forbidden);
}

TEST(ExitCodes, CoverEveryErrorCode) {
  for (const auto& row : kErrorCodes.rows()) {
    const int code = exit_code_of(row.value);
    EXPECT_TRUE(std::any_of(kExitCodes.begin(), kExitCodes.end(), [&](const ExitCode& known) {
      return known.number == code;
    })) << row.text;
    EXPECT_NE(code, kOk);
  }
}

TEST(Home, FollowsFlagThenEnvironmentThenUser) {
  std::ostringstream out, err;
  Session session(out, err, {{"HOME", "/u"}});
  EXPECT_EQ(session.home(), "/u/.local/state/slipway");
  session.env["XDG_STATE_HOME"] = "/state";
  EXPECT_EQ(session.home(), "/state/slipway");
  session.env["SLIPWAY_HOME"] = "/h";
  EXPECT_EQ(session.home(), "/h");
  session.globals.home = "/flag/../f";
  EXPECT_EQ(session.home(), "/f");
}

}  // namespace
}  // namespace slipway::cli
