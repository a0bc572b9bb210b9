// What was committed of backfills, checked by the sentences of the contract.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

#include "sim/random_dag.h"
#include "slipway/run/snapshot.h"
#include "slipway/store/store.h"

namespace slipway::sim {

class BackfillLedger {
 public:
  using Runs = std::map<RunId, run::Run>;
  explicit BackfillLedger(std::function<void(const std::string&)> accuse) : accuse_(std::move(accuse)) {}

  void know(const SimDag& dag);
  // Of each batch, in this order: before its events; at those that make a run or open one again; that start one; after.
  void begin(const store::Batch& batch);
  void opened(const run::Run& run);
  void started(const run::Run& run, const Runs& runs) const;
  void end(const store::Batch& batch, const Runs& runs);

  void compare(const run::Snapshot& snapshot) const;
  void compare(const store::Recovered& recovered) const;
  [[nodiscard]] bool is_quiet() const;  // every one has ended
  // The newest that has not ended, or "none".
  [[nodiscard]] std::string open_one() const;

 private:
  void check_ended(const run::Backfill& backfill, const Runs& runs) const;

  std::function<void(const std::string&)> accuse_;
  std::map<DagId, Duration> every_;  // between the ticks of a DAG's schedule
  std::map<std::string, run::Backfill> known_;
  std::map<std::string, std::map<RunId, Instant>> members_;  // runs that were ever opened for it, and their ticks
  std::map<std::string, Instant> last_;                      // the last tick of which a run was opened
  std::set<std::string> stopped_;                            // no more ticks were to be dealt with
};

}  // namespace slipway::sim
