#include "http/curl_shared.h"

namespace slipway::http {

void add_header_line(std::string_view line, Headers& headers) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return;
  auto value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == '\r' || value.back() == '\n' || value.back() == ' '))
    value.remove_suffix(1);
  headers.insert_or_assign(std::string(line.substr(0, colon)), std::string(value));
}

Error curl_error(CURLcode code, const std::string& request, const char* detail, std::size_t reply_bytes_max) {
  const std::string what = request + ": " + (*detail != '\0' ? detail : curl_easy_strerror(code));
  switch (static_cast<int>(code)) {
    case CURLE_OPERATION_TIMEDOUT: return {ErrorCode::TimedOut, what, {}};
    case CURLE_WRITE_ERROR:
      return {ErrorCode::TooLarge, what + " (reply over " + std::to_string(reply_bytes_max) + " bytes)", {}};
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return {ErrorCode::InvalidArgument, what, "write http://HOST:PORT or https://HOST"};
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
      return {ErrorCode::InvalidArgument, what,
              "is it a PEM text of the right kind, and the key that of the certificate?"};
    case CURLE_PEER_FAILED_VERIFICATION:
      return {ErrorCode::Unauthorized, what, "the server's certificate is not trusted"};
  }
  return {ErrorCode::Unavailable, what, {}};
}

}  // namespace slipway::http
