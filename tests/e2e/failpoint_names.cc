// The names of all failpoints, one a line, for tests/e2e/failpoints.py.
#include <cstdio>

#include "slipway/base/failpoint.h"

int main() {
  for (const auto& row : slipway::kFailpoints.rows())
    std::printf("%.*s\n", static_cast<int>(row.text.size()), row.text.data());
}
