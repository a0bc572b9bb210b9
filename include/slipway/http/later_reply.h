// A reply that comes after its handler has returned: whole, or begun and then written piece by piece (server-sent
// events, long results). The handler puts it into Response::later and keeps a reference; no worker waits for it.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "slipway/http/message.h"

namespace slipway::http {

// Thread-safe. First comes send() or begin(), once; what comes after the end is ignored.
class LaterReply {
 public:
  // More unsent bytes than this mean that the client does not read: the connection is cut.
  explicit LaterReply(std::size_t unsent_bytes_max = 4U << 20U) : unsent_bytes_max_(unsent_bytes_max) {}
  LaterReply(const LaterReply&) = delete;
  LaterReply& operator=(const LaterReply&) = delete;

  void send(Response whole);
  // The head of a reply of unknown length (chunked); its body is the first piece.
  void begin(Response head);
  // Sends as soon as what came before is out. false: nobody will read it (the client has gone or is too slow, or the
  // server stops).
  bool write(std::string_view bytes);
  void end();

  // `gone` is called once if the connection ends before the reply did; at once if it already has. On the server's I/O
  // thread, on the caller's, or on the one that destroys the server; it must not block.
  void on_gone(std::function<void()> gone);

  // For the server.
  struct Taken {
    std::optional<Response> whole;  // then nothing else
    std::optional<Response> head;
    std::string bytes;
    bool ended = false;
    bool cut = false;  // too much was unsent
  };
  // `wake` is called, under this reply's lock, whenever there is something to take.
  void attach(std::function<void()> wake);
  [[nodiscard]] Taken take();
  // The connection is over; `wake` is not called any more.
  void lose();

 private:
  const std::size_t unsent_bytes_max_;
  std::mutex mutex_;
  Taken next_;
  bool over_ = false;  // ended or lost: nothing is accepted
  bool lost_ = false;
  std::function<void()> wake_;
  std::function<void()> gone_;
};

}  // namespace slipway::http
