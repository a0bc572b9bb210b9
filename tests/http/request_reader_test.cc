#include "http/request_reader.h"

#include <gtest/gtest.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>

namespace slipway::http {
namespace {

Result<Request> read(const std::string& text) {
  RequestParser parser;
  boost::system::error_code error;
  parser.eager(true);
  parser.put(boost::asio::buffer(text), error);
  EXPECT_FALSE(error) << error.message();
  EXPECT_TRUE(parser.is_done());
  return to_request(parser.release());
}

TEST(RequestReader, SplitsTheTarget) {
  const auto request = read("GET /a%2Fb?x=1+2&y&x=%26 HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->method, "GET");
  EXPECT_EQ(request->path, "/a/b");
  EXPECT_EQ(request->query, (std::map<std::string, std::string, std::less<>>{{"x", "&"}, {"y", ""}}));
  EXPECT_EQ(request->header("host"), "h");
}

TEST(RequestReader, RefusesATargetThatIsNoPath) {
  for (const char* target : {"*", "http://h/api", "api", "?/"}) {
    const auto request = read("GET " + std::string(target) + " HTTP/1.1\r\n\r\n");
    ASSERT_FALSE(request) << target;
    EXPECT_EQ(request.error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(request.error().message, "the target is no path");
  }
}

TEST(RequestReader, AnswersWhatItCannotRead) {
  using HttpError = boost::beast::http::error;
  const ServerOptions options{.body_bytes_max = 10};
  const auto status = [&](HttpError error) {
    const auto response = refusal(make_error_code(error), options);
    return response ? response->status : 0;
  };
  EXPECT_EQ(status(HttpError::body_limit), 413);
  EXPECT_EQ(status(HttpError::header_limit), 431);
  EXPECT_EQ(status(HttpError::bad_version), 400);
  EXPECT_EQ(status(HttpError::end_of_stream), 0);
  EXPECT_FALSE(refusal(boost::system::errc::make_error_code(boost::system::errc::connection_reset), options));
}

}  // namespace
}  // namespace slipway::http
