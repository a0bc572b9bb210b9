// slipway-shimd HOME IDLE_MS BUILD
//
// Takes launch requests from the daemon and forks one shim for each; outlives the daemon. One per home. Ends when it
// has had neither a shim nor a client for IDLE_MS, or when a newer daemon retires it; shims do not need it.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec/shim_protocol.h"
#include "exec/shimd/attempt.h"
#include "exec/shimd/process.h"
#include "exec/shimd/request.h"
#include "exec/shimd/system.h"

namespace slipway::exec::shim {
namespace {

constexpr int kClientsMax = 8;
constexpr std::int64_t kOomKillsMs = 1000;

struct Client {
  int fd = -1;
  char* body = nullptr;  // of the request being received
  std::size_t expected = 0;
  std::size_t used = 0;
};

struct Server {
  int listener = -1;
  int signals = -1;
  int lock = -1;
  int idle_ms = 0;
  std::uint64_t build = 0;
  int shims = 0;
  long long oom_kills = -1;
  std::int64_t oom_kills_ms = -kOomKillsMs;  // when that was read
  Client clients[kClientsMax];
  char packet[kPacketBytesMax];
};

void drop(Client& client) {
  if (client.body != nullptr) explicit_bzero(client.body, client.used);
  free(client.body);
  if (client.fd >= 0) close(client.fd);
  client = Client{};
}

int count_clients(const Server& server) {
  int count = 0;
  for (const Client& client : server.clients) count += client.fd >= 0 ? 1 : 0;
  return count;
}

// The home is 0700 and the socket 0600; asking the kernel who called costs nothing.
bool is_owner(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == geteuid() || peer.uid == 0);
}

void accept_client(Server& server) {
  const int fd = accept4(server.listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd < 0) return;
  for (Client& client : server.clients)
    if (client.fd < 0 && is_owner(fd)) {
      client.fd = fd;
      return;
    }
  close(fd);
}

// In the child: only the connection that asked stays open.
[[noreturn]] void become_shim(Server& server, const Request& request, int connection) {
  close(server.listener);
  close(server.signals);
  close(server.lock);
  for (const Client& client : server.clients)
    if (client.fd >= 0 && client.fd != connection) close(client.fd);
  run_attempt(request, connection);
}

// Reading the kernel's counters costs as much as a fork, so one reading serves all launches of a second.
long long oom_kills(Server& server) {
  const std::int64_t now = boot_ms();
  if (now - server.oom_kills_ms < kOomKillsMs) return server.oom_kills;
  server.oom_kills_ms = now;
  return server.oom_kills = shim::oom_kills();
}

void launch(Server& server, Client& client) {
  Request request;
  const bool parsed = parse_request(client.body, client.used, request);
  client.body = nullptr;
  client.used = client.expected = 0;
  if (!parsed) {
    wipe(request);
    note("a malformed request was refused");
    drop(client);
    return;
  }
  request.oom_kills = oom_kills(server);
  const pid_t pid = fork();
  if (pid == 0) become_shim(server, request, client.fd);
  if (pid > 0) ++server.shims;
  const Reply failed{Kind::Failed, kProtocolVersion, {}, getpid(), 0, 0, 0};
  if (pid < 0) send_reply(client.fd, failed, request.folder, strerror(errno), MSG_DONTWAIT);
  wipe(request);
}

void begin_request(Client& client, const Head& head) {
  if (head.version != kProtocolVersion || head.body_bytes == 0 || head.body_bytes > kRequestBytesMax)
    return drop(client);
  client.body = static_cast<char*>(malloc(head.body_bytes));
  client.expected = client.body == nullptr ? 0 : head.body_bytes;
  client.used = 0;
  if (client.body == nullptr) drop(client);
}

void greet(const Server& server, const Client& client) {
  const Reply hello{Kind::Hello, kProtocolVersion, {}, getpid(), start_ticks(getpid()), 0, server.build};
  send(client.fd, &hello, sizeof hello, MSG_NOSIGNAL | MSG_DONTWAIT);
}

[[noreturn]] void end(const char* why) {
  note(why);
  unlink(kSocketName);
  _exit(0);
}

// The packet's copy is wiped before anything is forked from it.
void append(Server& server, Client& client, char* bytes, std::size_t size) {
  if (size > client.expected - client.used) return drop(client);
  memcpy(client.body + client.used, bytes, size);
  explicit_bzero(bytes, size);
  client.used += size;
  if (client.used == client.expected) launch(server, client);
}

void take_packet(Server& server, Client& client) {
  const ssize_t got = recv(client.fd, server.packet, sizeof server.packet, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return drop(client);
  const auto size = static_cast<std::size_t>(got);
  if (client.expected > 0) return append(server, client, server.packet, size);
  Head head{};
  memcpy(&head, server.packet, size < sizeof head ? size : sizeof head);
  if (head.kind == Kind::Hello) return greet(server, client);
  if (head.kind == Kind::Retire) end("retired by a newer daemon");
  if (head.kind != Kind::Launch || size < sizeof head) return drop(client);
  begin_request(client, head);
  if (client.fd >= 0 && size > sizeof head) append(server, client, server.packet + sizeof head, size - sizeof head);
}

void take_signals(Server& server) {
  while (const int signal = next_signal(server.signals))
    if (signal == kStopSignal) end("asked to end");
  while (waitpid(-1, nullptr, WNOHANG) > 0) --server.shims;
}

[[noreturn]] void serve(Server& server) {
  while (true) {
    pollfd fds[2 + kClientsMax] = {{server.signals, POLLIN, 0}, {server.listener, POLLIN, 0}};
    for (int i = 0; i < kClientsMax; ++i) fds[2 + i] = {server.clients[i].fd, POLLIN, 0};
    const bool idle = server.shims == 0 && count_clients(server) == 0;
    const int ready = poll(fds, 2 + kClientsMax, idle ? server.idle_ms : -1);
    if (ready == 0) end("idle");
    if (ready < 0) continue;
    if (fds[0].revents != 0) take_signals(server);
    for (int i = 0; i < kClientsMax; ++i)
      if (fds[2 + i].revents != 0) take_packet(server, server.clients[i]);
    if (fds[1].revents != 0) accept_client(server);
  }
}

// The socket lives in the working folder: a path of any length fits.
bool open_socket(Server& server) {
  server.lock = open(kLockName, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (server.lock < 0 || !try_lock(server.lock)) return false;
  server.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strcpy(address.sun_path, kSocketName);
  unlink(kSocketName);
  const mode_t before = umask(0177);
  const bool bound = bind(server.listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  umask(before);
  return bound && listen(server.listener, kClientsMax) == 0;
}

// The parent that the daemon waits for ends once the socket listens (0) or cannot (1).
void detach() {
  int ready[2];
  if (pipe2(ready, O_CLOEXEC) != 0) _exit(1);
  setsid();
  const pid_t pid = fork();
  if (pid < 0) _exit(1);
  if (pid == 0) {
    dup2(ready[1], STDOUT_FILENO);
    close(ready[0]);
    close(ready[1]);
    return;
  }
  close(ready[1]);
  char byte = 0;
  _exit(read(ready[0], &byte, 1) == 1 ? 0 : 1);
}

void report_ready() {
  write_all(STDOUT_FILENO, "1", 1);
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  dup2(null, STDOUT_FILENO);
  close(null);
}

int run(const char* home, int idle_ms, std::uint64_t build) {
  close_range(STDERR_FILENO + 1, ~0U, 0);
  if (chdir(home) != 0) return 1;
  const int log = open(kLogName, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log < 0) return 1;
  dup2(log, STDERR_FILENO);
  close(log);
  detach();
  prctl(PR_SET_NAME, "slipway-shimd");
  Server server;
  server.idle_ms = idle_ms;
  server.build = build;
  server.signals = open_signals();
  if (!open_socket(server)) return 1;
  report_ready();
  note("listening");
  serve(server);
}

}  // namespace
}  // namespace slipway::exec::shim

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  return slipway::exec::shim::run(argv[1], atoi(argv[2]), strtoull(argv[3], nullptr, 10));
}
