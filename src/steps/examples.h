// Where examples come from: each reader gives lines of JSONL, with what tells examples of one origin apart.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "slipway/steps/prepare.h"

namespace slipway::steps {

struct Example {
  std::string origin;  // examples of the same origin stay on the same side of a split
  std::string line;    // JSON without line break
};

struct Examples {
  std::vector<Example> list;
  std::int64_t rows_read = 0;
  std::int64_t rows_dropped = 0;
};

// As the script of seeds/000 makes them: pandas.read_csv(nrows=limit), dropna, json.dumps({"text": …}).
[[nodiscard]] Result<Examples> read_reviews_csv(const std::filesystem::path& file, const PrepareOptions& options,
                                                std::optional<std::int64_t> limit);

// A list of objects with the texts `instruction`, `output` and, where there is one, `input`.
[[nodiscard]] Result<Examples> read_alpaca_json(const std::filesystem::path& file, std::optional<std::int64_t> limit);

}  // namespace slipway::steps
