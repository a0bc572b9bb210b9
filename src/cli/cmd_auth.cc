// auth token: who may ask the daemon; audit: what they asked for.
#include <CLI/CLI.hpp>
#include <ostream>
#include <set>

#include "cli/exit_code.h"
#include "cli/print.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "slipway/vault/token.h"

namespace slipway::cli {
namespace {

struct TokenOptions {
  std::string role, note, expires;
};

int create(const TokenOptions& options, Session& session) {
  Value body = Value::Object{{"role", options.role}, {"note", options.note}};
  if (!options.expires.empty()) body["expires_in"] = options.expires;
  const auto made = session.call("POST", "/tokens", body);
  if (!made) return session.fail(made.error());
  if (for_programs(session.format())) {
    print_body(session, *made, {"", "token", {}});
    return kOk;
  }
  session.out << made->get_string("token") << "\n";
  if (!session.globals.quiet)
    session.err << "token " << made->get_string("id") << " of role " << made->get_string("role")
                << "; it is not shown again, and `slipway auth token revoke " << made->get_string("id")
                << "` ends it\n";
  return kOk;
}

Table tokens_table(const Value& body, bool) {
  Table table({"ID", "ROLE", "NOTE", "CREATED", "EXPIRES"});
  for (const Value& token : list_of(body, "tokens")) {
    const Value* expired = token.find("expired");
    const bool over = expired != nullptr && expired->is_bool() && expired->as_bool();
    table.add({token.get_string("id"), token.get_string("role"), token.get_string("note"),
               short_time(token.find("created_at")), over ? "expired" : short_time(token.find("expires_at"))});
  }
  return table;
}

Table audit_table(const Value& body, bool wide) {
  Table table(wide ? std::vector<std::string>{"SEQ", "AT", "TOKEN", "ACTOR", "OUTCOME", "ACTION", "HASH"}
                   : std::vector<std::string>{"AT", "ACTOR", "OUTCOME", "ACTION"});
  for (const Value& entry : list_of(body, "audit")) {
    const std::string at = short_time(entry.find("at")), actor = entry.get_string("actor");
    const std::string outcome = entry.get_string("outcome"), action = entry.get_string("action");
    if (wide)
      table.add({std::to_string(entry.get_int("seq")), at, entry.get_string("token"), actor, outcome, action,
                 entry.get_string("hash")});
    else
      table.add({at, actor.empty() ? entry.get_string("token") : actor, outcome, action});
  }
  return table;
}

}  // namespace

Handler setup_auth_token_create(CLI::App& app) {
  auto options = std::make_shared<TokenOptions>();
  std::set<std::string> roles;
  for (const auto& row : vault::kRoles.rows()) roles.emplace(row.text);
  app.add_option("role", options->role, "viewer, operator, author or admin; each may what those before it may")
      ->required()
      ->check(CLI::IsMember(roles));
  app.add_option("--note", options->note, "whom or what it is for; shown as the name of who acts");
  app.add_option("--expires", options->expires, "for how long it holds, e.g. 30d; default for ever");
  return [options](Session& session) { return create(*options, session); };
}

Handler setup_auth_token_list(CLI::App&) {
  return [](Session& session) {
    const auto body = session.call("GET", "/tokens");
    if (!body) return session.fail(body.error());
    print_body(session, *body, {"tokens", "id", tokens_table});
    return kOk;
  };
}

Handler setup_auth_token_revoke(CLI::App& app) {
  auto id = std::make_shared<std::string>();
  app.add_option("id", *id, "id of the token: the part between the underscores")->required();
  return [id](Session& session) {
    return print_done(session, session.call("DELETE", "/tokens/" + http::percent_encode(*id)),
                      "token " + *id + " revoked");
  };
}

Handler setup_audit(CLI::App& app) {
  auto limit = std::make_shared<int>(20);
  auto before = std::make_shared<std::int64_t>(0);
  app.add_option("-n,--limit", *limit, "at most so many, newest first")->check(CLI::Range(1, 1000));
  app.add_option("--before", *before, "only entries before this number, for the next page")->check(CLI::PositiveNumber);
  return [limit, before](Session& session) {
    std::string path = "/audit?limit=" + std::to_string(*limit);
    if (*before > 0) path += "&before=" + std::to_string(*before);
    const auto body = session.call("GET", path);
    if (!body) return session.fail(body.error());
    print_body(session, *body, {"audit", "seq", audit_table});
    return kOk;
  };
}

}  // namespace slipway::cli
