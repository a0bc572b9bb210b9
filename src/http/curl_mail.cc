#include <curl/curl.h>

#include <algorithm>
#include <ctime>

#include "http/curl_shared.h"
#include "slipway/base/base64.h"
#include "slipway/http/mail.h"

namespace slipway::http {
namespace {

// RFC 5322 wants lines of at most 998 bytes; base64 takes any text, and no dot stands alone in it.
constexpr std::size_t kLineBytes = 76;
// Of an encoded word, RFC 2047: 75 characters with its frame of 12.
constexpr std::size_t kWordBytes = 45;

std::string one_line(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  return text;
}

bool is_ascii(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x80; });
}

// A header's text; pieces are cut between characters.
std::string header_text(const std::string& text) {
  if (is_ascii(text) && text.size() < 900) return text;
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = std::min(text.size(), at + kWordBytes);
    while (end < text.size() && end > at + 1 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) --end;
    out += (out.empty() ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?") + to_base64(text.substr(at, end - at)) + "?=";
    at = end;
  }
  return out;
}

// "Fri, 01 Nov 2024 06:30:00 +0000"
std::string mail_date(Instant at) {
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  char text[40];
  std::snprintf(text, sizeof text, "%s, %02d %s %d %02d:%02d:%02d +0000", kDays[parts.tm_wday], parts.tm_mday,
                kMonths[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
  return text;
}

struct Upload {
  std::string bytes;
  std::size_t sent = 0;
};

std::size_t on_read(char* buffer, std::size_t size, std::size_t count, void* user) {
  auto& upload = *static_cast<Upload*>(user);
  const std::size_t part = std::min(size * count, upload.bytes.size() - upload.sent);
  std::copy_n(upload.bytes.data() + upload.sent, part, buffer);
  upload.sent += part;
  return part;
}

// A reply of 5xx is for good, 4xx for now (RFC 5321).
Error mail_error(CURLcode code, long reply, const Mail& mail, const char* detail) {
  const std::string what = "mail by " + mail.url + ": " + (*detail != '\0' ? detail : curl_easy_strerror(code));
  if (code == CURLE_OPERATION_TIMEDOUT) return {ErrorCode::TimedOut, what, {}};
  if (code == CURLE_LOGIN_DENIED || code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_USE_SSL_FAILED)
    return {ErrorCode::Unauthorized, what, "check the user name, the password and the server's certificate"};
  if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
    return {ErrorCode::InvalidArgument, what, "write smtp://HOST:587 or smtps://HOST"};
  if (reply >= 500 && reply < 600) return {ErrorCode::InvalidArgument, what, "the server refuses it for good"};
  return {ErrorCode::Unavailable, what, {}};
}

class CurlMailer final : public Mailer {
 public:
  Result<void> send(const Mail& mail) override {
    const Easy easy(curl_easy_init());
    if (!easy) return Error{ErrorCode::Internal, "libcurl has no handle to give", {}};
    List to;
    for (const std::string& address : mail.to) append(to, "<" + one_line(address) + ">");
    Upload upload{format_mail(mail)};
    char detail[CURL_ERROR_SIZE] = "";
    const std::string from = "<" + one_line(mail.from) + ">";
    CURL* handle = easy.get();
    curl_easy_setopt(handle, CURLOPT_URL, mail.url.c_str());
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(handle, CURLOPT_MAIL_FROM, from.c_str());
    curl_easy_setopt(handle, CURLOPT_MAIL_RCPT, to.get());
    curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(handle, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(handle, CURLOPT_READDATA, &upload);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(mail.timeout.count() / 1000));
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(handle, CURLOPT_USE_SSL,
                     static_cast<long>(mail.username.empty() ? CURLUSESSL_TRY : CURLUSESSL_ALL));
    if (!mail.username.empty()) {
      curl_easy_setopt(handle, CURLOPT_USERNAME, mail.username.c_str());
      curl_easy_setopt(handle, CURLOPT_PASSWORD, mail.password.reveal().c_str());
    }
    const CURLcode code = curl_easy_perform(handle);
    if (code == CURLE_OK) return {};
    long reply = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &reply);
    return mail_error(code, reply, mail, detail);
  }
};

}  // namespace

std::string format_mail(const Mail& mail) {
  std::string to;
  for (const std::string& address : mail.to) to += (to.empty() ? "" : ", ") + one_line(address);
  std::string out = "Date: " + mail_date(mail.date) + "\r\nFrom: " + one_line(mail.from) + "\r\nTo: " + to +
                    "\r\nSubject: " + header_text(one_line(mail.subject)) + "\r\nMessage-ID: <" +
                    one_line(mail.message_id) +
                    ">\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; "
                    "charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n";
  const std::string body = to_base64(mail.text);
  for (std::size_t at = 0; at < body.size(); at += kLineBytes) out += body.substr(at, kLineBytes) + "\r\n";
  return out;
}

std::unique_ptr<Mailer> make_curl_mailer() { return std::make_unique<CurlMailer>(); }

}  // namespace slipway::http
