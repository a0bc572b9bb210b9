// The way out: one request, one reply. An interface, so that clients are tested without a network.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "slipway/base/result.h"
#include "slipway/base/time.h"
#include "slipway/http/message.h"

namespace slipway::http {

struct Call {
  std::string method = "GET";
  std::string url;
  Headers headers;
  std::string body;
  Duration timeout = std::chrono::seconds(30);
  std::size_t reply_bytes_max = 64U << 20U;
  int redirects_max = 0;           // followed at most, and never from https to http
  bool refuse_link_local = false;  // no connection to 169.254.0.0/16, fe80::/10 or fd00:ec2::254
  bool direct = false;             // by no proxy, whatever the environment says
};

struct Reply {
  int status = 0;
  Headers headers;
  std::string body;
};

// Thread-safe.
class Transport {
 public:
  virtual ~Transport() = default;
  // Any status is a Reply. Errors: Unavailable (no connection, with the address), TimedOut, TooLarge, InvalidArgument
  // (URL).
  [[nodiscard]] virtual Result<Reply> send(const Call& call) = 0;
};

// libcurl, http and https only, certificates verified.
[[nodiscard]] std::unique_ptr<Transport> make_curl_transport();

}  // namespace slipway::http
