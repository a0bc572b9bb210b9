#include "slipway/vault/vault.h"

#include <algorithm>

#include "vault/private_file.h"
#include "vault/sodium.h"

namespace slipway::vault {
namespace {

constexpr char kVersion = '\x01';
constexpr const char* kCure =
    "restore the file, or delete the secrets and set them again: without their key they cannot be opened";

std::string associated_with(const std::string& name) { return "slipway secret 1:" + name; }

Result<std::string> read_key(const std::filesystem::path& file) {
  SLIPWAY_TRY_ASSIGN(auto text, read_private_file(file));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  auto key = from_hex(text);
  wipe(text.data(), text.size());
  if (!key || key->size() != Vault::kKeyBytes)
    return Error{ErrorCode::Corrupt, file.string() + " is no key: it must hold 64 hexadecimal digits", kCure};
  return key;
}

Result<std::string> create_key(const std::filesystem::path& file) {
  auto key = random_bytes(Vault::kKeyBytes);
  SLIPWAY_TRY(write_private_file(file, to_hex(key) + "\n", 0400));
  return key;
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

}  // namespace

Result<Vault> Vault::open(const std::filesystem::path& home, IfAbsent if_absent) {
  const auto file = home / "key";
  auto key = read_key(file);
  const bool absent = !key && key.error().code == ErrorCode::NotFound;
  if (absent && if_absent == IfAbsent::Create) key = create_key(file);
  if (absent && if_absent == IfAbsent::Refuse)
    return Error{ErrorCode::NotFound, "the key of the stored secrets, " + file.string() + ", does not exist", kCure};
  if (!key) return std::move(key).error();
  Vault vault;
  std::copy(key->begin(), key->end(), vault.key_.begin());
  wipe(key->data(), key->size());
  return vault;
}

Vault::Vault(Vault&& other) noexcept : key_(other.key_) { wipe(other.key_.data(), other.key_.size()); }

Vault& Vault::operator=(Vault&& other) noexcept {
  key_.swap(other.key_);
  return *this;
}

Vault::~Vault() { wipe(key_.data(), key_.size()); }

std::string Vault::seal(const std::string& name, const Secret& secret) const {
  const auto nonce = random_bytes(kNonceBytes);
  return kVersion + nonce + encrypt(secret.reveal(), associated_with(name), nonce, key_.data());
}

Result<Secret> Vault::unseal(const std::string& name, const std::string& sealed) const {
  const std::string_view bytes(sealed);
  if (bytes.size() < 1 + kNonceBytes + kTagBytes || bytes.front() != kVersion)
    return Error{ErrorCode::Corrupt, "secret " + name + " is not sealed in a known form", "set it again"};
  auto plain = decrypt(bytes.substr(1 + kNonceBytes), associated_with(name), bytes.substr(1, kNonceBytes), key_.data());
  if (!plain)
    return Error{ErrorCode::Corrupt, "secret " + name + ": " + plain.error().message,
                 "restore the key file it was sealed with, or set it again"};
  return Secret(*std::move(plain));
}

Result<Secret> SealedSecrets::get(const std::string& name) const {
  const auto found = sealed_.find(name);
  if (found == sealed_.end())
    return Error{ErrorCode::NotFound, "there is no secret " + name, "slipway secret set " + name};
  return vault_.unseal(name, found->second);
}

std::vector<std::string> SealedSecrets::names() const {
  std::vector<std::string> names;
  for (const auto& [name, sealed] : sealed_) names.push_back(name);
  return names;
}

bool is_secret_name(std::string_view name) {
  return !name.empty() && name.size() <= 100 && is_letter(name.front()) &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

}  // namespace slipway::vault
