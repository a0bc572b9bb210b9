#include "slipway/http/server.h"

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <condition_variable>
#include <map>
#include <mutex>
#include <sstream>
#include <thread>

#include "http/request_reader.h"
#include "slipway/http/later_reply.h"

namespace slipway::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using SystemError = boost::system::error_code;

// Loses a reply that never reached its connection: the server stopped between the handler and the I/O thread.
class Handover {
 public:
  explicit Handover(Response response) : response_(std::move(response)) {}
  Handover(const Handover&) = delete;
  Handover& operator=(const Handover&) = delete;
  ~Handover() {
    if (response_.later) response_.later->lose();
  }
  Response take() { return std::exchange(response_, {}); }

 private:
  Response response_;
};

// What connections share with their server. Outlives every connection: each holds a reference.
struct Shared {
  Shared(ServerOptions o, Handler h, Logger l, int threads)
      : options(std::move(o)), handler(std::move(h)), log(std::move(l)), workers(static_cast<std::size_t>(threads)) {}
  Shared(const Shared&) = delete;

  const ServerOptions options;
  const Handler handler;
  const Logger log;
  std::atomic<int> connections{0};
  std::atomic<int> waiting{0};                               // requests handed to the pool and not yet answered
  std::map<const void*, std::shared_ptr<LaterReply>> later;  // open ones by connection; I/O thread only
  std::atomic<bool> draining{false};
  asio::thread_pool workers;
};

