#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "http/curl_shared.h"
#include "slipway/http/loop.h"

namespace slipway::http {
namespace {

constexpr Duration kIdleLongest = std::chrono::seconds(60);
// Unacknowledged bytes end a connection after this: a peer that is gone is not waited for by the quarter of an hour.
constexpr int kUserTimeoutMs = 45'000;
constexpr long kKeepIdleSeconds = 30;
constexpr long kKeepIntervalSeconds = 15;

struct Transfer {
  StreamId id = 0;
  StreamCall call;
  StreamHandlers handlers;
  Easy easy;
  List headers;
  List connect_to;
  Reply reply;
  bool announced = false;  // on_head was called
  bool cancelled = false;
  bool stopped = false;  // on_data said so
  char detail[CURL_ERROR_SIZE] = "";

  [[nodiscard]] bool streams() const { return handlers.on_data && reply.status / 100 == 2; }
};

int read_status(CURL* easy) {
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  return static_cast<int>(status);
}

std::size_t on_header(const char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view line(data, size * count);
  if (line.substr(0, 5) == "HTTP/") transfer.reply.headers.clear();  // what came before was a 1xx
  add_header_line(line, transfer.reply.headers);
  if (line != "\r\n") return line.size();
  transfer.reply.status = read_status(transfer.easy.get());
  if (transfer.reply.status < 200 || transfer.announced || transfer.cancelled) return line.size();
  transfer.announced = true;
  if (transfer.handlers.on_head) transfer.handlers.on_head(transfer.reply.status, transfer.reply.headers);
  return line.size();
}

std::size_t on_body(const char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::size_t bytes = size * count;
  if (transfer.cancelled) return 0;
  if (!transfer.streams()) {
    if (transfer.reply.body.size() + bytes > transfer.call.reply_bytes_max) return 0;
    transfer.reply.body.append(data, bytes);
    return bytes;
  }
  switch (transfer.handlers.on_data({data, bytes})) {
    case Flow::Go: return bytes;
    case Flow::Pause: return CURL_WRITEFUNC_PAUSE;
    case Flow::Stop: transfer.stopped = true;
  }
  return 0;
}

int on_socket(void*, curl_socket_t socket, curlsocktype) {
  const int limit = kUserTimeoutMs;
  ::setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof limit);
  return CURL_SOCKOPT_OK;
}

curl_blob blob(const std::string& text) { return {const_cast<char*>(text.data()), text.size(), CURL_BLOB_NOCOPY}; }

void set_tls(CURL* easy, const Tls& tls) {
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, tls.verify ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, tls.verify ? 2L : 0L);
  if (!tls.ca_pem.empty()) {
    const curl_blob ca = blob(tls.ca_pem);
    curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &ca);
    curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);  // only this one, not the system's roots beside it
  }
  if (tls.certificate_pem.empty()) return;
  const curl_blob certificate = blob(tls.certificate_pem);
  const curl_blob key = blob(tls.key_pem.reveal());
  curl_easy_setopt(easy, CURLOPT_SSLCERT_BLOB, &certificate);
  curl_easy_setopt(easy, CURLOPT_SSLKEY_BLOB, &key);
}

void set_connection(Transfer& transfer) {
  CURL* easy = transfer.easy.get();
  const StreamCall& call = transfer.call;
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                   static_cast<long>(call.own_connection ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS));
  // The first handshake tells whether the connection can be shared. Without TLS only the first reply would.
  const bool shared = !call.own_connection && call.url.rfind("https:", 0) == 0;
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT, shared ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, kKeepIdleSeconds);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, kKeepIntervalSeconds);
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, static_cast<long>(call.buffer_bytes));
  curl_easy_setopt(easy, CURLOPT_PROXY, call.proxy.c_str());
  curl_easy_setopt(easy, CURLOPT_NOPROXY, call.no_proxy.c_str());
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  if (!call.connect_to.empty()) {
    append(transfer.connect_to, "::" + call.connect_to);
    curl_easy_setopt(easy, CURLOPT_CONNECT_TO, transfer.connect_to.get());
  }
  if (call.tls) set_tls(easy, *call.tls);
}

