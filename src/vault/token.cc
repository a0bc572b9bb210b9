#include "slipway/vault/token.h"

#include "slipway/base/value.h"
#include "vault/private_file.h"
#include "vault/sodium.h"

namespace slipway::vault {
namespace {

constexpr std::string_view kPrefix = "slw_";
constexpr std::size_t kIdBytes = 4;       // 8 hexadecimal digits
constexpr std::size_t kRandomBytes = 32;  // 43 characters of base64url

std::filesystem::path local_token_file(const std::filesystem::path& home) { return home / "token"; }

// The id in "slw_<id>_<random>"; nullopt for other texts. The random part may hold underscores, the id cannot.
std::optional<std::string> id_of(std::string_view text) {
  if (text.substr(0, kPrefix.size()) != kPrefix) return std::nullopt;
  const auto rest = text.substr(kPrefix.size());
  if (rest.size() <= 2 * kIdBytes || rest[2 * kIdBytes] != '_') return std::nullopt;
  return std::string(rest.substr(0, 2 * kIdBytes));
}

Result<Identity> judge(const std::string& id, const Value& record, std::string_view text, Instant now) {
  const Error unauthorized{ErrorCode::Unauthorized, "the token is not valid", "slipway auth token create"};
  if (!equal_in_constant_time(to_hex(sha256(text)), record.get_string("sha256"))) return unauthorized;
  const auto role = kRoles.parse(record.get_string("role"));
  if (!role) return unauthorized;
  if (const Value* expires = record.find("expires_at"); expires != nullptr && !expires->is_null()) {
    const auto until = parse_rfc3339(expires->is_string() ? expires->as_string() : "");
    if (!until || *until <= now)
      return Error{ErrorCode::Unauthorized, "the token has expired", "slipway auth token create"};
  }
  return Identity{.token_id = id, .role = *role, .note = record.get_string("note")};
}

}  // namespace

IssuedToken issue_token(Role role, std::string_view note, Instant now, std::optional<Instant> expires_at) {
  IssuedToken token;
  token.id = to_hex(random_bytes(kIdBytes));
  token.text = Secret(std::string(kPrefix) + token.id + "_" + to_base64(random_bytes(kRandomBytes), Base64::Url));
  Value record;
  record["role"] = kRoles.text(role);
  record["note"] = note;
  record["created_at"] = to_rfc3339(now);
  if (expires_at) record["expires_at"] = to_rfc3339(*expires_at);
  record["sha256"] = to_hex(sha256(token.text.reveal()));
  token.record = record.dump();
  return token;
}

Result<Identity> authenticate(std::string_view text, const std::map<std::string, std::string>& records, Instant now) {
  const auto id = id_of(text);
  const auto found = id ? records.find(*id) : records.end();
  // An unknown id costs the same hash as a known one.
  const auto record = parse_json(found == records.end() ? "{}" : found->second);
  return judge(id.value_or(""), record ? *record : Value(), text, now);
}

Result<std::optional<IssuedToken>> ensure_local_token(const std::filesystem::path& home,
                                                      const std::map<std::string, std::string>& records, Instant now) {
  const auto existing = read_local_token(home);
  if (existing && authenticate(existing->reveal(), records, now)) return std::optional<IssuedToken>();
  if (!existing && existing.error().code != ErrorCode::NotFound) return existing.error();
  auto token = issue_token(Role::Admin, "local", now);
  SLIPWAY_TRY(write_private_file(local_token_file(home), token.text.reveal() + "\n", 0600));
  return std::optional<IssuedToken>(std::move(token));
}

Result<Secret> read_local_token(const std::filesystem::path& home) {
  SLIPWAY_TRY_ASSIGN(auto text, read_private_file(local_token_file(home)));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return Secret(std::move(text));
}

}  // namespace slipway::vault
