#include "support/scripted_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "slipway/base/assert.h"

namespace slipway::test {
namespace {

std::string head(int status, const Peer::Headers& headers) {
  std::string out = "HTTP/1.1 " + std::to_string(status) + " Scripted\r\n";
  for (const auto& [name, value] : headers) out += name + ": " + value + "\r\n";
  return out;
}

std::string hex(std::size_t number) {
  char text[20];
  std::snprintf(text, sizeof text, "%zx", number);
  return text;
}

// Everything up to the end of the request, or false if the client went.
bool read_request(int socket, std::string& buffer, std::string& head_text, std::string& body) {
  char bytes[16384];
  std::size_t length = 0;
  std::size_t head_end = std::string::npos;
  while (true) {
    if (head_end == std::string::npos && (head_end = buffer.find("\r\n\r\n")) != std::string::npos) {
      head_text = buffer.substr(0, head_end);
      std::string lower = head_text;
      std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
      const auto at = lower.find("\r\ncontent-length: ");
      length = at == std::string::npos ? 0 : std::strtoul(lower.c_str() + at + 18, nullptr, 10);
    }
    if (head_end != std::string::npos && buffer.size() >= head_end + 4 + length) {
      body = buffer.substr(head_end + 4, length);
      buffer.erase(0, head_end + 4 + length);
      return true;
    }
    const ssize_t got = ::recv(socket, bytes, sizeof bytes, 0);
    if (got <= 0) return false;
    buffer.append(bytes, static_cast<std::size_t>(got));
  }
}

http::Request parse(const std::string& head_text, std::string body) {
  http::Request request;
  const auto line = head_text.substr(0, head_text.find("\r\n"));
  const auto space = line.find(' ');
  request.method = line.substr(0, space);
  std::string target = line.substr(space + 1, line.rfind(' ') - space - 1);
  const auto mark = target.find('?');
  request.path = http::percent_decode(target.substr(0, mark));
  std::string query = mark == std::string::npos ? "" : target.substr(mark + 1);
  while (!query.empty()) {
    const auto pair = query.substr(0, query.find('&'));
    query.erase(0, pair.size() + 1);
    const auto equals = pair.find('=');
    request.query[http::percent_decode(pair.substr(0, equals))] = http::percent_decode(pair.substr(equals + 1));
  }
  for (std::size_t at = line.size(); at < head_text.size();) {
    at += 2;
    const auto end = std::min(head_text.find("\r\n", at), head_text.size());
    const auto colon = head_text.find(": ", at);
    auto& value = request.headers[head_text.substr(at, colon - at)];
    value += (value.empty() ? "" : ",") + head_text.substr(colon + 2, end - colon - 2);
    at = end;
  }
  request.body = std::move(body);
  return request;
}

}  // namespace

void Peer::raw(std::string_view bytes) {
  while (open() && !bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return close();
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void Peer::reply(int status, std::string_view body, const Headers& headers) {
  raw(head(status, headers) + "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
      "\r\n\r\n" + std::string(body));
}

void Peer::begin(int status, const Headers& headers) {
  raw(head(status, headers) + "Transfer-Encoding: chunked\r\n\r\n");
}
void Peer::chunk(std::string_view bytes) { raw(hex(bytes.size()) + "\r\n" + std::string(bytes) + "\r\n"); }
void Peer::end() { raw("0\r\n\r\n"); }

void Peer::close() {
  if (open()) ::shutdown(socket_, SHUT_RDWR);
  socket_ = -1;
}

void Peer::reset() {
  const linger now{1, 0};
  if (open()) ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  socket_ = -1;
}

void Peer::hold() {
  char byte = 0;
  while (open() && ::recv(socket_, &byte, 1, 0) > 0) {
  }
  socket_ = -1;
}

ScriptedServer::ScriptedServer(Script script) : script_(std::move(script)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  SLIPWAY_ASSERT(::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) == 0);
  SLIPWAY_ASSERT(::listen(listener_, 64) == 0);
  SLIPWAY_ASSERT(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

ScriptedServer::~ScriptedServer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
  }
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  for (std::thread& thread : threads_) thread.join();
  ::close(listener_);
}

std::vector<http::Request> ScriptedServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

bool ScriptedServer::wait_for_requests(std::size_t count) const {
  std::unique_lock lock(mutex_);
  return arrived_.wait_for(lock, std::chrono::seconds(20), [&] { return requests_.size() >= count; });
}

void ScriptedServer::accept_all() {
  while (true) {
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const std::lock_guard lock(mutex_);
    if (socket < 0 || stopping_) {
      if (socket >= 0) ::close(socket);
      return;
    }
    ++connections_;
    sockets_.push_back(socket);
    threads_.emplace_back([this, socket] { serve(socket); });
  }
}

void ScriptedServer::serve(int socket) {
  std::string buffer;
  std::string head_text;
  std::string body;
  while (read_request(socket, buffer, head_text, body)) {
    const http::Request request = parse(head_text, body);
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
      arrived_.notify_all();
    }
    Peer peer(socket);
    script_(request, peer);
    if (!peer.open()) break;
  }
  const std::lock_guard lock(mutex_);
  sockets_.remove(socket);
  ::close(socket);
}

}  // namespace slipway::test
