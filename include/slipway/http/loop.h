// Many requests at once on one I/O thread: streamed replies, timers, shared HTTP/2 connections. For clients that keep
// hundreds of requests open; who sends one and waits takes a Transport.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "slipway/base/result.h"
#include "slipway/base/secret.h"
#include "slipway/base/time.h"
#include "slipway/http/transport.h"

namespace slipway::http {

// Whom to trust and who we are. Texts in PEM, so that nothing has to be written to a file.
struct Tls {
  std::string ca_pem;           // empty: the system's roots
  std::string certificate_pem;  // ours, with its chain; empty: none
  Secret key_pem;
  bool verify = true;  // false: any certificate of any name
};

struct StreamCall {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;  // a name may repeat
  std::string body;
  std::shared_ptr<const Tls> tls;  // null: the system's roots, no certificate of ours
  std::string connect_to;          // "host:port" to connect to instead of the URL's, whose name is then only verified
  std::string proxy;     // "http://…", "https://…", "socks5://…"; empty: none, whatever the environment says
  std::string no_proxy;  // names and networks that are reached without it, separated by commas
  bool own_connection = false;  // HTTP/1.1 on a connection nobody shares, so that a stall takes nothing along
  bool compressed = false;      // offers gzip
  Duration connect_timeout = std::chrono::seconds(30);
  Duration timeout = std::chrono::seconds(60);  // of the whole request; 0: none
  Duration stall_timeout{};  // the reply's bytes may pause so long, in whole seconds; 0: as long as they like
  std::size_t reply_bytes_max = 64U << 20U;  // of a collected body
  int buffer_bytes = 16 << 10;               // of the reader
};

enum class Flow : unsigned char { Go, Pause, Stop };

// How a request ended. Any status is a Reply; its body is empty if `on_data` took it.
struct StreamEnd {
  Result<Reply> reply;
  bool sent = true;  // false: the server has surely not seen the request
};

// All are called on the loop's thread and may call the loop; none may block.
struct StreamHandlers {
  std::function<void(int status, const Headers&)> on_head;  // may be empty
  // Pause: the same bytes come again after resume(). Stop: the request ends with Cancelled. Empty, or for a status that
  // is not 2xx: the body is collected for `on_end`.
  std::function<Flow(std::string_view bytes)> on_data;
  std::function<void(StreamEnd)> on_end;  // once, unless cancelled
};

using StreamId = std::uint64_t;  // 0 is none
using TimerId = std::uint64_t;

// Thread-safe. Work handed over by one thread is taken up in its order.
class Loop {
 public:
  // Ends the thread; what is open is dropped, no function is called any more. Not to be called on the loop's thread.
  virtual ~Loop() = default;

  virtual StreamId send(StreamCall call, StreamHandlers handlers) = 0;
  // Nothing is called any more for `id` once this was called on the loop's thread, or once a later post() runs.
  virtual void cancel(StreamId id) = 0;
  virtual void resume(StreamId id) = 0;

  virtual void post(std::function<void()> work) = 0;
  virtual TimerId after(Duration delay, std::function<void()> work) = 0;
  virtual void cancel_timer(TimerId id) = 0;
};

// libcurl, http and https only, no redirects. `clock` must outlive it.
[[nodiscard]] std::unique_ptr<Loop> make_curl_loop(const Clock& clock);

}  // namespace slipway::http
