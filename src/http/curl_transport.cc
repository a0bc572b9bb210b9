#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>
#include <mutex>

#include "http/curl_shared.h"
#include "slipway/http/transport.h"

namespace slipway::http {
namespace {

struct Collected {
  Reply reply;
  std::size_t bytes_max;
};

std::size_t on_body(const char* data, std::size_t size, std::size_t count, void* user) {
  auto& collected = *static_cast<Collected*>(user);
  const std::size_t bytes = size * count;
  if (collected.reply.body.size() + bytes > collected.bytes_max) return 0;
  collected.reply.body.append(data, bytes);
  return bytes;
}

std::size_t on_header(const char* data, std::size_t size, std::size_t count, void* user) {
  add_header_line({data, size * count}, static_cast<Collected*>(user)->reply.headers);
  return size * count;
}

// Where clouds keep the credentials of a machine, among others.
bool is_link_local(const curl_sockaddr& address) {
  if (address.family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address.addr);
    return (ntohl(v4.sin_addr.s_addr) & 0xffff0000U) == 0xa9fe0000U;
  }
  if (address.family != AF_INET6) return false;
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address.addr).sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) return v6.s6_addr[12] == 169 && v6.s6_addr[13] == 254;
  constexpr unsigned char kMetadata[16] = {0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54};
  return IN6_IS_ADDR_LINKLOCAL(&v6) || std::equal(std::begin(kMetadata), std::end(kMetadata), v6.s6_addr);
}

curl_socket_t open_allowed(void*, curlsocktype, curl_sockaddr* address) {
  if (is_link_local(*address)) return CURL_SOCKET_BAD;
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

void set_method(CURL* easy, const Call& call) {
  if (call.method == "GET") return;
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call.method.c_str());
  if (call.method == "HEAD") curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  if (call.body.empty() && call.method != "POST" && call.method != "PUT") return;
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call.body.data());
}

class CurlTransport final : public Transport {
 public:
  CurlTransport() { curl_global_init(CURL_GLOBAL_DEFAULT); }
  ~CurlTransport() override {
    easy_.reset();
    curl_global_cleanup();
  }

  Result<Reply> send(const Call& call) override {
    const std::lock_guard lock(mutex_);
    if (!easy_) easy_.reset(curl_easy_init());
    if (!easy_) return Error{ErrorCode::Internal, "libcurl has no handle to give", {}};
    CURL* easy = easy_.get();
    curl_easy_reset(easy);  // keeps its open connections
    Collected collected{{}, call.reply_bytes_max};
    char detail[CURL_ERROR_SIZE] = "";
    List headers;
    for (const auto& [name, value] : call.headers) append(headers, name + ": " + value);
    if (!call.body.empty()) append(headers, "Expect:");
    curl_easy_setopt(easy, CURLOPT_URL, call.url.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, call.url.rfind("https:", 0) == 0 ? "https" : "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, call.redirects_max > 0 ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, static_cast<long>(call.redirects_max));
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(call.timeout.count() / 1000));
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &collected);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, &collected);
    if (call.direct) curl_easy_setopt(easy, CURLOPT_PROXY, "");
    if (call.refuse_link_local) curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_allowed);
    set_method(easy, call);
    const CURLcode code = curl_easy_perform(easy);
    if (code != CURLE_OK) return curl_error(code, call.method + " " + call.url, detail, call.reply_bytes_max);
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    collected.reply.status = static_cast<int>(status);
    return std::move(collected.reply);
  }

 private:
  std::mutex mutex_;  // one handle, one request at a time: connections are reused
  Easy easy_;
};

}  // namespace

std::unique_ptr<Transport> make_curl_transport() { return std::make_unique<CurlTransport>(); }

}  // namespace slipway::http
