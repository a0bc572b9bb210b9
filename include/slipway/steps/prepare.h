// `slipway prepare`: a table or list of examples in, JSONL to train on out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "slipway/base/enum_table.h"
#include "slipway/base/value.h"

namespace slipway::steps {

enum class PrepareFrom : std::uint8_t { ReviewsCsv, AlpacaJson };

inline constexpr EnumTable<PrepareFrom, 2> kPrepareFrom{{{
    {PrepareFrom::ReviewsCsv, "reviews-csv",
     "rows of a CSV file, read as pandas reads it, to lines {\"text\"}: a question, its context and its answer"},
    {PrepareFrom::AlpacaJson, "alpaca-json", "a JSON list of {instruction, input, output} to one such object per line"},
}}};

struct PrepareOptions {
  PrepareFrom from = PrepareFrom::ReviewsCsv;
  std::filesystem::path input;
  std::filesystem::path output;
  // Rows read, counted before rows with gaps are dropped (pandas.read_csv(nrows=…)).
  std::optional<std::int64_t> limit;

  // Columns of the CSV file. A row with a gap in one of them is dropped.
  std::string id_column = "id";
  std::string text_column = "reviewText";
  std::string answer_column = "scoreSentiment";

  // Examples kept apart for evaluation, written in the same form. Either another input, read whole, or a share of this
  // one, chosen by the id (the first field of a list), so that one film is never on both sides.
  std::filesystem::path eval_output;
  std::filesystem::path eval_input;
  double eval_fraction = 0;
};

struct PrepareReport {
  std::int64_t rows_read = 0;  // of `input`
  std::int64_t rows_written = 0;
  std::int64_t rows_dropped = 0;  // gaps
  std::int64_t eval_rows = 0;     // written to eval_output
};

// {"rows_read", "rows_written", "rows_dropped", "eval_rows"}, for $SLIPWAY_OUTPUT.
[[nodiscard]] Value to_value(const PrepareReport& report);

// Each output appears whole or not at all. Errors name file, line and column, the cause and the cure: InvalidArgument
// (options, a missing column, nothing left), Corrupt (no CSV or JSON), NotFound, Io.
[[nodiscard]] Result<PrepareReport> prepare(const PrepareOptions& options);

}  // namespace slipway::steps
