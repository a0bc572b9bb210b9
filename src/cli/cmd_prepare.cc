#include <CLI/CLI.hpp>
#include <charconv>

#include "cli/exit_code.h"
#include "cli/ml_options.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "slipway/steps/ending.h"
#include "slipway/steps/prepare.h"

namespace slipway::cli {
namespace {

// The name under which data preparation scripts take the limit from their environment. The flag wins.
constexpr const char* kLimitVariable = "DATASET_LIMIT";

bool read_limit(const std::string& text, std::optional<std::int64_t>& limit) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  limit = value;
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

Handler setup_prepare(CLI::App& app) {
  auto options = std::make_shared<steps::PrepareOptions>();
  add_enum(app, "--from", options->from, steps::kPrepareFrom, "form of the input [reviews-csv]");
  app.add_option("--input", options->input, "file to read")->required();
  app.add_option("--output", options->output, "JSONL file to write")->required();
  app.add_option("--limit", options->limit, "rows to read, counted before those with gaps are dropped [all]");
  app.add_option("--id-column", options->id_column, "column of the CSV file [id]");
  app.add_option("--text-column", options->text_column, "column of the CSV file [reviewText]");
  app.add_option("--answer-column", options->answer_column, "column of the CSV file [scoreSentiment]");
  app.add_option("--eval-output", options->eval_output, "JSONL file for examples that are kept apart");
  app.add_option("--eval-input", options->eval_input, "take these from another file, whole");
  app.add_option("--eval-fraction", options->eval_fraction, "or take this share of the input, chosen by id");
  return [options](Session& session) {
    const std::string limit = session.variable(kLimitVariable);
    if (!options->limit && !limit.empty() && !read_limit(limit, options->limit))
      return session.usage(std::string(kLimitVariable) + " is `" + limit + "`, which is no number of rows");
    const auto report = steps::prepare(*options);
    const auto outputs = report ? Result<Value>(steps::to_value(*report)) : Result<Value>(report.error());
    return steps::end_step({session.out, session.err, session.variable("SLIPWAY_OUTPUT")}, outputs);
  };
}

}  // namespace slipway::cli