// One connection: read, hand to a worker, write, again. All members are touched on the I/O thread only, except that a
// worker runs the handler on a request nobody else touches meanwhile.
class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, std::shared_ptr<Shared> shared)
      : stream_(std::move(socket)), shared_(std::move(shared)) {
    ++shared_->connections;
    SystemError ignored;
    stream_.socket().set_option(tcp::no_delay(true), ignored);
    const auto peer = stream_.socket().remote_endpoint(ignored);
    peer_ = peer.address().to_string() + ":" + std::to_string(peer.port());
  }
  ~Connection() { --shared_->connections; }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void read() {
    parser_.emplace();
    set_limits(*parser_, shared_->options);
    expire_soon();
    beast::http::async_read(stream_, buffer_, *parser_,
                            [self = shared_from_this()](SystemError error, std::size_t) { self->on_read(error); });
  }

 private:
  void on_read(SystemError error) {
    if (!error) return handle();
    if (auto response = refusal(error, shared_->options)) return refuse(*std::move(response));
    close();
  }

  void handle() {
    auto message = parser_->release();
    keep_alive_ = message.keep_alive() && !shared_->draining;
    chunked_ = message.version() >= 11;
    head_only_ = message.method() == beast::http::verb::head;
    if (shared_->waiting >= shared_->options.queue_max) {
      auto busy = problem(shared_->options, 503, "too busy", "all workers are in use");
      busy.headers.emplace_back("Retry-After", "1");
      return write(std::move(busy));
    }
    auto read = to_request(std::move(message), shared_->options);
    if (read.refusal) return refuse(*std::move(read.refusal));
    auto request = std::make_shared<Request>(*std::move(read.request));
    request->peer = peer_;
    stream_.expires_never();  // a handler's time is its own
    ++shared_->waiting;
    asio::post(shared_->workers, [self = shared_from_this(), request] {
      auto handover = std::make_shared<Handover>(self->run_handler(*request));
      asio::post(self->stream_.get_executor(), [self, handover] {
        --self->shared_->waiting;
        self->answer(handover->take());
      });
    });
  }

  Response run_handler(const Request& request) const {
    try {
      return shared_->handler(request);
    } catch (const std::exception& problem_met) {
      shared_->log.error("handler failed", {{"path", request.path}, {"error", problem_met.what()}});
      return problem(shared_->options, 500, "internal error", "the daemon's log says more");
    }
  }

  void refuse(Response response) {
    keep_alive_ = false;
    write(std::move(response));
  }

  void answer(Response response) {
    if (!response.later) return write(std::move(response));
    later_ = shared_->later[this] = std::move(response.later);
    later_->attach([weak = weak_from_this(), executor = stream_.get_executor()] {
      asio::post(executor, [weak] {
        if (const auto self = weak.lock()) self->pump();
      });
    });
    watch();
    pump();
  }

  // A client that goes away while its reply is in the making.
  void watch() {
    auto on_readable = [self = shared_from_this(), watched = later_](SystemError error) {
      SystemError ignored;
      // Bytes are the client's next request: it is still there.
      if (self->later_ == watched && (error || self->stream_.socket().available(ignored) == 0)) self->lose();
    };
    stream_.socket().async_wait(tcp::socket::wait_read, std::move(on_readable));
  }

  // Writes what the later reply has so far.
  void pump() {
    if (!later_ || pumping_) return;
    auto taken = later_->take();
    if (taken.cut) return lose();
    if (taken.whole) {
      forget_later();
      return write(*std::move(taken.whole));
    }
    pieces_ = taken.head ? head_text(*taken.head) : std::string();
    if (!head_only_) append_pieces(taken);
    if (pieces_.empty() && !taken.ended) return;
    pumping_ = true;
    expire_soon();
    const bool ended = taken.ended || head_only_;
    asio::async_write(stream_, asio::buffer(pieces_),
                      [self = shared_from_this(), ended](SystemError error, std::size_t) {
                        self->pumping_ = false;
                        if (error) return self->lose();
                        self->stream_.expires_never();
                        if (!ended) return self->pump();
                        const auto done = self->later_;
                        self->forget_later();
                        done->lose();
                        self->after_reply();
                      });
  }

  std::string head_text(const Response& response) {
    beast::http::response<beast::http::empty_body> head = head_of<beast::http::empty_body>(response);
    if (!chunked_) keep_alive_ = false;  // HTTP/1.0: the end of the connection is the end of the body
    head.keep_alive(keep_alive_);
    head.chunked(chunked_);
    std::ostringstream text;
    text << head.base();
    return text.str();
  }

  void append_pieces(const LaterReply::Taken& taken) {
    if (!chunked_) {
      pieces_ += taken.bytes;
      return;
    }
    std::ostringstream size;
    size << std::hex << taken.bytes.size() << "\r\n";
    if (!taken.bytes.empty()) pieces_ += size.str() + taken.bytes + "\r\n";
    if (taken.ended) pieces_ += "0\r\n\r\n";
  }

  void forget_later() {
    shared_->later.erase(this);
    later_.reset();
    SystemError ignored;
    stream_.socket().cancel(ignored);  // the watch
  }

  void lose() {
    if (!later_) return close();
    const auto lost = later_;
    forget_later();
    lost->lose();
    stream_.close();
  }

  template <class Body>
  static beast::http::response<Body> head_of(const Response& response) {
    beast::http::response<Body> head;
    head.version(11);
    head.result(static_cast<unsigned>(response.status));
    if (!response.content_type.empty()) head.set(beast::http::field::content_type, response.content_type);
    for (const auto& [name, value] : response.headers) head.set(name, value);
    return head;
  }

  void expire_soon() {
    stream_.expires_after(std::chrono::duration_cast<std::chrono::milliseconds>(shared_->options.idle_timeout));
  }

  void after_reply() {
    if (!keep_alive_) return close();
    read();
  }

  void write(Response response) {
    reply_ = head_of<beast::http::string_body>(response);
    reply_.keep_alive(keep_alive_);
    reply_.body() = std::move(response.body);
    reply_.prepare_payload();
    if (head_only_) reply_.body().clear();
    expire_soon();
    beast::http::async_write(stream_, reply_, [self = shared_from_this()](SystemError error, std::size_t) {
      if (error) return self->close();
      self->after_reply();
    });
  }

  void close() {
    SystemError ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  }

  beast::tcp_stream stream_;
  std::shared_ptr<Shared> shared_;
  beast::flat_buffer buffer_;
  std::optional<RequestParser> parser_;
  beast::http::response<beast::http::string_body> reply_;
  std::string peer_;
  std::shared_ptr<LaterReply> later_;
  std::string pieces_;  // being written while pumping_
  bool pumping_ = false;
  bool keep_alive_ = true;
  bool chunked_ = true;
  bool head_only_ = false;
};

