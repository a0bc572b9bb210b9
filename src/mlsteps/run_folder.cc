#include "mlsteps/run_folder.h"

#include "mlsteps/loss_curve.h"
#include "slipway/base/file.h"
#include "slipway/ml/memory.h"

namespace slipway::mlsteps {
namespace {

constexpr std::size_t kMetricsBytesMax = std::size_t{1} << 30U;

Value to_value(const ml::StepReport& report) {
  return Value::Object{{"step", report.step},
                       {"epoch", report.epoch},
                       {"loss", report.loss},
                       {"grad_norm", report.grad_norm},
                       {"learning_rate", report.learning_rate},
                       {"tokens_per_second", report.tokens_per_second},
                       {"tokens", report.tokens},
                       {"eta_s", report.eta_s},
                       {"memory_bytes", static_cast<std::int64_t>(ml::resident_memory())}};
}

Value to_value(const ml::EvalReport& report) {
  return Value::Object{{"step", report.step},          {"epoch", report.epoch},
                       {"eval_loss", report.loss},     {"eval_samples", report.samples},
                       {"eval_labels", report.labels}, {"eval_runtime", report.seconds}};
}

// The losses under `name` in lines of metrics.jsonl.
std::vector<CurvePoint> curve(std::string_view lines, std::string_view name) {
  std::vector<CurvePoint> points;
  for (std::size_t begin = 0; begin < lines.size();) {
    const std::size_t end = std::min(lines.find('\n', begin), lines.size());
    const auto line = parse_json(lines.substr(begin, end - begin));
    const Value* loss = line ? line->find(name) : nullptr;
    if (loss != nullptr && loss->is_number()) points.push_back({line->get_int("step"), loss->as_double()});
    begin = end + 1;
  }
  return points;
}

}  // namespace

RunFolder::RunFolder(std::filesystem::path path, const Clock& clock)
    : path_(std::move(path)),
      clock_(&clock),
      log_(path_ / "process.log", std::ios::app),
      metrics_(path_ / "metrics.jsonl", std::ios::app) {}

Result<RunFolder> RunFolder::open(const std::filesystem::path& path, const Clock& clock) {
  std::error_code failure;
  std::filesystem::create_directories(path, failure);
  if (failure) return errno_error("making " + path.string(), failure.value());
  std::filesystem::remove(path / "status.txt", failure);
  RunFolder folder(path, clock);
  if (!folder.log_ || !folder.metrics_) return Error{ErrorCode::Io, path.string() + " cannot be written to", {}};
  return folder;
}

void RunFolder::log(std::string_view line) { log_ << to_rfc3339(clock_->now()) << " " << line << std::endl; }

Result<void> RunFolder::add(const ml::StepReport& report) { return add_line(to_value(report)); }

Result<void> RunFolder::add(const ml::EvalReport& report) { return add_line(to_value(report)); }

Result<void> RunFolder::write_loss_curve() {
  SLIPWAY_TRY_ASSIGN(const std::string lines, read_whole_file(path_ / "metrics.jsonl", kMetricsBytesMax));
  return write_whole_file(path_ / "loss.svg", loss_curve_svg(curve(lines, "loss"), curve(lines, "eval_loss")));
}

Result<void> RunFolder::add_line(const Value& line) {
  metrics_ << line.dump() << "\n" << std::flush;
  if (!metrics_) return Error{ErrorCode::Io, "writing " + (path_ / "metrics.jsonl").string() + " failed", {}};
  return {};
}

Result<void> RunFolder::keep_metrics_to(std::int64_t step) {
  const auto file = path_ / "metrics.jsonl";
  SLIPWAY_TRY_ASSIGN(const std::string all, read_whole_file(file, kMetricsBytesMax));
  std::string kept;
  for (std::size_t begin = 0; begin < all.size();) {
    const std::size_t end = std::min(all.find('\n', begin), all.size());
    const std::string line = all.substr(begin, end - begin);
    const auto value = parse_json(line);
    if (value && value->get_int("step", step + 1) <= step) kept += line + "\n";
    begin = end + 1;
  }
  metrics_.close();
  SLIPWAY_TRY(write_whole_file(file, kept));
  metrics_.open(file, std::ios::app);
  return {};
}

Result<void> RunFolder::write_config(const Value& config) {
  return write_whole_file(path_ / "config.json", config.dump_pretty() + "\n");
}

Result<void> RunFolder::write_status(bool success, std::string_view state) {
  const std::string word = success ? "SUCCESS" : "FAILED";
  return write_whole_file(path_ / "status.txt", word + "\n" + std::string(state) + "\n");
}

}  // namespace slipway::mlsteps
