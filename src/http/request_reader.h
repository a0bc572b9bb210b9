// From bytes to a Request: what the server does with what it receives, without a socket, so that it is fuzzed too.
#pragma once

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>

#include "slipway/http/server.h"

namespace slipway::http {

using RequestParser = boost::beast::http::request_parser<boost::beast::http::string_body>;

void set_limits(RequestParser& parser, const ServerOptions& options);

// What a request that cannot be read is answered with; nullopt: nothing, the connection is closed.
[[nodiscard]] std::optional<Response> refusal(const boost::system::error_code& error, const ServerOptions& options);

// HEAD becomes GET. Without `peer`. The refusal says why there is none: the target is no path, or the head is larger
// than `header_bytes_max` after all, which the parser does not see where it comes in one piece.
struct ReadRequest {
  std::optional<Request> request;
  std::optional<Response> refusal;
};
[[nodiscard]] ReadRequest to_request(RequestParser::value_type message, const ServerOptions& options);

// A refusal of the server itself, in the shape that the options want.
[[nodiscard]] Response problem(const ServerOptions& options, int status, std::string_view title,
                               std::string_view detail);

}  // namespace slipway::http
