// An HTTP/1.1 server. One I/O thread accepts, reads and writes; handlers run on a small pool of workers and may block
// shortly.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "slipway/base/log.h"
#include "slipway/base/result.h"
#include "slipway/base/time.h"
#include "slipway/http/message.h"

namespace slipway::http {

// Called on a worker thread, for several requests at a time. An exception becomes status 500. A reply that takes its
// time is a LaterReply (later_reply.h), and occupies no worker.
using Handler = std::function<Response(const Request&)>;

struct ServerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;  // 0 = any free one
  int workers = 4;
  std::size_t body_bytes_max = 1U << 20U;            // larger: 413
  std::uint32_t header_bytes_max = 16U << 10U;       // larger: 431
  int connections_max = 512;                         // more are closed at once
  int queue_max = 256;                               // requests waiting for a worker; more: 503 with Retry-After
  Duration idle_timeout = std::chrono::seconds(60);  // for a whole request or reply, and between requests
  // The server's own refusals (413, 431, 503, …); empty: problem documents (RFC 9457).
  std::function<Response(int status, std::string_view title, std::string_view detail)> problem = {};
};

class Server {
 public:
  // Binds and starts its threads. The error names the address, and the port's owner is not us: Conflict if the port is
  // taken.
  [[nodiscard]] static Result<std::unique_ptr<Server>> start(ServerOptions options, Handler handler, Logger log);
  // Closes connections at once, waits for running handlers.
  ~Server();

  [[nodiscard]] std::uint16_t port() const;
  // No new connections or requests; returns when replies in work were sent or `limit` has passed.
  void drain(Duration limit);

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway::http
