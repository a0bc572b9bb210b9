#include "cli/session.h"

#include <filesystem>
#include <ostream>

#include "cli/exit_code.h"
#include "slipway/base/file.h"

namespace slipway::cli {
namespace {

// A problem+json reply as an Error; `code` is our own member, the status stands in where a proxy answered.
Error problem_error(const http::Reply& reply) {
  const auto body = parse_json(reply.body);
  const Value problem = body ? *body : Value();
  std::string message = problem.get_string("detail", problem.get_string("title"));
  if (message.empty()) message = "the server answered with status " + std::to_string(reply.status);
  auto code = kErrorCodes.parse(problem.get_string("code"));
  if (!code) {
    code = reply.status == 401   ? ErrorCode::Unauthorized
           : reply.status == 403 ? ErrorCode::Forbidden
           : reply.status == 404 ? ErrorCode::NotFound
           : reply.status == 409 ? ErrorCode::Conflict
           : reply.status < 500  ? ErrorCode::InvalidArgument
                                 : ErrorCode::Unavailable;
  }
  return {*code, std::move(message), problem.get_string("help")};
}

}  // namespace

std::string absolute_path(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::absolute(path, ignored).lexically_normal().string();
}

Session::Session(std::ostream& out_stream, std::ostream& err_stream, std::map<std::string, std::string> environment)
    : out(out_stream), err(err_stream), env(std::move(environment)) {}

Format Session::format() const { return kFormats.parse(globals.output).value_or(Format::Table); }

bool Session::color() const { return out_is_terminal && !globals.no_color && variable("NO_COLOR").empty(); }

std::string Session::variable(const std::string& name) const {
  const auto it = env.find(name);
  return it == env.end() ? std::string() : it->second;
}

std::string Session::home() const {
  if (!globals.home.empty()) return absolute_path(globals.home);
  if (const auto home = variable("SLIPWAY_HOME"); !home.empty()) return absolute_path(home);
  if (const auto state = variable("XDG_STATE_HOME"); !state.empty()) return state + "/slipway";
  return variable("HOME") + "/.local/state/slipway";
}

Result<std::optional<Duration>> Session::timeout() const {
  if (globals.timeout.empty()) return std::optional<Duration>();
  SLIPWAY_TRY_ASSIGN(const Duration limit, parse_duration(globals.timeout));
  return std::optional<Duration>(limit);
}

Result<Session::Server> Session::server() const {
  const std::string folder = home();
  Server server{globals.server.empty() ? variable("SLIPWAY_SERVER") : globals.server, variable("SLIPWAY_TOKEN")};
  if (server.url.empty()) {
    const auto text = read_whole_file(folder + "/daemon.json", kFileBytesMax);
    if (!text)
      return Error{ErrorCode::Unavailable, "no daemon has been started on home " + folder,
                   "start one with `slipway up`, or name one with --server or --home"};
    SLIPWAY_TRY_ASSIGN(const Value state, parse_json(*text));
    server.url = state.get_string("url");
  }
  if (server.token.empty()) {
    const auto token = read_whole_file(folder + "/token", kFileBytesMax);
    if (token) server.token = token->substr(0, token->find('\n'));
  }
  while (!server.url.empty() && server.url.back() == '/') server.url.pop_back();
  return server;
}

Result<Value> Session::call(const std::string& method, const std::string& path, const Value& body,
                            const http::Headers& headers) {
  SLIPWAY_TRY_ASSIGN(const Server target, server());
  SLIPWAY_TRY_ASSIGN(const auto limit, timeout());
  if (!transport_) transport_ = http::make_curl_transport();
  http::Call request{.method = method, .url = target.url + "/api/v1" + path, .headers = headers};
  request.headers.insert_or_assign("Accept", "application/json");
  if (!target.token.empty()) request.headers.insert_or_assign("Authorization", "Bearer " + target.token);
  if (!body.is_null()) {
    request.headers.insert_or_assign("Content-Type", "application/json");
    request.body = body.dump();
  }
  if (limit) request.timeout = *limit;
  auto reply = transport_->send(request);
  if (!reply && reply.error().code == ErrorCode::Unavailable)
    return Error{ErrorCode::Unavailable, "no daemon answers at " + target.url,
                 "start it with `slipway up`, or name another with --server"};
  if (!reply) return reply.error();
  if (reply->status >= 400) return problem_error(*reply);
  if (reply->body.empty()) return Value();
  return parse_json(reply->body, {.bytes_max = 64U << 20U});
}

int Session::fail(const Error& error) const {
  err << "slipway: " << error.message << "\n";
  if (!error.help.empty()) err << "help: " << error.help << "\n";
  return exit_code_of(error.code);
}

int Session::usage(const std::string& message, const std::string& help) const {
  err << "slipway: " << message << "\n";
  if (!help.empty()) err << "help: " << help << "\n";
  return kUsage;
}

}  // namespace slipway::cli