void set_limits(CURL* easy, const StreamCall& call) {
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(call.connect_timeout.count() / 1000));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(call.timeout.count() / 1000));
  if (call.stall_timeout.count() == 0) return;
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(call.stall_timeout).count();
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, static_cast<long>(seconds));
}

void set_request(Transfer& transfer) {
  CURL* easy = transfer.easy.get();
  const StreamCall& call = transfer.call;
  curl_easy_setopt(easy, CURLOPT_URL, call.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer.detail);
  if (call.compressed) curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
  if (call.method != "GET") curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call.method.c_str());
  if (!call.body.empty() || call.method == "POST") {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call.body.data());
    append(transfer.headers, "Expect:");
  }
  for (const auto& [name, value] : call.headers) append(transfer.headers, name + ": " + value);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer.headers.get());
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer);
}

bool was_sent(CURLcode code, CURL* easy) {
  switch (static_cast<int>(code)) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_URL_MALFORMAT: return false;
  }
  const bool early = code == CURLE_OPERATION_TIMEDOUT || code == CURLE_UNSUPPORTED_PROTOCOL;
  curl_off_t ready = 0;
  curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &ready);
  return !early || ready > 0;
}

StreamEnd end_of(Transfer& transfer, CURLcode code) {
  if (code == CURLE_OK) return {std::move(transfer.reply), true};
  const std::string request = transfer.call.method + " " + transfer.call.url;
  if (transfer.stopped) return {Error{ErrorCode::Cancelled, request + ": its reader has enough", {}}, true};
  StreamEnd end{curl_error(code, request, transfer.detail, transfer.call.reply_bytes_max),
                was_sent(code, transfer.easy.get())};
  // libcurl 7.88 takes a reply for HTTP/0.9 when its shared connection breaks under it. The URL is not to blame.
  if (code == CURLE_UNSUPPORTED_PROTOCOL && end.sent)
    end.reply = Error{ErrorCode::Unavailable, end.reply.error().message, {}};
  return end;
}

// A libcurl multi handle whose sockets are watched by an epoll that it shares with others.
class Multi {
 public:
  Multi(int epoll, std::uint32_t index, const Clock& clock) : epoll_(epoll), index_(index), clock_(clock) {
    multi_ = curl_multi_init();
    SLIPWAY_ASSERT(multi_ != nullptr);
    curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_MULTIPLEX));
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, on_socket_change);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, on_timer_change);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  }
  Multi(const Multi&) = delete;
  Multi& operator=(const Multi&) = delete;
  ~Multi() { curl_multi_cleanup(multi_); }

  void add(CURL* easy) { SLIPWAY_ASSERT(curl_multi_add_handle(multi_, easy) == CURLM_OK); }
  void remove(CURL* easy) { curl_multi_remove_handle(multi_, easy); }
  [[nodiscard]] const CURLMsg* ended() {
    int left = 0;
    return curl_multi_info_read(multi_, &left);
  }

  [[nodiscard]] std::optional<MonoInstant> due() const { return due_; }
  void run_due() {
    if (!due_ || *due_ > clock_.monotonic()) return;
    due_.reset();
    act(CURL_SOCKET_TIMEOUT, 0);
  }
  void on_ready(int socket, std::uint32_t events) {
    int mask = 0;
    if ((events & EPOLLIN) != 0) mask |= CURL_CSELECT_IN;
    if ((events & EPOLLOUT) != 0) mask |= CURL_CSELECT_OUT;
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) mask |= CURL_CSELECT_ERR;
    act(socket, mask);
  }

 private:
  void act(curl_socket_t socket, int mask) {
    int running = 0;
    curl_multi_socket_action(multi_, socket, mask, &running);
  }

  static int on_socket_change(CURL*, curl_socket_t socket, int what, void* user, void*) {
    const auto& self = *static_cast<Multi*>(user);
    epoll_event event{};
    event.data.u64 = (std::uint64_t{self.index_} << 32U) | static_cast<std::uint32_t>(socket);
    if (what == CURL_POLL_REMOVE) {
      ::epoll_ctl(self.epoll_, EPOLL_CTL_DEL, socket, &event);
      return 0;
    }
    if (what != CURL_POLL_OUT) event.events |= EPOLLIN;
    if (what != CURL_POLL_IN) event.events |= EPOLLOUT;
    if (::epoll_ctl(self.epoll_, EPOLL_CTL_MOD, socket, &event) != 0)
      ::epoll_ctl(self.epoll_, EPOLL_CTL_ADD, socket, &event);
    return 0;
  }

  static int on_timer_change(CURLM*, long milliseconds, void* user) {
    auto& self = *static_cast<Multi*>(user);
    self.due_.reset();
    if (milliseconds >= 0) self.due_ = self.clock_.monotonic() + std::chrono::milliseconds(milliseconds);
    return 0;
  }

  const int epoll_;
  const std::uint32_t index_;
  const Clock& clock_;
  CURLM* multi_ = nullptr;
  std::optional<MonoInstant> due_;
};

