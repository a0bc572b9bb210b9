// A thread beside the engine: looks at the database file once after a start, and removes what retention lets go, once
// an hour. What it writes goes through the engine in slices.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "slipway/base/log.h"
#include "slipway/engine/engine.h"
#include "slipway/engine/prune.h"

namespace slipway::cli {

class Janitor {
 public:
  // All references outlive it; the engine runs until after its end.
  Janitor(engine::Engine& engine, const store::Store& store, std::string home, engine::Retention retention,
          const Clock& clock, Logger log);
  // Returns once the slice at hand is done.
  ~Janitor();

  // Any thread: what the look at the file found; nullopt while nothing.
  [[nodiscard]] std::optional<Error> finding() const;

 private:
  void work();
  void look_at_file();
  void tidy();
  // False: it is time to end.
  bool rest(Duration time);
  [[nodiscard]] bool ending() const;

  engine::Engine& engine_;
  const store::Store& store_;
  const std::string home_;
  const engine::Retention retention_;
  const Clock& clock_;
  const Logger log_;

  mutable std::mutex mutex_;
  std::condition_variable woken_;
  bool ending_ = false;           // guarded by mutex_
  std::optional<Error> finding_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace slipway::cli
