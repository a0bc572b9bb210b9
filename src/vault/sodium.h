// What this layer needs of libsodium, as values. No other file includes sodium.h.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "slipway/base/result.h"

namespace slipway::vault {

[[nodiscard]] std::string random_bytes(std::size_t count);
[[nodiscard]] std::string sha256(std::string_view bytes);
// In a time that depends on the lengths only.
[[nodiscard]] bool equal_in_constant_time(std::string_view a, std::string_view b);
void wipe(void* data, std::size_t size);

enum class Base64 : unsigned char { Standard, Url };
// Without padding.
[[nodiscard]] std::string to_base64(std::string_view bytes, Base64 alphabet);
[[nodiscard]] std::string to_hex(std::string_view bytes);
// InvalidArgument for anything but pairs of hexadecimal digits.
[[nodiscard]] Result<std::string> from_hex(std::string_view text);

// XChaCha20-Poly1305 (IETF). `nonce` has kNonceBytes, `key` 32 bytes.
inline constexpr std::size_t kNonceBytes = 24;
inline constexpr std::size_t kTagBytes = 16;
[[nodiscard]] std::string encrypt(std::string_view plain, std::string_view associated, std::string_view nonce,
                                  const unsigned char* key);
// Corrupt if anything differs from what was encrypted.
[[nodiscard]] Result<std::string> decrypt(std::string_view cipher, std::string_view associated, std::string_view nonce,
                                          const unsigned char* key);

}  // namespace slipway::vault
