#include "slipway/serve/model_server.h"

#include <atomic>

#include "serve/engine.h"
#include "slipway/base/assert.h"
#include "slipway/http/server.h"

namespace slipway::serve {
namespace {

// Handlers wait for their text, so there is one worker for each request that may be in work and some for /health.
constexpr int kSpareWorkers = 4;
// A long text takes minutes on a small machine.
constexpr Duration kReplyLimit = std::chrono::minutes(10);

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::InvalidArgument:
    case ErrorCode::Corrupt:
    case ErrorCode::Unsupported: return 400;
    case ErrorCode::Unauthorized: return 401;
    case ErrorCode::Forbidden: return 403;
    case ErrorCode::NotFound: return 404;
    case ErrorCode::Conflict: return 409;
    case ErrorCode::TooLarge: return 413;
    case ErrorCode::Unavailable:
    case ErrorCode::Cancelled: return 503;
    case ErrorCode::TimedOut: return 504;
    case ErrorCode::Io:
    case ErrorCode::Internal: return 500;
  }
  return 500;
}

http::Response json(int status, const Value& body) { return {.status = status, .body = body.dump(), .headers = {}}; }

http::Response failure(const Error& error) {
  return json(status_of(error.code), error_reply(kErrorCodes.text(error.code), error.message));
}

// Counts a request while it is in work.
class Ticket {
 public:
  Ticket(std::atomic<int>& count, int limit) : count_(count), admitted_(++count <= limit) {}
  ~Ticket() { --count_; }
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;
  [[nodiscard]] bool admitted() const { return admitted_; }

 private:
  std::atomic<int>& count_;
  bool admitted_;
};

}  // namespace

struct ModelServer::Impl {
  explicit Impl(ServeOptions chosen) : options(std::move(chosen)), engine(options) {}
  // Handlers wait for the engine and the server waits for its handlers, so the engine ends first.
  ~Impl() { engine.stop(); }

  http::Response handle(const http::Request& request);
  http::Response health();
  http::Response models();
  http::Response version();
  http::Response generate(const http::Request& request);

  ServeOptions options;
  std::atomic<int> in_work{0};
  Engine engine;
  std::unique_ptr<http::Server> server;
};

http::Response ModelServer::Impl::health() {
  if (engine.ready()) return {.status = 200, .content_type = "text/plain", .body = {}, .headers = {}};
  return failure({ErrorCode::Unavailable, "the model is being loaded", {}});
}

http::Response ModelServer::Impl::models() {
  const auto entry = [this](const std::string& id, const Value& parent, const std::filesystem::path& root) {
    return Value::Object{{"id", id},
                         {"object", "model"},
                         {"created", options.started_s},
                         {"owned_by", "vllm"},
                         {"root", root.string()},
                         {"parent", parent},
                         {"permission", Value::Array{}}};
  };
  Value::Array data{entry(options.model_name, {}, options.model)};
  for (const auto& adapter : options.adapters)
    data.emplace_back(entry(adapter.name, options.model_name, adapter.folder));
  return json(200, Value::Object{{"object", "list"}, {"data", std::move(data)}});
}

http::Response ModelServer::Impl::version() { return json(200, Value::Object{{"version", options.version}}); }

http::Response ModelServer::Impl::generate(const http::Request& request) {
  auto call = parse_generate(request.body);
  if (!call) return failure(call.error());
  const Ticket ticket(in_work, options.queue_max);
  if (!ticket.admitted()) {
    auto reply = json(429, error_reply("too-many-requests", "the queue is full; try again"));
    reply.headers.emplace_back("Retry-After", "1");
    return reply;
  }
  const bool raw = call->raw_response;
  const auto result = engine.generate(*std::move(call));
  if (!result) return failure(result.error());
  return json(200, generate_reply(*result, options.format, raw));
}

http::Response ModelServer::Impl::handle(const http::Request& request) {
  struct Route {
    std::string_view method;
    std::string_view path;
    http::Response (*answer)(Impl& self, const http::Request& request);
  };
  static constexpr Route kRoutes[] = {
      {"GET", "/health", [](Impl& self, const http::Request&) { return self.health(); }},
      {"GET", "/ping", [](Impl& self, const http::Request&) { return self.health(); }},
      {"GET", "/v1/models", [](Impl& self, const http::Request&) { return self.models(); }},
      {"GET", "/version", [](Impl& self, const http::Request&) { return self.version(); }},
      {"POST", "/generate", [](Impl& self, const http::Request& r) { return self.generate(r); }},
  };
  for (const Route& route : kRoutes) {
    if (route.path != request.path) continue;
    if (route.method == request.method) return route.answer(*this, request);
    auto reply = json(405, error_reply("method-not-allowed", request.path + " takes " + std::string(route.method)));
    reply.headers.emplace_back("Allow", std::string(route.method));
    return reply;
  }
  return failure({ErrorCode::NotFound, "no such path: " + request.path, {}});
}

ModelServer::ModelServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ModelServer::~ModelServer() = default;

Result<std::unique_ptr<ModelServer>> ModelServer::start(ServeOptions options, Logger log) {
  if (options.model_name.empty()) options.model_name = options.model.string();
  const http::ServerOptions listen{.host = options.host,
                                   .port = options.port,
                                   .workers = options.queue_max + kSpareWorkers,
                                   .body_bytes_max = options.body_bytes_max,
                                   .idle_timeout = kReplyLimit};
  auto impl = std::make_unique<Impl>(std::move(options));
  const auto handler = [self = impl.get()](const http::Request& request) { return self->handle(request); };
  SLIPWAY_TRY_ASSIGN(impl->server, http::Server::start(listen, handler, std::move(log)));
  return std::unique_ptr<ModelServer>(new ModelServer(std::move(impl)));
}

std::uint16_t ModelServer::port() const { return impl_->server->port(); }

Result<void> ModelServer::wait_ready() { return impl_->engine.wait_ready(); }

void ModelServer::drain(Duration limit) { impl_->server->drain(limit); }

}  // namespace slipway::serve
