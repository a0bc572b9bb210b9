// A prober without a world: targets are there when the test says so. What it watches dies with the daemon.
#pragma once

#include <map>
#include <set>
#include <string>

#include "slipway/engine/engine.h"

namespace slipway::test {

class FakeProber final : public engine::Prober {
 public:
  void watch(const engine::Look& look) override { watched.insert_or_assign({look.run, look.key}, look); }
  void forget(const RunId& run, const TaskKey& key) override { watched.erase({run, key}); }

  // Looks at everything once, and tells.
  void look(engine::Engine& engine, const std::set<std::string>& there) {
    for (const auto& [id, look] : std::map(watched)) {
      const bool met = there.count(look.target) != 0;
      engine.on_seen({look.run, look.key, look.generation, met, met ? look.target + " is there" : "nothing yet"});
    }
  }

  std::map<std::pair<RunId, TaskKey>, engine::Look> watched;
};

}  // namespace slipway::test
