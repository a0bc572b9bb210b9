// The tracker of one training, chosen by options and environment, and what it is told.
#pragma once

#include <filesystem>
#include <memory>

#include "slipway/mlsteps/tracker.h"
#include "slipway/mlsteps/train.h"

namespace slipway::mlsteps {

class TrainTracking {
 public:
  // The folder or server that --mlruns or MLFLOW_TRACKING_URI names; empty without, and if MLFLOW_ENABLE=false says no
  // to the variable. InvalidArgument: a file URI that names no path of this machine.
  [[nodiscard]] static Result<std::string> find_place(const TrainOptions& options, const StepIo& io);

  // `place` as find_place() gives it.
  TrainTracking(const TrainOptions& options, std::string place, const StepIo& io, TrackerNote note);

  // `record`: what config.json holds. A training that goes on from a checkpoint goes on with its run, too.
  void start(const Value& record, bool resumed);
  void report(const ml::StepReport& report);
  void report(const ml::EvalReport& report);
  void end(RunStatus status);  // nothing if it was not started

 private:
  [[nodiscard]] std::filesystem::path id_file() const;
  void remember();

  const TrainOptions& options_;
  const StepIo& io_;
  std::string place_;  // folder or server; empty: no tracker
  std::unique_ptr<Tracker> tracker_;
  bool started_ = false;
  std::string remembered_;  // the id that the file holds
};

}  // namespace slipway::mlsteps
