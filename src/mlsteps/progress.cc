#include "mlsteps/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace slipway::mlsteps {
namespace {

std::string with_thousands(double number) {
  std::string digits = fmt::format("{:.0f}", number);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), 1, ',');
  return digits;
}

std::string rough_duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::ceil(seconds));
  if (whole >= 3600) return fmt::format("{}h{}m", whole / 3600, whole % 3600 / 60);
  if (whole >= 60) return fmt::format("{}m{}s", whole / 60, whole % 60);
  return fmt::format("{}s", whole);
}

}  // namespace

std::string progress_for_people(const ml::StepReport& report) {
  return fmt::format("step {}/{} loss {:.3f} lr {:.1e} grad_norm {:.2g} {} tok/s eta {}", report.step, report.steps,
                     report.loss, report.learning_rate, report.grad_norm, with_thousands(report.tokens_per_second),
                     rough_duration(report.eta_s));
}

std::string progress_bar(const ml::StepReport& report, int columns) {
  constexpr std::size_t kCells = 20;
  const double share = report.steps > 0 ? static_cast<double>(report.step) / static_cast<double>(report.steps) : 1;
  const auto done = static_cast<std::size_t>(share * static_cast<double>(kCells));
  std::string cells(done, '=');
  if (done < kCells) cells += '>' + std::string(kCells - done - 1, ' ');
  const std::string line =
      fmt::format("{:3.0f}% [{}] {}/{} loss {:.3f} {} tok/s eta {}", std::floor(100 * share), cells, report.step,
                  report.steps, report.loss, with_thousands(report.tokens_per_second), rough_duration(report.eta_s));
  return line.substr(0, static_cast<std::size_t>(std::max(columns - 1, 0)));
}

std::string evaluation_for_people(const ml::EvalReport& report) {
  return fmt::format("evaluation after step {}: loss {:.4f} on {} samples ({:.1f} s)", report.step, report.loss,
                     report.samples, report.seconds);
}

std::string progress_for_machines(const ml::StepReport& report) {
  return fmt::format(R"(progress {{"step":{},"steps":{},"loss":{:.6g},"eta_s":{:.1f}}})", report.step, report.steps,
                     report.loss, report.eta_s);
}

}  // namespace slipway::mlsteps
