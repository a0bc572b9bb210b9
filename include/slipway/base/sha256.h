// SHA-256 (FIPS 180-4), for names made from contents: DAG versions, cache keys. Secrets are the vault's business.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace slipway {

[[nodiscard]] std::array<std::uint8_t, 32> sha256(std::string_view bytes);
// 64 lower-case hexadecimal digits.
[[nodiscard]] std::string sha256_hex(std::string_view bytes);

}  // namespace slipway
