#include "slipway/serve/model_server.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "serve/chat_page.h"
#include "serve/job.h"
#include "slipway/base/rng.h"
#include "slipway/http/server.h"

namespace slipway::serve {
namespace {

constexpr int kWorkers = 4;  // they tokenize and start; nobody waits on one

http::Response json(int status, const Value& body) { return {.status = status, .body = body.dump()}; }

http::Response refused(const Refusal& refusal) {
  auto reply = json(refusal.status, error_reply(refusal));
  if (refusal.status == 429) reply.headers.emplace_back("Retry-After", "1");
  return reply;
}

std::string_view id_prefix(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::Generate: return "gen-";
    case Endpoint::Completions: return "cmpl-";
    case Endpoint::Chat: return "chatcmpl-";
  }
  return {};
}

}  // namespace

struct ModelServer::Impl {
  Impl(ServeOptions chosen, const Clock& from)
      : options(std::move(chosen)), clock(from), rng(options.seed), host(options) {}

  http::Response handle(const http::Request& request);
  http::Response health() const;
  http::Response models() const;
  http::Response model(const std::string& id) const;
  http::Response metrics_page() const;
  http::Response work(Endpoint endpoint, const http::Request& request);
  std::uint64_t draw();

  const ServeOptions options;
  const Clock& clock;
  std::mutex mutex;
  Rng rng;  // under `mutex`
  Metrics metrics;
  ModelHost host;
  std::unique_ptr<http::Server> server;  // last: no handler and no open reply outlives what they use
};

std::uint64_t ModelServer::Impl::draw() {
  const std::lock_guard lock(mutex);
  return rng.next();
}

http::Response ModelServer::Impl::health() const {
  if (host.ready()) return {.status = 200, .content_type = "text/plain"};
  return refused({.status = 503, .message = "the model is being loaded", .code = "unavailable"});
}

http::Response ModelServer::Impl::models() const {
  const auto entry = [this](const std::string& id, const Value& parent, const std::filesystem::path& root) {
    return Value::Object{{"id", id},
                         {"object", "model"},
                         {"created", options.started_s},
                         {"owned_by", "vllm"},
                         {"root", root.string()},
                         {"parent", parent},
                         {"max_model_len", parent.is_null() && host.context() > 0 ? Value(host.context()) : Value()},
                         {"permission", Value::Array{}}};
  };
  Value::Array data{entry(options.model_name, {}, options.model)};
  for (const auto& adapter : options.adapters)
    data.emplace_back(entry(adapter.name, options.model_name, adapter.folder));
  return json(200, Value::Object{{"object", "list"}, {"data", std::move(data)}});
}

http::Response ModelServer::Impl::model(const std::string& id) const {
  const Value list = parse_json(models().body).value();
  for (const auto& entry : list.find("data")->as_array())
    if (entry.get_string("id") == id) return json(200, entry);
  return refused(
      {.status = 404, .message = "model `" + id + "` is not served here", .param = "model", .code = "model_not_found"});
}

http::Response ModelServer::Impl::metrics_page() const {
  return {.content_type = "text/plain; version=0.0.4; charset=utf-8",
          .body = metrics.render(options.model_name, host.load())};
}

http::Response ModelServer::Impl::work(Endpoint endpoint, const http::Request& request) {
  auto parsed = parse_ask(endpoint, request.body);
  if (const auto* refusal = std::get_if<Refusal>(&parsed)) return refused(*refusal);
  auto& ask = std::get<Ask>(parsed);
  auto prepared = host.prepare(ask);
  if (const auto* refusal = std::get_if<Refusal>(&prepared)) return refused(*refusal);
  std::array<char, 33> id{};
  std::snprintf(id.data(), id.size(), "%016llx%016llx", static_cast<unsigned long long>(draw()),
                static_cast<unsigned long long>(draw()));
  Exchange exchange{.ask = std::move(ask),
                    .format = options.format,
                    .id = std::string(id_prefix(endpoint)) + id.data(),
                    .created_s = to_micros(clock.now()) / 1'000'000,
                    .tokenizer = host.tokenizer()};
  const auto job = std::make_shared<Job>(
      std::move(exchange), std::move(std::get<Prepared>(prepared)),
      JobSurroundings{.engine = host.engine(), .metrics = metrics, .clock = clock, .seed = draw()});
  auto reply = job->start();
  if (const auto* refusal = std::get_if<Refusal>(&reply)) return refused(*refusal);
  return std::get<http::Response>(std::move(reply));
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
      {"GET", "/metrics", [](Impl& self, const http::Request&) { return self.metrics_page(); }},
      {"GET", "/v1/models", [](Impl& self, const http::Request&) { return self.models(); }},
      {"GET", "/version",
       [](Impl& self, const http::Request&) {
         return json(200, Value::Object{{"version", self.options.version}});
       }},
      {"GET", "/",
       [](Impl&, const http::Request&) {
         return http::Response{.content_type = "text/html; charset=utf-8", .body = std::string(chat_page())};
       }},
      {"POST", "/generate", [](Impl& self, const http::Request& r) { return self.work(Endpoint::Generate, r); }},
      {"POST", "/v1/completions",
       [](Impl& self, const http::Request& r) { return self.work(Endpoint::Completions, r); }},
      {"POST", "/v1/chat/completions", [](Impl& self, const http::Request& r) { return self.work(Endpoint::Chat, r); }},
  };
  for (const Route& route : kRoutes) {
    if (route.path != request.path) continue;
    if (route.method == request.method) return route.answer(*this, request);
    auto reply = refused({.status = 405, .message = request.path + " takes " + std::string(route.method)});
    reply.headers.emplace_back("Allow", std::string(route.method));
    return reply;
  }
  constexpr std::string_view kModel = "/v1/models/";
  if (request.method == "GET" && request.path.starts_with(kModel)) return model(request.path.substr(kModel.size()));
  return refused({.status = 404, .message = "no such path: " + request.path});
}

ModelServer::ModelServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ModelServer::~ModelServer() = default;

Result<std::unique_ptr<ModelServer>> ModelServer::start(ServeOptions options, const Clock& clock, Logger log) {
  if (options.model_name.empty()) options.model_name = options.model.string();
  http::ServerOptions listen{.host = options.host,
                             .port = options.port,
                             .workers = kWorkers,
                             .body_bytes_max = options.body_bytes_max,
                             .connections_max = std::max(512, 2 * options.queue_max)};
  listen.problem = [](int status, std::string_view title, std::string_view detail) {
    return refused({.status = status, .message = std::string(title) + ": " + std::string(detail)});
  };
  auto impl = std::make_unique<Impl>(std::move(options), clock);
  const auto handler = [self = impl.get()](const http::Request& request) { return self->handle(request); };
  SLIPWAY_TRY_ASSIGN(impl->server, http::Server::start(std::move(listen), handler, std::move(log)));
  return std::unique_ptr<ModelServer>(new ModelServer(std::move(impl)));
}

std::uint16_t ModelServer::port() const { return impl_->server->port(); }

Result<void> ModelServer::wait_ready() { return impl_->host.wait_ready(); }

std::int64_t ModelServer::context() const { return impl_->host.context(); }

void ModelServer::drain(Duration limit) {
  impl_->host.close();
  impl_->server->drain(limit);
}

}  // namespace slipway::serve
