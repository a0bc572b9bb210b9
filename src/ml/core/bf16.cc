#include "slipway/ml/bf16.h"

#include <cstring>
#include <string>

namespace slipway::ml {
namespace {

// Reads element i of type T from bytes of any alignment.
template <class T>
T element(std::span<const std::byte> bytes, std::size_t i) {
  T value;
  std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
  return value;
}

}  // namespace

float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000U) << 16U;
  const std::uint32_t exponent = (half >> 10U) & 0x1fU;
  const std::uint32_t fraction = half & 0x3ffU;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000U | (fraction << 13U));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112U) << 23U) | (fraction << 13U));
  const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
  return sign != 0 ? -magnitude : magnitude;
}

Result<void> widen(const TensorView& tensor, std::span<float> out) {
  const std::size_t count = tensor.bytes.size() / byte_size(tensor.dtype);
  if (count != out.size())
    return Error{ErrorCode::InvalidArgument,
                 "a tensor of " + std::to_string(count) + " elements is read into " + std::to_string(out.size()),
                 {}};
  const auto convert = [&](auto read) {
    for (std::size_t i = 0; i < count; ++i) out[i] = read(i);
    return Result<void>();
  };
  switch (tensor.dtype) {
    case Dtype::F64:
      return convert([&](std::size_t i) { return static_cast<float>(element<double>(tensor.bytes, i)); });
    case Dtype::F32: return convert([&](std::size_t i) { return element<float>(tensor.bytes, i); });
    case Dtype::F16:
      return convert([&](std::size_t i) { return half_to_float(element<std::uint16_t>(tensor.bytes, i)); });
    case Dtype::BF16: return convert([&](std::size_t i) { return to_float(element<Bf16>(tensor.bytes, i)); });
    case Dtype::I64:
    case Dtype::I32:
    case Dtype::I16:
    case Dtype::I8:
    case Dtype::U8:
    case Dtype::Bool: break;
  }
  return Error{
      ErrorCode::InvalidArgument, "a " + std::string(kDtypes.text(tensor.dtype)) + " tensor holds no floats", {}};
}

void narrow(std::span<const float> in, std::span<Bf16> out) {
  SLIPWAY_ASSERT(in.size() == out.size());
  for (std::size_t i = 0; i < in.size(); ++i) out[i] = to_bf16(in[i]);
}

}  // namespace slipway::ml
