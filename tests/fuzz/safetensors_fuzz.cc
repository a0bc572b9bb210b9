// Any header is read or refused; what is read lies inside its data, without overlap or hole.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "ml/io/safetensors_header.h"
#include "slipway/base/assert.h"

// The first byte is the size of the data, the rest the header.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::ml;
  if (size == 0) return 0;
  const auto header = parse_header(std::string_view(reinterpret_cast<const char*>(data) + 1, size - 1), data[0]);
  if (!header) {
    SLIPWAY_ASSERT(!header.error().message.empty());
    return 0;
  }
  std::size_t at = 0;
  for (const TensorEntry& entry : header->tensors) {
    SLIPWAY_ASSERT(entry.begin == at && entry.spec.byte_count() == entry.end - entry.begin);
    at = entry.end;
  }
  SLIPWAY_ASSERT(at == data[0]);
  return 0;
}
