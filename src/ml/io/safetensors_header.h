// The header of a safetensors file: parsed and checked against the size of the file, nothing else.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "slipway/ml/safetensors.h"

namespace slipway::ml {

struct TensorEntry {
  TensorSpec spec;
  std::size_t begin = 0;  // of the data section
  std::size_t end = 0;
};

struct SafetensorsHeader {
  std::vector<TensorEntry> tensors;  // in the order of their bytes
  SafetensorsMetadata metadata;
};

// `json` is the header, `data_size` how many bytes follow it.
[[nodiscard]] Result<SafetensorsHeader> parse_header(std::string_view json, std::size_t data_size);

// The header with its length in front, padded.
[[nodiscard]] std::string format_header(const std::vector<TensorSpec>& tensors, const SafetensorsMetadata& metadata);

}  // namespace slipway::ml
