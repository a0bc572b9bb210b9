#include "http/request_reader.h"

#include <algorithm>
#include <boost/beast/http/error.hpp>

namespace slipway::http {
namespace {

using HttpError = boost::beast::http::error;

void read_query(std::string_view query, Request& request) {
  while (!query.empty()) {
    const auto pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const auto equals = pair.find('=');
    std::string value(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1));
    std::replace(value.begin(), value.end(), '+', ' ');
    request.query[percent_decode(pair.substr(0, equals))] = percent_decode(value);
  }
}

// As it was sent, but for spaces around values.
std::size_t head_bytes(const RequestParser::value_type& message) {
  constexpr std::size_t kAround = 4;  // ": " and the end of the line
  std::size_t bytes = message.method_string().size() + message.target().size() + sizeof(" HTTP/1.1 ");
  for (const auto& field : message) bytes += field.name_string().size() + field.value().size() + kAround;
  return bytes;
}

Response header_too_large(const ServerOptions& options) {
  return problem(options, 431, "header too large",
                 "the limit is " + std::to_string(options.header_bytes_max) + " bytes");
}

}  // namespace

void set_limits(RequestParser& parser, const ServerOptions& options) {
  parser.body_limit(options.body_bytes_max);
  parser.header_limit(options.header_bytes_max);
}

std::optional<Response> refusal(const boost::system::error_code& error, const ServerOptions& options) {
  if (error == HttpError::body_limit)
    return problem(options, 413, "body too large", "the limit is " + std::to_string(options.body_bytes_max) + " bytes");
  if (error == HttpError::header_limit) return header_too_large(options);
  if (error == HttpError::end_of_stream) return std::nullopt;
  if (error.category() == boost::beast::http::make_error_code(HttpError::bad_method).category())
    return problem(options, 400, "bad request", "not a valid HTTP request");
  return std::nullopt;
}

ReadRequest to_request(RequestParser::value_type message, const ServerOptions& options) {
  if (head_bytes(message) > options.header_bytes_max) return {std::nullopt, header_too_large(options)};
  Request request;
  const bool head = message.method() == boost::beast::http::verb::head;
  request.method = head ? "GET" : std::string(message.method_string());
  const std::string_view target = message.target();
  if (!target.starts_with('/')) return {std::nullopt, problem(options, 400, "bad request", "the target is no path")};
  const auto mark = target.find('?');
  request.path = percent_decode(target.substr(0, mark));
  if (mark != std::string_view::npos) read_query(target.substr(mark + 1), request);
  for (const auto& field : message) request.headers.emplace(field.name_string(), field.value());
  request.body = std::move(message.body());
  return {std::move(request), std::nullopt};
}

Response problem(const ServerOptions& options, int status, std::string_view title, std::string_view detail) {
  if (options.problem) return options.problem(status, title, detail);
  return {status,
          "application/problem+json",
          R"({"detail":")" + std::string(detail) + R"(","status":)" + std::to_string(status) + R"(,"title":")" +
              std::string(title) + R"("})",
          {}};
}

}  // namespace slipway::http