Error listen_error(const ServerOptions& options, const SystemError& error) {
  const std::string address = options.host + ":" + std::to_string(options.port);
  if (error == asio::error::address_in_use)
    return {ErrorCode::Conflict, "address " + address + " is in use by another process", "choose another port"};
  return {ErrorCode::Io, "listening on " + address + ": " + error.message(), {}};
}

}  // namespace

struct Server::Impl {
  asio::io_context io{1};
  tcp::acceptor acceptor{io};
  std::shared_ptr<Shared> shared;
  std::thread thread;
  std::uint16_t port = 0;

  Result<void> listen() {
    SystemError error;
    const auto address = asio::ip::make_address(shared->options.host, error);
    if (error)
      return Error{ErrorCode::InvalidArgument, "`" + shared->options.host + "` is no IP address",
                   "use 127.0.0.1, ::1 or 0.0.0.0"};
    const tcp::endpoint endpoint(address, shared->options.port);
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) return listen_error(shared->options, error);
    port = acceptor.local_endpoint(error).port();
    return {};
  }

  void accept() {
    acceptor.async_accept([this](SystemError error, tcp::socket socket) {
      if (error == asio::error::operation_aborted || !acceptor.is_open()) return;
      if (!error && shared->connections < shared->options.connections_max)
        std::make_shared<Connection>(std::move(socket), shared)->read();
      if (error) return retry_accept_later();
      accept();
    });
  }

  // Out of descriptors, most likely: accepting at once would only spin.
  void retry_accept_later() {
    auto timer = std::make_shared<asio::steady_timer>(io, std::chrono::milliseconds(50));
    timer->async_wait([this, timer](SystemError error) {
      if (!error && acceptor.is_open()) accept();
    });
  }
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, Handler handler, Logger log) {
  auto impl = std::make_unique<Impl>();
  const int workers = std::max(1, options.workers);
  impl->shared = std::make_shared<Shared>(std::move(options), std::move(handler), std::move(log), workers);
  SLIPWAY_TRY(impl->listen());
  impl->accept();
  impl->thread = std::thread([raw = impl.get()] { raw->io.run(); });
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::~Server() {
  asio::post(impl_->io, [raw = impl_.get()] {
    SystemError ignored;
    raw->acceptor.close(ignored);
  });
  impl_->shared->workers.join();
  impl_->io.stop();
  impl_->thread.join();
  // From here on nobody wakes a connection: its executor is about to go.
  for (const auto& [connection, later] : std::exchange(impl_->shared->later, {})) later->lose();
}

std::uint16_t Server::port() const { return impl_->port; }

void Server::drain(Duration limit) {
  impl_->shared->draining = true;
  std::mutex mutex;
  std::condition_variable idle;
  bool done = false;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  std::function<void()> poll = [&] {
    SystemError ignored;
    impl_->acceptor.close(ignored);
    const bool busy = impl_->shared->waiting > 0 || !impl_->shared->later.empty();
    if (busy && std::chrono::steady_clock::now() < deadline) {
      auto timer = std::make_shared<asio::steady_timer>(impl_->io, std::chrono::milliseconds(10));
      timer->async_wait([&poll, timer](SystemError) { poll(); });
      return;
    }
    const std::lock_guard lock(mutex);
    done = true;
    idle.notify_all();
  };
  asio::post(impl_->io, poll);
  std::unique_lock lock(mutex);
  idle.wait(lock, [&] { return done; });
}

}  // namespace slipway::http
