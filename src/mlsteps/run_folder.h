// The folder a training leaves behind, for people and for trackers:
//
//   OUTPUT/config.json     resolved settings, model, data digest, versions
//          process.log     what happened, one line each
//          metrics.jsonl   one line per report: step, loss, grad_norm, learning_rate, tokens_per_second, memory_bytes,
//          … loss.svg        the losses of metrics.jsonl as a picture checkpoint-N/ adapter/ final_model/ status.txt
//          written last; first word SUCCESS or FAILED, the finer state on line 2
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "slipway/base/time.h"
#include "slipway/ml/trainer.h"

namespace slipway::mlsteps {

class RunFolder {
 public:
  // Makes the folder and removes a status.txt of an earlier process.
  [[nodiscard]] static Result<RunFolder> open(const std::filesystem::path& path, const Clock& clock);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  // One line of process.log.
  void log(std::string_view line);
  // Appends a line to metrics.jsonl.
  [[nodiscard]] Result<void> add(const ml::StepReport& report);
  [[nodiscard]] Result<void> add(const ml::EvalReport& report);
  // Draws metrics.jsonl.
  [[nodiscard]] Result<void> write_loss_curve();
  // Removes the lines of metrics.jsonl behind `step`: those steps are taken again.
  [[nodiscard]] Result<void> keep_metrics_to(std::int64_t step);
  [[nodiscard]] Result<void> write_config(const Value& config);
  [[nodiscard]] Result<void> write_status(bool success, std::string_view state);

 private:
  RunFolder(std::filesystem::path path, const Clock& clock);
  Result<void> add_line(const Value& line);

  std::filesystem::path path_;
  const Clock* clock_;
  std::ofstream log_;
  std::ofstream metrics_;
};

}  // namespace slipway::mlsteps
