#include "slipway/base/fd.h"

#include <unistd.h>

namespace slipway {

void Fd::reset() noexcept {
  if (fd_ >= 0) ::close(release());
}

}  // namespace slipway
