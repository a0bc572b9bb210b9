// Base64 (RFC 4648, section 4) with padding, as mail and signatures want it. Secrets are the vault's business.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace slipway {

[[nodiscard]] std::string to_base64(std::string_view bytes);
// The inverse; nullopt for anything else, also for missing padding and bits that are not zero.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

}  // namespace slipway
