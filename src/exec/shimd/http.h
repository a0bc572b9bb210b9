// One HTTP/1.0 request to a server on this machine: for health and smoke checks. 1.0, so that no reply is chunked.
#pragma once

#include <cstddef>
#include <cstdint>

namespace slipway::exec::shim {

struct HttpReply {
  int status = 0;         // 0: no reply; `text` says why
  char text[16384] = "";  // the body's beginning, NUL terminated
};

// Gives up at `deadline_ms` (boot clock), or as soon as `interrupt` or `interrupt2` becomes readable (status 0).
void exchange(int port, const char* method, const char* path, const char* body, std::int64_t deadline_ms, int interrupt,
              int interrupt2, HttpReply& reply);

// A non-blocking connection on its way to 127.0.0.1:port, or -1.
[[nodiscard]] int connect_to(int port);

}  // namespace slipway::exec::shim
