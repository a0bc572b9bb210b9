#include "slipway/base/secret.h"

#include <cstring>

namespace slipway {

void Secret::wipe() noexcept {
  explicit_bzero(text_.data(), text_.size());
  text_.clear();
}

}  // namespace slipway
