// Any bytes are read as CSV or refused with a place; lines never run backwards.
#include <cstddef>
#include <cstdint>
#include <sstream>

#include "slipway/base/assert.h"
#include "steps/csv.h"
#include "steps/python.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::steps;
  std::istringstream in(std::string(reinterpret_cast<const char*>(data), size));
  CsvReader reader(in, "f");
  std::vector<std::string> fields;
  std::vector<std::string> column;
  for (std::int64_t line = 0;; line = reader.line()) {
    const auto more = reader.next(fields);
    if (!more) SLIPWAY_ASSERT(more.error().message.starts_with("f:") && !more.error().help.empty());
    if (!more || !*more) break;
    SLIPWAY_ASSERT(!fields.empty() && reader.line() > line);
    column.push_back(fields.back());
    SLIPWAY_ASSERT(json_string(fields.back()).size() >= fields.back().size() / 4);
  }
  SLIPWAY_ASSERT(typed_column(column).size() == column.size());
  return 0;
}
