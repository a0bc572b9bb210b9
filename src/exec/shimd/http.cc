#include "exec/shimd/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exec/shimd/system.h"

namespace slipway::exec::shim {
namespace {

struct Wait {
  std::int64_t deadline_ms;
  int interrupt;
  int interrupt2;
};

// 0 when `fd` is ready, else the errno that stands for the reason.
int wait_for(int fd, short events, const Wait& wait) {
  while (true) {
    const std::int64_t left = wait.deadline_ms - boot_ms();
    pollfd fds[] = {{fd, events, 0}, {wait.interrupt, POLLIN, 0}, {wait.interrupt2, POLLIN, 0}};
    const int ready = left <= 0 ? 0 : poll(fds, 3, static_cast<int>(left));
    if (ready == 0) return ETIMEDOUT;
    if (ready < 0) continue;
    if (fds[1].revents != 0 || fds[2].revents != 0) return ECANCELED;
    return 0;
  }
}

int finish_connect(int fd, const Wait& wait) {
  if (const int why = wait_for(fd, POLLOUT, wait)) return why;
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

int send_all(int fd, const char* bytes, std::size_t size, const Wait& wait) {
  while (size > 0) {
    if (const int why = wait_for(fd, POLLOUT, wait)) return why;
    const ssize_t done = send(fd, bytes, size, MSG_NOSIGNAL);
    if (done < 0 && errno != EAGAIN && errno != EINTR) return errno;
    if (done <= 0) continue;
    bytes += done;
    size -= static_cast<std::size_t>(done);
  }
  return 0;
}

// Until the server closes, or the buffer is full.
int receive(int fd, char* out, std::size_t size, std::size_t& used, const Wait& wait) {
  while (used < size - 1) {
    if (const int why = wait_for(fd, POLLIN, wait)) return why;
    const ssize_t got = recv(fd, out + used, size - 1 - used, 0);
    if (got == 0) break;
    if (got < 0 && errno != EAGAIN && errno != EINTR) return errno;
    if (got > 0) used += static_cast<std::size_t>(got);
    out[used] = '\0';
    // A server that keeps the connection open says how long its body is.
    const char* const head_end = strstr(out, "\r\n\r\n");
    const char* const length = head_end == nullptr ? nullptr : strcasestr(out, "\r\ncontent-length:");
    if (length == nullptr || length > head_end) continue;
    if (used >= static_cast<std::size_t>(head_end + 4 - out) + strtoull(length + 17, nullptr, 10)) break;
  }
  return 0;
}

int talk(int fd, const char* request, std::size_t size, HttpReply& reply, const Wait& wait) {
  char raw[sizeof reply.text + 4096];
  std::size_t used = 0;
  int why = finish_connect(fd, wait);
  if (why == 0) why = send_all(fd, request, size, wait);
  if (why == 0) why = receive(fd, raw, sizeof raw, used, wait);
  if (why != 0) return why;
  raw[used] = '\0';
  if (strncmp(raw, "HTTP/1.", 7) != 0 || used < 12) return EPROTO;
  const char* const body = strstr(raw, "\r\n\r\n");
  reply.status = atoi(raw + 9);
  Text text{reply.text, sizeof reply.text};
  if (body != nullptr) text.add(body + 4);
  return 0;
}

}  // namespace

int connect_to(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0) return -1;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno == EINPROGRESS) return fd;
  const int why = errno;
  close(fd);
  errno = why;
  return -1;
}

void exchange(int port, const char* method, const char* path, const char* body, std::int64_t deadline_ms, int interrupt,
              int interrupt2, HttpReply& reply) {
  char* request = nullptr;
  const int size = asprintf(&request,
                            "%s %s HTTP/1.0\r\nHost: 127.0.0.1:%d\r\nUser-Agent: slipway\r\nAccept: */*\r\n"
                            "Content-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                            method, path, port, strlen(body), body);
  reply.status = 0;
  reply.text[0] = '\0';
  if (size < 0) return;
  const int fd = connect_to(port);
  const int why =
      fd < 0 ? errno : talk(fd, request, static_cast<std::size_t>(size), reply, {deadline_ms, interrupt, interrupt2});
  if (why != 0) snprintf(reply.text, sizeof reply.text, "%s", strerror(why));
  if (fd >= 0) close(fd);
  free(request);
}

}  // namespace slipway::exec::shim
