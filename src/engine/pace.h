// How long the attempts of a DAG usually take, for opening some ahead of free slots: docs/adr/0003-launching-ahead.md.
#pragma once

#include "slipway/base/time.h"

namespace slipway::engine {

class Pace {
 public:
  // An attempt that took so long has ended.
  void add(Duration took);
  // How many attempts to open beyond `slots`: what all slots together get through in 50 ms, at most `most`; none where
  // one attempt alone is longer than that.
  [[nodiscard]] int ahead(int slots, int most) const;

 private:
  // Follows a long attempt at once and short ones slowly; long until it is known better.
  Duration usual_ = std::chrono::seconds(1);
};

}  // namespace slipway::engine
