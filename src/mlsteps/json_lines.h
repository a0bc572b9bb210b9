// JSONL files, whole.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "slipway/base/value.h"
#include "slipway/ml/tokenizer.h"

namespace slipway::mlsteps {

struct JsonLine {
  Value value;        // an object
  std::string where;  // "in.jsonl:3"
};

// Every line that is not blank. The error names file and line.
[[nodiscard]] Result<std::vector<JsonLine>> read_json_lines(const std::filesystem::path& file);
[[nodiscard]] Result<void> write_json_lines(const std::filesystem::path& file, const std::vector<Value>& lines);

// The member `name` as token ids below `vocabulary`.
[[nodiscard]] Result<std::vector<ml::TokenId>> token_ids(const JsonLine& line, std::string_view name,
                                                         std::int64_t vocabulary);
[[nodiscard]] Value::Array to_values(const std::vector<ml::TokenId>& ids);

}  // namespace slipway::mlsteps
