// Who may ask, from where, and with what.
#include "api/api_fixture.h"

namespace slipway::api {
namespace {

using ::testing::HasSubstr;

// A path that matches the pattern.
std::string example(std::string_view pattern) {
  std::string path(pattern);
  for (auto open = path.find('{'); open != std::string::npos; open = path.find('{'))
    path.replace(open, path.find('}') - open + 1, "x");
  return path;
}

class RouteTest : public ApiTest, public ::testing::WithParamInterface<Route> {
 protected:
  int status(const std::optional<std::string>& token) {
    auto asked = request(std::string(GetParam().method), example(GetParam().pattern));
    asked.headers.erase("Authorization");
    if (token) asked.headers["Authorization"] = *token;
    return handler(asked).status;
  }
};

TEST_P(RouteTest, IsClosedToTheAnonymous) {
  const std::string admin = tokens.at(vault::Role::Admin);
  EXPECT_EQ(status(std::nullopt), GetParam().role ? 401 : 200);
  for (const std::string& token : {std::string("Bearer junk"), std::string("Bearer slw_00000000_junk"),
                                   "Basic " + admin, admin, "Bearer  " + admin, std::string("Bearer "), std::string()})
    EXPECT_EQ(status(token), GetParam().role ? 401 : 200) << token;
  EXPECT_TRUE(control.commands.empty());
}

TEST_P(RouteTest, IsOpenFromItsRoleOn) {
  for (const auto& [role, token] : tokens) {
    const bool open = !GetParam().role || role >= *GetParam().role;
    EXPECT_EQ(status("Bearer " + token) == 403, !open) << vault::kRoles.text(role);
    EXPECT_NE(status("Bearer " + token), 401);
  }
}

TEST_P(RouteTest, RefusesWhatItDoesNotKnow) {
  EXPECT_THAT(refused(std::string(GetParam().method), example(GetParam().pattern) + "?colour=red"),
              HasSubstr("400 `colour` is no query parameter of this route"));
  const auto body = send(std::string(GetParam().method), example(GetParam().pattern), R"({"colour": "red"})");
  EXPECT_EQ(body.status, 400) << body.body;
  EXPECT_TRUE(control.commands.empty());
}

INSTANTIATE_TEST_SUITE_P(All, RouteTest, ::testing::ValuesIn(routes().begin(), routes().end()), [](const auto& row) {
  std::string name(row.param.method);
  for (const char c : row.param.pattern) name += std::isalnum(c) != 0 ? c : '_';
  return name;
});

using GateTest = ApiTest;

TEST_F(GateTest, OnlyHealthIsPublic) {
  std::vector<std::string> open;
  for (const Route& route : routes())
    if (!route.role) open.emplace_back(route.pattern);
  EXPECT_THAT(open, ::testing::ElementsAre("/health"));
}

TEST_F(GateTest, TellsTheAnonymousNotWhichRoutesExist) {
  auto asked = request("GET", "/nothing");
  asked.headers.erase("Authorization");
  EXPECT_EQ(handler(asked).status, 401);
  EXPECT_EQ(refused("GET", "/nothing"), "404 there is no such route");
  asked = request("GET", "/");
  asked.path = "/other";
  EXPECT_EQ(handler(asked).status, 404);
  asked.path = "/api/v1x/dags";
  EXPECT_EQ(handler(asked).status, 404);
}

TEST_F(GateTest, AnswersToItsOwnNamesOnly) {
  for (const char* host : {"localhost", "localhost:1", "127.0.0.1:8080", "[::1]:8080", "[::1]"}) {
    auto asked = request("GET", "/dags");
    asked.headers["Host"] = host;
    EXPECT_EQ(handler(asked).status, 200) << host;
  }
  for (const char* host :
       {"", "evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1:8080"}) {
    auto asked = request("GET", "/health");
    asked.headers["Host"] = host;
    EXPECT_THAT(refused(handler(asked)), HasSubstr("403 host `" + std::string(host) + "`")) << host;
  }
}

TEST_F(GateTest, RefusesPagesOfOtherSites) {
  for (const char* origin : {"http://localhost:8080", "https://localhost:8080"}) {
    auto asked = request("GET", "/dags");
    asked.headers["Origin"] = origin;
    EXPECT_EQ(handler(asked).status, 200) << origin;
  }
  for (const char* origin : {"http://evil.example", "null", "http://localhost:9090", "http://localhost"}) {
    auto asked = request("POST", "/dags/nightly/runs");
    asked.headers["Origin"] = origin;
    EXPECT_EQ(handler(asked).status, 403) << origin;
  }
  auto asked = request("POST", "/dags/nightly/runs");
  asked.headers["Sec-Fetch-Site"] = "cross-site";
  EXPECT_EQ(handler(asked).status, 403);
  EXPECT_TRUE(control.commands.empty());
}

TEST_F(GateTest, NamesTheMethodsOfAPath) {
  const auto response = send("PATCH", "/vars/A");
  EXPECT_EQ(refused(response), "405 PATCH is no method of /vars/A");
  EXPECT_THAT(response.headers, ::testing::Contains(std::pair<std::string, std::string>("Allow", "GET, PUT, DELETE")));
}

TEST_F(GateTest, WantsJsonObjects) {
  EXPECT_THAT(refused("POST", "/dags/nightly/runs", "{"), HasSubstr("400 the body: "));
  EXPECT_EQ(refused("POST", "/dags/nightly/runs", "[]"), "400 the body is no JSON object");
  EXPECT_EQ(refused("PUT", "/vars/A", "{}"), "400 member `value` is missing");
  EXPECT_EQ(refused("POST", "/dags/nightly/pause"), "400 member `paused` is missing");
}

TEST_F(GateTest, RefusesATokenThatWasRevoked) {
  EXPECT_EQ(send("GET", "/dags").status, 200);
  for (const auto& [id, record] : expect_ok(store->blobs("token")))
    expect_ok(store->commit({.blobs = {{{"token", id}, std::nullopt}}}));
  const auto response = send("GET", "/dags");
  EXPECT_EQ(response.status, 401);
  EXPECT_THAT(response.headers, ::testing::Contains(std::pair<std::string, std::string>("WWW-Authenticate", "Bearer")));
}

TEST_F(GateTest, SendsWhatDidNotChangeOnce) {
  const auto first = send("GET", "/dags");
  std::string tag;
  for (const auto& [name, value] : first.headers)
    if (name == "ETag") tag = value;
  auto again = request("GET", "/dags");
  again.headers["If-None-Match"] = tag;
  EXPECT_EQ(handler(again).status, 304);
  EXPECT_EQ(handler(again).body, "");
  fill();
  EXPECT_EQ(handler(again).status, 200);
}

struct Mapping {
  ErrorCode code;
  int status;
};
class ProblemTest : public ::testing::TestWithParam<Mapping> {};

TEST_P(ProblemTest, HasItsStatus) {
  const auto response = problem({GetParam().code, "it \"broke\"", "mend it"});
  EXPECT_EQ(response.status, GetParam().status);
  const auto body = expect_ok(parse_json(response.body));
  EXPECT_EQ(body.get_string("code"), kErrorCodes.text(GetParam().code));
  EXPECT_EQ(body.get_string("detail"), "it \"broke\"");
  EXPECT_EQ(body.get_string("help"), "mend it");
}

INSTANTIATE_TEST_SUITE_P(Codes, ProblemTest,
                         ::testing::Values(Mapping{ErrorCode::InvalidArgument, 400},
                                           Mapping{ErrorCode::Unauthorized, 401}, Mapping{ErrorCode::Forbidden, 403},
                                           Mapping{ErrorCode::NotFound, 404}, Mapping{ErrorCode::Conflict, 409},
                                           Mapping{ErrorCode::TooLarge, 413}, Mapping{ErrorCode::Io, 500},
                                           Mapping{ErrorCode::Unavailable, 503}, Mapping{ErrorCode::TimedOut, 504}));

}  // namespace
}  // namespace slipway::api
