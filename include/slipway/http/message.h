// Requests and replies as values, for the server and the client alike.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace slipway::http {

// Names compare without regard to case, as HTTP says.
struct LessIgnoringCase {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const;
};
using Headers = std::map<std::string, std::string, LessIgnoringCase>;

struct Request {
  std::string method;                                     // "GET"
  std::string path;                                       // percent-decoded, without the query; begins with /
  std::map<std::string, std::string, std::less<>> query;  // percent-decoded; the last of a repeated name
  Headers headers;
  std::string body;
  std::string peer;  // "127.0.0.1:53012"

  [[nodiscard]] std::string header(std::string_view name) const;  // empty if absent
};

class LaterReply;

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  // further ones
  std::shared_ptr<LaterReply> later = {};                    // if given, it is the reply and all above is ignored
};

// "%41+b" -> "A+b"; an invalid escape stays as it is.
[[nodiscard]] std::string percent_decode(std::string_view text);
// Everything but unreserved characters is escaped.
[[nodiscard]] std::string percent_encode(std::string_view text);

}  // namespace slipway::http
