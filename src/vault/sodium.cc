#include "vault/sodium.h"

#include <sodium.h>

namespace slipway::vault {
namespace {

static_assert(kNonceBytes == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
static_assert(kTagBytes == crypto_aead_xchacha20poly1305_ietf_ABYTES);

const unsigned char* octets(std::string_view bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }
unsigned char* octets(std::string& bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

// Safe to call again, from any thread; a machine without a random source cannot keep secrets.
void initialise() { SLIPWAY_ASSERT(sodium_init() >= 0); }

}  // namespace

std::string random_bytes(std::size_t count) {
  initialise();
  std::string bytes(count, '\0');
  randombytes_buf(bytes.data(), bytes.size());
  return bytes;
}

std::string sha256(std::string_view bytes) {
  std::string hash(crypto_hash_sha256_BYTES, '\0');
  crypto_hash_sha256(octets(hash), octets(bytes), bytes.size());
  return hash;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

void wipe(void* data, std::size_t size) { sodium_memzero(data, size); }

std::string to_base64(std::string_view bytes, Base64 alphabet) {
  const int variant =
      alphabet == Base64::Url ? sodium_base64_VARIANT_URLSAFE_NO_PADDING : sodium_base64_VARIANT_ORIGINAL_NO_PADDING;
  std::string text(sodium_base64_encoded_len(bytes.size(), variant), '\0');
  sodium_bin2base64(text.data(), text.size(), octets(bytes), bytes.size(), variant);
  text.pop_back();  // the terminating NUL
  return text;
}

std::string to_hex(std::string_view bytes) {
  std::string text(bytes.size() * 2 + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), octets(bytes), bytes.size());
  text.pop_back();
  return text;
}

Result<std::string> from_hex(std::string_view text) {
  std::string bytes(text.size() / 2, '\0');
  std::size_t size = 0;
  const int code = sodium_hex2bin(octets(bytes), bytes.size(), text.data(), text.size(), nullptr, &size, nullptr);
  if (code != 0 || size * 2 != text.size()) return Error{ErrorCode::InvalidArgument, "the text is no hexadecimal", {}};
  return bytes;
}

std::string encrypt(std::string_view plain, std::string_view associated, std::string_view nonce,
                    const unsigned char* key) {
  SLIPWAY_ASSERT(nonce.size() == kNonceBytes);
  std::string cipher(plain.size() + kTagBytes, '\0');
  unsigned long long size = 0;
  crypto_aead_xchacha20poly1305_ietf_encrypt(octets(cipher), &size, octets(plain), plain.size(), octets(associated),
                                             associated.size(), nullptr, octets(nonce), key);
  SLIPWAY_ASSERT(size == cipher.size());
  return cipher;
}

Result<std::string> decrypt(std::string_view cipher, std::string_view associated, std::string_view nonce,
                            const unsigned char* key) {
  const Error corrupt{ErrorCode::Corrupt, "the sealed bytes do not open with this key and name", {}};
  if (nonce.size() != kNonceBytes || cipher.size() < kTagBytes) return corrupt;
  std::string plain(cipher.size() - kTagBytes, '\0');
  const int code =
      crypto_aead_xchacha20poly1305_ietf_decrypt(octets(plain), nullptr, nullptr, octets(cipher), cipher.size(),
                                                 octets(associated), associated.size(), octets(nonce), key);
  if (code != 0) return corrupt;
  return plain;
}

}  // namespace slipway::vault
