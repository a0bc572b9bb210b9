#include "ml/io/safetensors_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "slipway/base/value.h"

namespace slipway::ml {
namespace {

Error corrupt(std::string_view tensor, std::string_view problem) {
  return {ErrorCode::Corrupt, fmt::format("tensor `{}` {}", tensor, problem), {}};
}

// Elements times bytes, or nullopt if that is negative or beyond 2^63.
std::optional<std::size_t> byte_count_of(const std::vector<std::int64_t>& shape, Dtype dtype) {
  std::int64_t bytes = static_cast<std::int64_t>(byte_size(dtype));
  for (const std::int64_t extent : shape)
    if (extent < 0 || __builtin_mul_overflow(bytes, extent, &bytes)) return std::nullopt;
  return static_cast<std::size_t>(bytes);
}

Result<TensorEntry> parse_entry(const std::string& name, const Value& item, std::size_t data_size) {
  TensorEntry entry;
  entry.spec.name = name;
  const std::string dtype = item.get_string("dtype");
  const auto known = kDtypes.parse(dtype);
  if (!known && !dtype.empty())
    return Error{ErrorCode::Unsupported, fmt::format("tensor `{}` has the dtype {}", name, dtype),
                 "floats are read as F64, F32, F16 or BF16; quantised weights are not"};
  if (!known) return corrupt(name, "has no dtype");
  entry.spec.dtype = *known;

  const Value* shape = item.find("shape");
  if (shape == nullptr || !shape->is_array() || shape->as_array().size() > 8)
    return corrupt(name, "has no valid shape");
  for (const Value& extent : shape->as_array()) {
    if (!extent.is_int()) return corrupt(name, "has no valid shape");
    entry.spec.shape.push_back(extent.as_int());
  }
  const Value* offsets = item.find("data_offsets");
  if (offsets == nullptr || !offsets->is_array() || offsets->as_array().size() != 2 ||
      !offsets->as_array()[0].is_int() || !offsets->as_array()[1].is_int())
    return corrupt(name, "has no valid data_offsets");
  const std::int64_t begin = offsets->as_array()[0].as_int();
  const std::int64_t end = offsets->as_array()[1].as_int();
  if (begin < 0 || end < begin || static_cast<std::uint64_t>(end) > data_size)
    return corrupt(
        name, fmt::format("lies at bytes {} to {} of {}: the file is cut short or damaged", begin, end, data_size));
  entry.begin = static_cast<std::size_t>(begin);
  entry.end = static_cast<std::size_t>(end);
  const auto bytes = byte_count_of(entry.spec.shape, entry.spec.dtype);
  if (bytes != entry.end - entry.begin)
    return corrupt(name, fmt::format("has {} bytes, which do not fit its shape", entry.end - entry.begin));
  return entry;
}

Result<SafetensorsMetadata> parse_metadata(const Value& item) {
  SafetensorsMetadata metadata;
  if (!item.is_object()) return Error{ErrorCode::Corrupt, "__metadata__ is no object", {}};
  for (const auto& [key, value] : item.as_object()) {
    if (!value.is_string()) return Error{ErrorCode::Corrupt, "__metadata__ `" + key + "` is no text", {}};
    metadata.emplace(key, value.as_string());
  }
  return metadata;
}

// No hole, no overlap, nothing behind the last tensor.
Result<void> check_layout(const std::vector<TensorEntry>& tensors, std::size_t data_size) {
  std::size_t at = 0;
  for (const TensorEntry& entry : tensors) {
    if (entry.begin != at)
      return corrupt(entry.spec.name, entry.begin < at ? "overlaps another" : "leaves a hole before it");
    at = entry.end;
  }
  if (at != data_size)
    return Error{ErrorCode::Corrupt, fmt::format("{} bytes at the end belong to no tensor", data_size - at), {}};
  return {};
}

}  // namespace

std::size_t TensorSpec::byte_count() const {
  const auto bytes = byte_count_of(shape, dtype);
  SLIPWAY_ASSERT(bytes.has_value());
  return *bytes;
}

Result<SafetensorsHeader> parse_header(std::string_view json, std::size_t data_size) {
  if (!json.starts_with('{')) return Error{ErrorCode::Corrupt, "the header is no JSON object", {}};
  auto parsed = parse_json(json, {.bytes_max = kSafetensorsHeaderBytesMax, .depth_max = 4, .unique_keys = true});
  if (!parsed) return Error{ErrorCode::Corrupt, "header: " + parsed.error().message, {}};
  SafetensorsHeader header;
  for (const auto& [name, item] : parsed->as_object()) {
    if (name == "__metadata__") {
      SLIPWAY_TRY_ASSIGN(header.metadata, parse_metadata(item));
      continue;
    }
    SLIPWAY_TRY_ASSIGN(TensorEntry entry, parse_entry(name, item, data_size));
    header.tensors.push_back(std::move(entry));
  }
  std::stable_sort(header.tensors.begin(), header.tensors.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  SLIPWAY_TRY(check_layout(header.tensors, data_size));
  return header;
}

std::string format_header(const std::vector<TensorSpec>& tensors, const SafetensorsMetadata& metadata) {
  Value::Object root;
  Value::Object texts;
  for (const auto& [key, value] : metadata) texts.emplace(key, value);
  if (!texts.empty()) root.emplace("__metadata__", std::move(texts));
  std::size_t at = 0;
  for (const TensorSpec& tensor : tensors) {
    const std::size_t end = at + tensor.byte_count();
    Value::Array shape(tensor.shape.begin(), tensor.shape.end());
    Value::Object entry{{"dtype", kDtypes.text(tensor.dtype)},
                        {"shape", std::move(shape)},
                        {"data_offsets", Value::Array{Value(std::uint64_t{at}), Value(std::uint64_t{end})}}};
    SLIPWAY_ASSERT(root.emplace(tensor.name, std::move(entry)).second);
    at = end;
  }
  std::string json = Value(std::move(root)).dump();
  json.append((8 - json.size() % 8) % 8, ' ');
  std::string out;
  for (unsigned shift = 0; shift < 64; shift += 8) out += static_cast<char>((json.size() >> shift) & 0xFFU);
  return out + json;
}

}  // namespace slipway::ml
