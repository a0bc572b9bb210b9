// Tokens of the API, made, listed without what they are, and revoked; and what was done with them.
#include <algorithm>

#include "api/handlers.h"
#include "api/words.h"

namespace slipway::api {
namespace {

constexpr std::size_t kNoteBytesMax = 100;

Result<vault::Role> role_of(const Value& body) {
  if (const auto role = vault::kRoles.parse(body.get_string("role"))) return *role;
  return Error{ErrorCode::InvalidArgument, "`role` is no role", one_of(vault::kRoles)};
}

// People see it as the name of whoever acts, so it has no line breaks and no escapes.
Result<std::string> note_of(const Value& body) {
  std::string note = body.get_string("note");
  const bool plain = std::none_of(note.begin(), note.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  const Value* given = body.find("note");
  if ((given == nullptr || given->is_string()) && plain && note.size() <= kNoteBytesMax) return note;
  return Error{ErrorCode::InvalidArgument, "`note` is no text of one line and at most 100 bytes", {}};
}

Result<std::optional<Instant>> expiry_of(const Value& body, Instant now) {
  const Value* text = body.find("expires_in");
  if (text == nullptr) return std::optional<Instant>();
  const auto after = parse_duration(text->is_string() ? text->as_string() : "");
  if (!after || *after <= Duration(0))
    return Error{ErrorCode::InvalidArgument, "`expires_in` is no duration", "write 30d, or leave it out"};
  return std::optional<Instant>(now + *after);
}

// What may be known of a token: everything but the hash.
Value token_value(const std::string& id, const std::string& record, Instant now) {
  const auto stored = parse_json(record);
  const Value known = stored ? *stored : Value();
  Value value;
  value["id"] = id;
  for (const char* name : {"role", "note", "created_at"}) value[name] = known.get_string(name);
  const std::string expires_at = known.get_string("expires_at");
  const auto until = parse_rfc3339(expires_at);
  value["expires_at"] = expires_at.empty() ? Value() : Value(expires_at);
  value["expired"] = !expires_at.empty() && (!until || *until <= now);
  return value;
}

Value audit_value(const store::AuditEntry& entry) {
  return Value::Object{{"seq", static_cast<std::int64_t>(entry.seq)},
                       {"at", to_rfc3339(entry.at)},
                       {"token", entry.token},
                       {"actor", entry.actor},
                       {"action", entry.action},
                       {"outcome", entry.outcome},
                       {"hash", entry.hash}};
}

}  // namespace

Result<http::Response> list_audit(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto limit, call.query_integer("limit", 50, 1, 1'000));
  SLIPWAY_TRY_ASSIGN(const auto before, call.query_integer("before", INT64_MAX, 1, INT64_MAX));
  SLIPWAY_TRY_ASSIGN(const auto reader, call.backend.store.read());
  SLIPWAY_TRY_ASSIGN(const auto entries, reader->audit(static_cast<std::uint64_t>(before), static_cast<int>(limit)));
  Value::Array list;
  for (const auto& entry : entries) list.push_back(audit_value(entry));
  const bool full = static_cast<std::int64_t>(entries.size()) == limit;
  Value body;
  body["audit"] = std::move(list);
  body["next"] = full ? Value(static_cast<std::int64_t>(entries.back().seq)) : Value();
  return reply(body);
}

Result<http::Response> list_tokens(const Call& call) {
  SLIPWAY_TRY_ASSIGN(const auto records, call.backend.store.blobs("token"));
  Value::Array tokens;
  for (const auto& [id, record] : records) tokens.push_back(token_value(id, record, call.backend.clock.now()));
  std::stable_sort(tokens.begin(), tokens.end(), [](const Value& a, const Value& b) {
    return a.get_string("created_at") < b.get_string("created_at");
  });
  Value body;
  body["tokens"] = std::move(tokens);
  return reply(body);
}

Result<http::Response> create_token(const Call& call) {
  const Instant now = call.backend.clock.now();
  SLIPWAY_TRY_ASSIGN(const auto role, role_of(call.body));
  SLIPWAY_TRY_ASSIGN(const auto note, note_of(call.body));
  SLIPWAY_TRY_ASSIGN(const auto expires_at, expiry_of(call.body, now));
  const auto token = vault::issue_token(role, note, now, expires_at);
  SLIPWAY_TRY(call.command(engine::SetToken{token.id, token.record}));
  Value body = token_value(token.id, token.record, now);
  body["token"] = token.text.reveal();
  return reply(body, 201);
}

Result<http::Response> revoke_token(const Call& call) {
  const std::string& id = call.at("id");
  SLIPWAY_TRY_ASSIGN(const auto records, call.backend.store.blobs("token"));
  if (records.count(id) == 0)
    return Error{ErrorCode::NotFound, "there is no token `" + id + "`", "slipway auth token list"};
  if (id == call.identity.token_id)
    return Error{ErrorCode::Conflict, "token `" + id + "` is the one that asks",
                 "revoke it with another admin's token"};
  SLIPWAY_TRY(call.command(engine::SetToken{id, std::nullopt}));
  return no_content();
}

}  // namespace slipway::api
