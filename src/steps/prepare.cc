#include "slipway/steps/prepare.h"

#include <fmt/format.h>

#include "slipway/base/file.h"
#include "slipway/base/rng.h"
#include "steps/examples.h"

namespace slipway::steps {
namespace {

Error usage(std::string message, std::string help) {
  return {ErrorCode::InvalidArgument, std::move(message), std::move(help)};
}

Result<void> check(const PrepareOptions& options) {
  if (options.input.empty() || options.output.empty()) return usage("an input and an output are needed", "");
  if (options.limit && *options.limit < 1)
    return usage(fmt::format("a limit of {} rows", *options.limit), "leave it out for all");
  if (!(options.eval_fraction >= 0 && options.eval_fraction < 1))
    return usage(fmt::format("an evaluation share of {}", options.eval_fraction),
                 "choose it from 0 up to, not including, 1");
  const int sources = (options.eval_input.empty() ? 0 : 1) + (options.eval_fraction > 0 ? 1 : 0);
  if (sources == 2) return usage("both an evaluation input and an evaluation share", "choose one");
  if ((sources == 1) != !options.eval_output.empty())
    return usage("an evaluation output needs an evaluation input or share, and the other way round", "give both");
  if (!options.eval_output.empty() && options.eval_output.lexically_normal() == options.output.lexically_normal())
    return usage("the evaluation output is the output", "choose another file");
  return {};
}

Result<Examples> read(const std::filesystem::path& file, const PrepareOptions& options,
                      std::optional<std::int64_t> limit) {
  switch (options.from) {
    case PrepareFrom::ReviewsCsv: return read_reviews_csv(file, options, limit);
    case PrepareFrom::AlpacaJson: return read_alpaca_json(file, limit);
  }
  return Examples{};
}

bool kept_apart(const Example& example, double fraction) { return Rng(stable_hash(example.origin)).chance(fraction); }

Error nothing_left(const std::filesystem::path& file, const Examples& examples) {
  return {ErrorCode::InvalidArgument,
          fmt::format("{}: no example is left of {} rows, {} have a gap", file.string(), examples.rows_read,
                      examples.rows_dropped),
          "check the columns and the limit"};
}

}  // namespace

Value to_value(const PrepareReport& report) {
  return Value::Object{{"rows_read", report.rows_read},
                       {"rows_written", report.rows_written},
                       {"rows_dropped", report.rows_dropped},
                       {"eval_rows", report.eval_rows}};
}

Result<PrepareReport> prepare(const PrepareOptions& options) {
  SLIPWAY_TRY(check(options));
  SLIPWAY_TRY_ASSIGN(const Examples examples, read(options.input, options, options.limit));
  PrepareReport report{.rows_read = examples.rows_read, .rows_dropped = examples.rows_dropped};
  std::string lines;
  std::string eval_lines;
  for (const Example& example : examples.list) {
    const bool apart = kept_apart(example, options.eval_fraction);
    (apart ? eval_lines : lines) += example.line + "\n";
    ++(apart ? report.eval_rows : report.rows_written);
  }
  if (report.rows_written == 0) return nothing_left(options.input, examples);
  if (!options.eval_input.empty()) {
    SLIPWAY_TRY_ASSIGN(const Examples held_out, read(options.eval_input, options, std::nullopt));
    for (const Example& example : held_out.list) eval_lines += example.line + "\n";
    report.eval_rows = static_cast<std::int64_t>(held_out.list.size());
    if (report.eval_rows == 0) return nothing_left(options.eval_input, held_out);
  }
  if (!options.eval_output.empty()) SLIPWAY_TRY(write_whole_file(options.eval_output, eval_lines));
  SLIPWAY_TRY(write_whole_file(options.output, lines));
  return report;
}

}  // namespace slipway::steps
