// Secrets at rest. Each is sealed with the home's key and bound to its name, so that sealed bytes moved to another name
// do not open. The key lives beside the database, never in it: a stolen backup of the database holds no secret.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "slipway/base/result.h"
#include "slipway/base/secret.h"

namespace slipway::vault {

// The key of one home. Thread-safe after construction; the memory is wiped at the end.
class Vault final {
 public:
  static constexpr std::size_t kKeyBytes = 32;

  enum class IfAbsent : unsigned char { Create, Refuse };
  // Reads <home>/key. Create makes one (mode 0400) where there is none; Refuse (for homes that hold sealed secrets
  // already) is NotFound then, because a new key opens none of them. Forbidden: others may read the file.
  [[nodiscard]] static Result<Vault> open(const std::filesystem::path& home, IfAbsent if_absent);

  Vault(Vault&& other) noexcept;
  Vault& operator=(Vault&& other) noexcept;
  Vault(const Vault&) = delete;
  Vault& operator=(const Vault&) = delete;
  ~Vault();

  // XChaCha20-Poly1305 with a random nonce, the name as associated data: version byte, nonce, ciphertext, tag.
  [[nodiscard]] std::string seal(const std::string& name, const Secret& secret) const;
  // Corrupt: changed bytes, another name or another key.
  [[nodiscard]] Result<Secret> unseal(const std::string& name, const std::string& sealed) const;

 private:
  Vault() = default;

  std::array<unsigned char, kKeyBytes> key_{};
};

// Sealed secrets by name, opened on demand. One thread at a time.
class SealedSecrets final {
 public:
  // `vault` must outlive this.
  SealedSecrets(const Vault& vault, std::map<std::string, std::string> sealed)
      : vault_(vault), sealed_(std::move(sealed)) {}

  // NotFound, naming it; Corrupt.
  [[nodiscard]] Result<Secret> get(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> names() const;
  void set(const std::string& name, std::string sealed) { sealed_.insert_or_assign(name, std::move(sealed)); }
  void erase(const std::string& name) { sealed_.erase(name); }

 private:
  const Vault& vault_;
  std::map<std::string, std::string> sealed_;
};

// Whether `name` can be a secret's: [A-Za-z_][A-Za-z0-9_]*, at most 100 bytes, because tasks get it as an environment
// variable.
[[nodiscard]] bool is_secret_name(std::string_view name);
// Longest value that can be sealed.
inline constexpr std::size_t kSecretBytesMax = 64U << 10U;

}  // namespace slipway::vault
