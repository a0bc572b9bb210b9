#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <map>
#include <mutex>
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
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: return false;
  }
  curl_off_t ready = 0;
  curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &ready);
  return code != CURLE_OPERATION_TIMEDOUT || ready > 0;
}

StreamEnd end_of(Transfer& transfer, CURLcode code) {
  if (code == CURLE_OK) return {std::move(transfer.reply), true};
  const std::string request = transfer.call.method + " " + transfer.call.url;
  if (transfer.stopped) return {Error{ErrorCode::Cancelled, request + ": its reader has enough", {}}, true};
  return {curl_error(code, request, transfer.detail, transfer.call.reply_bytes_max),
          was_sent(code, transfer.easy.get())};
}

class CurlLoop final : public Loop {
 public:
  explicit CurlLoop(const Clock& clock) : clock_(clock) {
    curl_global_init(CURL_GLOBAL_DEFAULT);
    multi_ = curl_multi_init();
    SLIPWAY_ASSERT(multi_ != nullptr);
    curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_MULTIPLEX));
    thread_ = std::thread([this] { run(); });
  }
  ~CurlLoop() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    curl_multi_wakeup(multi_);
    thread_.join();
    for (auto& [id, transfer] : transfers_) curl_multi_remove_handle(multi_, transfer->easy.get());
    transfers_.clear();
    curl_multi_cleanup(multi_);
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
    curl_multi_wakeup(multi_);
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
  [[nodiscard]] bool on_thread() const { return std::this_thread::get_id() == thread_id_; }

  void run() {
    thread_id_ = std::this_thread::get_id();
    while (run_queue()) {
      run_timers();
      int running = 0;
      curl_multi_perform(multi_, &running);
      reap();
      curl_multi_poll(multi_, nullptr, 0, static_cast<int>(pause().count()), nullptr);
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

  [[nodiscard]] std::chrono::milliseconds pause() const {
    Duration left = kIdleLongest;
    if (!timers_.empty()) left = std::clamp(timers_.begin()->first.first - clock_.monotonic(), Duration(0), left);
    return std::chrono::ceil<std::chrono::milliseconds>(left);
  }

  void start(const std::shared_ptr<Transfer>& transfer) {
    transfer->easy.reset(curl_easy_init());
    SLIPWAY_ASSERT(transfer->easy != nullptr);
    set_request(*transfer);
    set_connection(*transfer);
    set_limits(transfer->easy.get(), transfer->call);
    transfers_[transfer->id] = transfer;
    SLIPWAY_ASSERT(curl_multi_add_handle(multi_, transfer->easy.get()) == CURLM_OK);
  }

  void drop(StreamId id) {
    const auto it = transfers_.find(id);
    if (it == transfers_.end()) return;
    curl_multi_remove_handle(multi_, it->second->easy.get());
    transfers_.erase(it);
  }

  void reap() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      Transfer* found = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &found);
      const std::shared_ptr<Transfer> transfer = transfers_.at(found->id);
      StreamEnd end = end_of(*transfer, code);
      drop(transfer->id);
      if (!transfer->cancelled && transfer->handlers.on_end) transfer->handlers.on_end(std::move(end));
    }
  }

  const Clock& clock_;
  CURLM* multi_ = nullptr;
  std::atomic<std::uint64_t> next_{1};
  std::mutex mutex_;
  std::vector<std::function<void()>> queue_;
  bool stopping_ = false;
  std::thread::id thread_id_;
  // On the thread only.
  std::map<StreamId, std::shared_ptr<Transfer>> transfers_;
  std::map<std::pair<MonoInstant, TimerId>, std::function<void()>> timers_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Loop> make_curl_loop(const Clock& clock) { return std::make_unique<CurlLoop>(clock); }

}  // namespace slipway::http
