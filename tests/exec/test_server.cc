// A small HTTP server for service tests: test_server VERSION MODE, port in $PORT.
//
//   GET /health   200 in mode `ok`, 503 in mode `sick`; mode `wait`: 200 once the file `go` is in the workdir
//   GET /crash    ends the process with code 3, no reply
//   GET /big/N    N bytes
//   else          200, "<version> <body>"
//
// Mode `broken` prints two lines and ends with code 9.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

namespace {

bool send_all(int fd, const std::string& bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t sent = send(fd, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    done += static_cast<std::size_t>(sent);
  }
  return true;
}

std::string receive_request(int fd) {
  std::string request;
  char buffer[65536];
  while (true) {
    const auto head_end = request.find("\r\n\r\n");
    if (head_end != std::string::npos) {
      const auto length = request.find("Content-Length: ");
      const std::size_t body =
          length == std::string::npos ? 0 : std::strtoul(request.c_str() + length + 16, nullptr, 10);
      if (request.size() >= head_end + 4 + body) return request;
    }
    const ssize_t got = recv(fd, buffer, sizeof buffer, 0);
    if (got <= 0) return request;
    request.append(buffer, static_cast<std::size_t>(got));
  }
}

void answer(int fd, const std::string& version, const std::string& mode) {
  const std::string request = receive_request(fd);
  const std::string path =
      request.substr(request.find(' ') + 1, request.find(' ', request.find(' ') + 1) - request.find(' ') - 1);
  const auto head_end = request.find("\r\n\r\n");
  std::string status = "200 OK";
  std::string body = version + " " + (head_end == std::string::npos ? "" : request.substr(head_end + 4));
  if (path == "/crash") _exit(3);
  if (path == "/health" && (mode == "sick" || (mode == "wait" && access("go", F_OK) != 0))) {
    status = "503 Service Unavailable";
    body = "not yet";
  }
  if (path.rfind("/big/", 0) == 0) body.assign(std::strtoul(path.c_str() + 5, nullptr, 10), 'b');
  send_all(fd, "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  shutdown(fd, SHUT_WR);
  char rest[64];
  while (recv(fd, rest, sizeof rest, 0) > 0) {
  }
  close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 || std::getenv("PORT") == nullptr) return 2;
  const std::string version = argv[1];
  const std::string mode = argv[2];
  std::printf("version %s starts\n", version.c_str());
  std::fflush(stdout);
  if (mode == "broken") {
    std::fprintf(stderr, "cannot load the model\n");
    return 9;
  }
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  const int yes = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<unsigned short>(std::atoi(std::getenv("PORT"))));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(listener, 64) != 0) return 4;
  while (true) {
    const int fd = accept(listener, nullptr, nullptr);
    if (fd >= 0) std::thread(answer, fd, version, mode).detach();
  }
}
