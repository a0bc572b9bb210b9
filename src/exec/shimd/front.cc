#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exec/shim_protocol.h"
#include "exec/shimd/http.h"
#include "exec/shimd/service.h"
#include "exec/shimd/system.h"

namespace slipway::exec::shim {
namespace {

constexpr int kPairsMax = 400;  // two descriptors each, below the usual limit of 1,024
constexpr char kUnavailable[] =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 35\r\nRetry-After: 1\r\n"
    "Connection: close\r\n\r\nthe service is not running just now";

// One direction of a connection.
struct Flow {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool source_ended = false;
  bool sink_told = false;
  char bytes[16U << 10U];
};

// fd[0] is the caller, fd[1] the revision; flow[i] carries what fd[i] sends.
struct Pair {
  int fd[2];
  Flow flow[2];
};

struct Front {
  int folder;
  int listener;
  int signals;
  int count = 0;
  Pair* pairs[kPairsMax];
};

void close_pair(Front& front, int index) {
  Pair* const pair = front.pairs[index];
  close(pair->fd[0]);
  if (pair->fd[1] >= 0) close(pair->fd[1]);
  free(pair);
  front.pairs[index] = front.pairs[--front.count];
}

// The caller gets an answer rather than a reset: what it sends is read and dropped until it closes.
void make_unavailable(Pair& pair) {
  if (pair.fd[1] >= 0) close(pair.fd[1]);
  pair.fd[1] = -1;
  Flow& answer = pair.flow[1];
  answer.begin = 0;
  answer.end = sizeof kUnavailable - 1;
  memcpy(answer.bytes, kUnavailable, answer.end);
  answer.source_ended = true;
  pair.flow[0].begin = pair.flow[0].end;
}

void accept_caller(Front& front) {
  const int caller = accept4(front.listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (caller < 0) return;
  auto* const pair = static_cast<Pair*>(malloc(sizeof(Pair)));
  if (pair == nullptr) {
    close(caller);
    return;
  }
  for (Flow& flow : pair->flow) {
    flow.begin = flow.end = 0;
    flow.source_ended = flow.sink_told = false;
  }
  pair->fd[0] = caller;
  pair->fd[1] = connect_to(read_live(front.folder).target_port);
  if (pair->fd[1] < 0) make_unavailable(*pair);
  front.pairs[front.count++] = pair;
}

short wanted(const Pair& pair, int side) {
  const Flow& from = pair.flow[side];
  const Flow& to = pair.flow[1 - side];
  const bool reads = !from.source_ended && from.begin == from.end;
  return static_cast<short>((reads ? POLLIN : 0) | (to.begin < to.end ? POLLOUT : 0));
}

bool is_passing(ssize_t result) { return result >= 0 || errno == EAGAIN || errno == EINTR; }

// False when the pair must be closed.
bool read_side(Pair& pair, int side) {
  Flow& flow = pair.flow[side];
  const ssize_t got = recv(pair.fd[side], flow.bytes, sizeof flow.bytes, 0);
  if (got == 0) flow.source_ended = true;
  flow.begin = 0;
  flow.end = got > 0 && pair.fd[1 - side] >= 0 ? static_cast<std::size_t>(got) : 0;
  return is_passing(got);
}

bool write_side(Pair& pair, int side) {
  Flow& flow = pair.flow[1 - side];
  const ssize_t done = send(pair.fd[side], flow.bytes + flow.begin, flow.end - flow.begin, MSG_NOSIGNAL);
  if (done > 0) flow.begin += static_cast<std::size_t>(done);
  return is_passing(done);
}

// The revision does not take the connection: it is being started again.
bool is_refused(const Pair& pair) {
  int error = 0;
  socklen_t size = sizeof error;
  return getsockopt(pair.fd[1], SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == ECONNREFUSED;
}

bool serve_side(Pair& pair, int side, short events) {
  if (side == 1 && (events & POLLERR) != 0 && is_refused(pair)) {
    make_unavailable(pair);
    return true;
  }
  const short want = wanted(pair, side);
  const bool broken = (events & (POLLHUP | POLLERR)) != 0;
  if ((want & POLLIN) != 0 && (broken || (events & POLLIN) != 0) && !read_side(pair, side)) return false;
  if ((want & POLLOUT) != 0 && (broken || (events & POLLOUT) != 0) && !write_side(pair, side)) return false;
  return true;
}

// Passes the end of each direction on; false when both have ended.
bool pass_ends(Pair& pair) {
  for (int side = 0; side < 2; ++side) {
    Flow& flow = pair.flow[side];
    if (!flow.source_ended || flow.begin < flow.end || flow.sink_told) continue;
    shutdown(pair.fd[1 - side], SHUT_WR);
    flow.sink_told = true;
  }
  return !pair.flow[0].sink_told || !pair.flow[1].sink_told;
}

bool serve_pair(Pair& pair, const pollfd* events) {
  for (int side = 0; side < 2; ++side)
    if (events[side].revents != 0 && !serve_side(pair, side, events[side].revents)) return false;
  return pass_ends(pair);
}

void step(Front& front) {
  pollfd fds[2 + 2 * kPairsMax];
  fds[0] = {front.signals, POLLIN, 0};
  fds[1] = {front.count < kPairsMax ? front.listener : -1, POLLIN, 0};
  for (int i = 0; i < front.count; ++i)
    for (int side = 0; side < 2; ++side) {
      const short want = wanted(*front.pairs[i], side);
      fds[2 + 2 * i + side] = {want == 0 ? -1 : front.pairs[i]->fd[side], want, 0};
    }
  if (poll(fds, 2 + 2 * static_cast<nfds_t>(front.count), -1) < 0) return;
  if (fds[0].revents != 0)
    while (const int signal = next_signal(front.signals))
      if (signal == kStopSignal || signal == kStopNowSignal) _exit(0);
  // Backwards, because closing moves the last pair into the gap.
  for (int i = front.count - 1; i >= 0; --i)
    if (!serve_pair(*front.pairs[i], &fds[2 + 2 * i])) close_pair(front, i);
  if (fds[1].revents != 0) accept_caller(front);
}

int number_after(const char* text, const char* key) {
  const char* const at = strstr(text, key);
  return at == nullptr ? 0 : atoi(at + strlen(key));
}

}  // namespace

Live read_live(int service_folder) {
  Live live;
  char text[2048];
  if (read_file(service_folder, "live", text, sizeof text) <= 0) return live;
  live.target_port = number_after(text, "\"target_port\":");
  live.front_port = number_after(text, "\"front_port\":");
  const char* const folder = strstr(text, "\"folder\":\"");
  if (folder != nullptr) sscanf(folder + sizeof "\"folder\":\"" - 1, "%191[^\"]", live.revision);
  return live;
}

int bind_front(int port) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int yes = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return listener;
  const int why = errno;
  close(listener);
  errno = why;
  return -1;
}

void run_front(int service_folder, int listener, int port, int ready) {
  prctl(PR_SET_NAME, "slipway-front");
  char name[24];
  snprintf(name, sizeof name, "front.%d", port);
  const int lock = openat(service_folder, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0 || !try_lock(lock) || listen(listener, 128) != 0) _exit(1);
  if (ready >= 0) close(ready);
  Front front;
  front.folder = service_folder;
  front.listener = listener;
  front.signals = open_signals();
  while (true) step(front);
}

}  // namespace slipway::exec::shim