// Two pools of connections: libcurl 7.88 would send a request that may share a connection also over one that speaks
// HTTP/1.1 and is in use, if both are of one host and one pool (curl issue 3951).
class CurlLoop final : public Loop {
 public:
  explicit CurlLoop(const Clock& clock) : clock_(clock) {
    curl_global_init(CURL_GLOBAL_DEFAULT);
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = kWake;
    SLIPWAY_ASSERT(epoll_ >= 0 && wake_ >= 0 && ::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) == 0);
    for (std::uint32_t i = 0; i < pools_.size(); ++i) pools_[i] = std::make_unique<Multi>(epoll_, i, clock_);
    thread_ = std::thread([this] { run(); });
  }
  ~CurlLoop() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake();
    thread_.join();
    for (auto& [id, transfer] : transfers_) pool_of(*transfer).remove(transfer->easy.get());
    transfers_.clear();
    for (auto& pool : pools_) pool.reset();
    ::close(wake_);
    ::close(epoll_);
    curl_global_cleanup();
  }

  StreamId send(StreamCall call, StreamHandlers handlers) override {
    auto transfer = std::make_shared<Transfer>();
    transfer->id = next_++;
    transfer->call = std::move(call);
    transfer->handlers = std::move(handlers);
    post([this, transfer] { start(transfer); });
    return transfer->id;
  }

  void cancel(StreamId id) override {
    if (on_thread())
      if (const auto it = transfers_.find(id); it != transfers_.end()) it->second->cancelled = true;
    post([this, id] { drop(id); });  // not at once: libcurl may be in the middle of a call for it
  }

  void resume(StreamId id) override {
    post([this, id] {
      const auto it = transfers_.find(id);
      if (it != transfers_.end()) curl_easy_pause(it->second->easy.get(), CURLPAUSE_CONT);
    });
  }

  void post(std::function<void()> work) override {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(work));
    }
    wake();
  }

  TimerId after(Duration delay, std::function<void()> work) override {
    const TimerId id = next_++;
    const MonoInstant due = clock_.monotonic() + delay;
    post([this, id, due, work = std::move(work)]() mutable { timers_.emplace(std::pair(due, id), std::move(work)); });
    return id;
  }

  void cancel_timer(TimerId id) override {
    const auto erase = [this, id] {
      std::erase_if(timers_, [id](const auto& timer) { return timer.first.second == id; });
    };
    if (on_thread()) erase();
    post(erase);  // also where it was just asked for
  }

 private:
  static constexpr std::uint64_t kWake = ~std::uint64_t{0};

  [[nodiscard]] bool on_thread() const { return std::this_thread::get_id() == thread_id_; }
  [[nodiscard]] Multi& pool_of(const Transfer& transfer) { return *pools_[transfer.call.own_connection ? 1 : 0]; }

  void wake() const {
    const std::uint64_t one = 1;
    (void)!::write(wake_, &one, sizeof one);  // full means woken already
  }

  void run() {
    thread_id_ = std::this_thread::get_id();
    while (run_queue()) {
      run_timers();
      for (auto& pool : pools_) pool->run_due();
      reap();
      wait();
    }
  }

  // What was handed over so far; false: it is time to end.
  bool run_queue() {
    std::vector<std::function<void()>> work;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return false;
      work.swap(queue_);
    }
    for (const auto& item : work) item();
    return true;
  }

  void run_timers() {
    const MonoInstant now = clock_.monotonic();
    while (!timers_.empty() && timers_.begin()->first.first <= now) {
      const auto work = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
      work();
    }
  }

  void wait() {
    std::array<epoll_event, 64> ready{};
    const int count = ::epoll_wait(epoll_, ready.data(), ready.size(), static_cast<int>(pause().count()));
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = ready[static_cast<std::size_t>(i)];
      if (event.data.u64 == kWake) {
        std::uint64_t wakes = 0;
        (void)!::read(wake_, &wakes, sizeof wakes);
      } else {
        pools_[event.data.u64 >> 32U]->on_ready(static_cast<int>(event.data.u64 & 0xffffffffU), event.events);
      }
    }
  }

  [[nodiscard]] std::chrono::milliseconds pause() const {
    MonoInstant next = clock_.monotonic() + kIdleLongest;
    if (!timers_.empty()) next = std::min(next, timers_.begin()->first.first);
    for (const auto& pool : pools_)
      if (const auto due = pool->due()) next = std::min(next, *due);
    return std::chrono::ceil<std::chrono::milliseconds>(std::max(next - clock_.monotonic(), Duration(0)));
  }

  void start(const std::shared_ptr<Transfer>& transfer) {
    transfer->easy.reset(curl_easy_init());
    SLIPWAY_ASSERT(transfer->easy != nullptr);
    set_request(*transfer);
    set_connection(*transfer);
    set_limits(transfer->easy.get(), transfer->call);
    transfers_[transfer->id] = transfer;
    pool_of(*transfer).add(transfer->easy.get());
  }

  void drop(StreamId id) {
    const auto it = transfers_.find(id);
    if (it == transfers_.end()) return;
    pool_of(*it->second).remove(it->second->easy.get());
    transfers_.erase(it);
  }

  void reap() {
    for (auto& pool : pools_)
      while (const CURLMsg* message = pool->ended())
        if (message->msg == CURLMSG_DONE) finish(message->easy_handle, message->data.result);
  }

  void finish(CURL* easy, CURLcode code) {
    Transfer* found = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &found);
    const std::shared_ptr<Transfer> transfer = transfers_.at(found->id);
    StreamEnd end = end_of(*transfer, code);
    drop(transfer->id);
    if (!transfer->cancelled && transfer->handlers.on_end) transfer->handlers.on_end(std::move(end));
  }

  const Clock& clock_;
  int epoll_ = -1;
  int wake_ = -1;
  std::array<std::unique_ptr<Multi>, 2> pools_;
  std::atomic<std::uint64_t> next_{1};
  std::mutex mutex_;
  std::vector<std::function<void()>> queue_;
  bool stopping_ = false;
  std::atomic<std::thread::id> thread_id_;
  // On the thread only.
  std::map<StreamId, std::shared_ptr<Transfer>> transfers_;
  std::map<std::pair<MonoInstant, TimerId>, std::function<void()>> timers_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Loop> make_curl_loop(const Clock& clock) { return std::make_unique<CurlLoop>(clock); }

}  // namespace slipway::http
