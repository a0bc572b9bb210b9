// An HTTP/1.1 server whose every byte a test decides: chunks cut anywhere, replies that never come, connections that
// break. One thread for each connection, so a script is written as it happens.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "slipway/http/message.h"

namespace slipway::test {

// The client's side of one connection, while its request is answered.
class Peer {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  explicit Peer(int socket) : socket_(socket) {}

  void raw(std::string_view bytes);
  void reply(int status, std::string_view body, const Headers& headers = {});
  // The head of a reply in chunks, then its chunks, then its end.
  void begin(int status, const Headers& headers = {});
  void chunk(std::string_view bytes);
  void end();
  void close();  // a clean end of the connection, whatever was promised
  void reset();  // RST
  // Returns when the client has closed its side or the server ends.
  void hold();

  [[nodiscard]] bool open() const { return socket_ >= 0; }

 private:
  int socket_;
};

class ScriptedServer {
 public:
  using Script = std::function<void(const http::Request&, Peer&)>;

  explicit ScriptedServer(Script script);
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] int port() const { return port_; }
  // All requests so far, in the order in which they came.
  [[nodiscard]] std::vector<http::Request> requests() const;
  // Waits until there were so many; false after 20 s.
  bool wait_for_requests(std::size_t count) const;
  [[nodiscard]] int connections() const { return connections_; }

 private:
  void accept_all();
  void serve(int socket);

  Script script_;
  int listener_ = -1;
  int port_ = 0;
  mutable std::mutex mutex_;
  mutable std::condition_variable arrived_;
  std::vector<http::Request> requests_;
  std::list<std::thread> threads_;
  std::list<int> sockets_;
  bool stopping_ = false;
  std::atomic<int> connections_{0};
  std::thread acceptor_;
};

}  // namespace slipway::test
