#include "ml/io/json_file.h"

#include "slipway/base/file.h"

namespace slipway::ml {

Result<Value> read_json_file(const std::filesystem::path& file, std::size_t bytes_max) {
  SLIPWAY_TRY_ASSIGN(const std::string text, read_whole_file(file, bytes_max));
  auto value = parse_json(text, {.bytes_max = bytes_max});
  if (!value) return Error{ErrorCode::Corrupt, file.string() + ": " + value.error().message, value.error().help};
  return value;
}

}  // namespace slipway::ml
