#include "slipway/api/api.h"

#include <array>
#include <cstdio>

#include "api/gate.h"
#include "api/words.h"
#include "slipway/base/rng.h"

namespace slipway::api {
namespace {

struct Status {
  int number;
  std::string_view title;
};

Status status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::InvalidArgument: return {400, "Bad Request"};
    case ErrorCode::NotFound: return {404, "Not Found"};
    case ErrorCode::Conflict:
    case ErrorCode::Cancelled: return {409, "Conflict"};
    case ErrorCode::Unauthorized: return {401, "Unauthorized"};
    case ErrorCode::Forbidden: return {403, "Forbidden"};
    case ErrorCode::Unavailable: return {503, "Service Unavailable"};
    case ErrorCode::TimedOut: return {504, "Gateway Timeout"};
    case ErrorCode::TooLarge: return {413, "Content Too Large"};
    case ErrorCode::Unsupported: return {501, "Not Implemented"};
    case ErrorCode::Io:
    case ErrorCode::Corrupt:
    case ErrorCode::Internal: return {500, "Internal Server Error"};
  }
  return {500, "Internal Server Error"};
}

http::Response problem_with(Status status, const Error& error) {
  Value body;
  body["type"] = "about:blank";
  body["title"] = status.title;
  body["status"] = status.number;
  body["detail"] = error.message;
  body["code"] = kErrorCodes.text(error.code);
  body["help"] = error.help;
  http::Response response{status.number, "application/problem+json", body.dump(), {}};
  if (status.number == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

// "/api/v1/runs" -> "/runs"; empty for paths of others.
std::string_view below_base(std::string_view path) {
  return path.substr(0, kBase.size()) == kBase ? path.substr(kBase.size()) : std::string_view();
}

// The path's segments against the pattern's; fills what {names} stand for.
bool matches(std::string_view pattern, std::string_view path, std::map<std::string, std::string, std::less<>>& names) {
  names.clear();
  while (!pattern.empty() && !path.empty()) {
    pattern.remove_prefix(1);
    if (path.front() != '/') return false;
    path.remove_prefix(1);
    const auto want = pattern.substr(0, pattern.find('/'));
    const auto have = path.substr(0, path.find('/'));
    pattern.remove_prefix(want.size());
    path.remove_prefix(have.size());
    if (want.front() == '{') {
      if (have.empty()) return false;
      names.emplace(want.substr(1, want.size() - 2), have);
    } else if (want != have) {
      return false;
    }
  }
  return pattern.empty() && path.empty();
}

bool is_safe(std::string_view method) { return method == "GET" || method == "HEAD"; }

Result<Value> read_body(const http::Request& request) {
  if (request.body.empty()) return Value(Value::Object{});
  auto body = parse_json(request.body);
  if (!body) return body.error().in("the body");
  if (!body->is_object()) return Error{ErrorCode::InvalidArgument, "the body is no JSON object", {}};
  return body;
}

// 304 where the client has the same bytes already. A handler that knows a cheaper tag has added its own.
void add_etag(const http::Request& request, http::Response& response) {
  for (const auto& [name, value] : response.headers)
    if (name == "ETag") return;
  std::array<char, 24> tag{};
  std::snprintf(tag.data(), tag.size(), "\"%016llx\"", static_cast<unsigned long long>(stable_hash(response.body)));
  response.headers.emplace_back("ETag", tag.data());
  if (request.header("If-None-Match") != tag.data()) return;
  response.status = 304;
  response.body.clear();
}

class Api {
 public:
  explicit Api(Backend b) : backend_(std::move(b)) {}

  http::Response handle(const http::Request& request) {
    auto response = answer(request);
    auto result = response ? *std::move(response) : problem(response.error());
    // Bodies hold what only the token's owner may see.
    result.headers.emplace_back("Cache-Control", "no-cache, private");
    result.headers.emplace_back("X-Content-Type-Options", "nosniff");
    return result;
  }

 private:
  Result<http::Response> answer(const http::Request& request) {
    SLIPWAY_TRY(check_origin(request, backend_.hosts));
    const auto path = below_base(request.path);
    Call call{backend_, dags_, request, {}, {}, {}};
    const Route* route = find(request.method, path, call.path);
    // Only routes without a role may be asked anonymously; whether others exist is not told.
    if (route == nullptr || route->role) {
      SLIPWAY_TRY_ASSIGN(call.identity, identify(request, backend_));
    }
    if (route == nullptr) return no_route(request.method, path);
    if (route->role && call.identity.role < *route->role)
      return Error{ErrorCode::Forbidden,
                   "a token of role " + std::string(vault::kRoles.text(call.identity.role)) + " may not do this",
                   "use one of role " + std::string(vault::kRoles.text(*route->role))};
    SLIPWAY_TRY_ASSIGN(call.body, read_body(request));
    SLIPWAY_TRY(check_request(*route, call));
    auto response = route->handler(call);
    if (response && is_safe(request.method) && response->status == 200 && !response->later)
      add_etag(request, *response);
    if (!is_safe(request.method)) log(call, response);
    return response;
  }

  static const Route* find(std::string_view method, std::string_view path,
                           std::map<std::string, std::string, std::less<>>& names) {
    const auto wanted = method == "HEAD" ? std::string_view("GET") : method;
    for (const Route& route : routes())
      if (route.method == wanted && matches(route.pattern, path, names)) return &route;
    return nullptr;
  }

  static Result<http::Response> no_route(std::string_view method, std::string_view path) {
    std::vector<std::string> allowed;
    std::map<std::string, std::string, std::less<>> names;
    for (const Route& route : routes())
      if (matches(route.pattern, path, names)) allowed.emplace_back(route.method);
    if (allowed.empty()) return Error{ErrorCode::NotFound, "there is no such route", "see docs/api.md"};
    auto response =
        problem_with({405, "Method Not Allowed"},
                     {ErrorCode::InvalidArgument, std::string(method) + " is no method of " + std::string(path),
                      "it takes: " + join(allowed)});
    response.headers.emplace_back("Allow", join(allowed));
    return response;
  }

  void log(const Call& call, const Result<http::Response>& response) const {
    backend_.log.info(response ? "request done" : "request refused",
                      {{"method", call.request.method},
                       {"path", call.request.path},
                       {"token", call.identity.token_id},
                       {"peer", call.request.peer},
                       {"error", response ? "" : response.error().message}});
  }

  Backend backend_;
  DagCache dags_;
};

}  // namespace

http::Handler make_handler(Backend backend) {
  auto api = std::make_shared<Api>(std::move(backend));
  return [api](const http::Request& request) { return api->handle(request); };
}

http::Response problem(const Error& error) { return problem_with(status_of(error.code), error); }

}  // namespace slipway::api
