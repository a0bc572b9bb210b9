// The way out for mail: one message over SMTP. An interface, so that its users are tested without a server.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "slipway/base/result.h"
#include "slipway/base/secret.h"
#include "slipway/base/time.h"

namespace slipway::http {

struct Mail {
  std::string url;       // smtp://host:587 (STARTTLS where the server offers it) or smtps://host
  std::string username;  // empty: no login
  Secret password;
  std::string from;             // bare address
  std::vector<std::string> to;  // bare addresses
  std::string subject;          // UTF-8; line breaks become spaces
  std::string text;             // UTF-8
  std::string message_id;       // without angle brackets; the same for a repetition
  Instant date;
  Duration timeout = std::chrono::seconds(30);
};

// Thread-safe.
class Mailer {
 public:
  virtual ~Mailer() = default;
  // Errors: Unavailable (no connection or refused for now), TimedOut, InvalidArgument (address, refused for good),
  // Unauthorized (login, certificate).
  [[nodiscard]] virtual Result<void> send(const Mail& mail) = 0;
};

// libcurl, certificates verified. A login is never sent without TLS.
[[nodiscard]] std::unique_ptr<Mailer> make_curl_mailer();

// The message as it goes over the wire: headers and text with CRLF, non-ASCII as RFC 2047 words and base64.
[[nodiscard]] std::string format_mail(const Mail& mail);

}  // namespace slipway::http
