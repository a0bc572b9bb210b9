#include "http/request_reader.h"

#include <gtest/gtest.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>

namespace slipway::http {
namespace {

ReadRequest read(const std::string& text, const ServerOptions& options = {}) {
  RequestParser parser;
  boost::system::error_code error;
  parser.eager(true);
  parser.put(boost::asio::buffer(text), error);
  EXPECT_FALSE(error) << error.message();
  EXPECT_TRUE(parser.is_done());
  return to_request(parser.release(), options);
}

TEST(RequestReader, SplitsTheTarget) {
  const auto request = read("GET /a%2Fb?x=1+2&y&x=%26 HTTP/1.1\r\nHost: h\r\n\r\n").request;
  ASSERT_TRUE(request);
  EXPECT_EQ(request->method, "GET");
  EXPECT_EQ(request->path, "/a/b");
  EXPECT_EQ(request->query, (std::map<std::string, std::string, std::less<>>{{"x", "&"}, {"y", ""}}));
  EXPECT_EQ(request->header("host"), "h");
}

TEST(RequestReader, RefusesATargetThatIsNoPath) {
  for (const char* target : {"*", "http://h/api", "api", "?/"}) {
    const auto request = read("GET " + std::string(target) + " HTTP/1.1\r\n\r\n");
    EXPECT_FALSE(request.request) << target;
    ASSERT_TRUE(request.refusal);
    EXPECT_EQ(request.refusal->status, 400);
    EXPECT_NE(request.refusal->body.find("the target is no path"), std::string::npos);
  }
}

TEST(RequestReader, RefusesALargeHeadThatCameInOnePiece) {
  const ServerOptions options{.header_bytes_max = 100};
  EXPECT_TRUE(read("GET / HTTP/1.1\r\nX: " + std::string(60, 'x') + "\r\n\r\n", options).request);
  for (const std::string& text : {"GET / HTTP/1.1\r\nX: " + std::string(100, 'x') + "\r\n\r\n",
                                  "GET /" + std::string(100, 'x') + " HTTP/1.1\r\n\r\n"}) {
    const auto large = read(text, options);
    ASSERT_TRUE(large.refusal);
    EXPECT_EQ(large.refusal->status, 431);
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
