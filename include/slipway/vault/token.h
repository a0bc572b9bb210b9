// API tokens: "slw_<id>_<random>". 256 random bits need no slow hash: only their SHA-256 is stored.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "slipway/base/enum_table.h"
#include "slipway/base/result.h"
#include "slipway/base/secret.h"
#include "slipway/base/time.h"

namespace slipway::vault {

// Each includes the ones before it.
enum class Role : unsigned char { Viewer, Operator, Author, Admin };
inline constexpr EnumTable<Role, 4> kRoles{{{
    {Role::Viewer, "viewer", "reads everything but secret values"},
    {Role::Operator, "operator", "also starts, cancels, retries and pauses"},
    {Role::Author, "author", "also sets variables and secrets"},
    {Role::Admin, "admin", "also stops services and manages tokens"},
}}};

// Whom a request speaks for.
struct Identity {
  std::string token_id;
  Role role = Role::Viewer;
  std::string note;  // what its maker called it

  bool operator==(const Identity&) const = default;
};

struct IssuedToken {
  std::string id;      // 8 characters, public
  Secret text;         // shown once
  std::string record;  // what is stored under `id`: role, note, instants and the hash; JSON
};

[[nodiscard]] IssuedToken issue_token(Role role, std::string_view note, Instant now,
                                      std::optional<Instant> expires_at = std::nullopt);

// Whom `text` speaks for, given the stored records by id. Unauthorized for everything else; the error does not say
// whether the id exists. Takes the same time wherever the hash differs.
[[nodiscard]] Result<Identity> authenticate(std::string_view text, const std::map<std::string, std::string>& records,
                                            Instant now);

// <home>/token (mode 0600): the admin token of whoever owns the home, for the command line and the page on loopback.
// Writes a new one if the file is absent or its token is not among `records`, and returns it: the caller stores the
// record before it serves.
[[nodiscard]] Result<std::optional<IssuedToken>> ensure_local_token(const std::filesystem::path& home,
                                                                    const std::map<std::string, std::string>& records,
                                                                    Instant now);
// NotFound where no daemon was started on this home yet.
[[nodiscard]] Result<Secret> read_local_token(const std::filesystem::path& home);

}  // namespace slipway::vault
