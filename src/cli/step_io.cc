#include "cli/step_io.h"

#include <sys/ioctl.h>
#include <unistd.h>

namespace slipway::cli {

int error_columns() {
  constexpr int kUsual = 80;
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsual;
}

}  // namespace slipway::cli
