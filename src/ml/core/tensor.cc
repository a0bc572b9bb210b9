#include "slipway/ml/tensor.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace slipway::ml {
namespace {

constexpr std::size_t kAlignment = 64;

}  // namespace

std::size_t byte_size(Dtype dtype) {
  switch (dtype) {
    case Dtype::F64:
    case Dtype::I64: return 8;
    case Dtype::F32:
    case Dtype::I32: return 4;
    case Dtype::F16:
    case Dtype::BF16:
    case Dtype::I16: return 2;
    case Dtype::I8:
    case Dtype::U8:
    case Dtype::Bool: return 1;
  }
  SLIPWAY_ASSERT(false);
  return 0;
}

// calloc, not aligned_alloc: it takes untouched zero pages from the kernel, which stay virtual until written.
Matrix::Matrix(std::int64_t rows, std::int64_t cols) : rows_(rows), cols_(cols) {
  SLIPWAY_ASSERT(rows >= 0 && cols >= 0);
  const std::size_t bytes = static_cast<std::size_t>(rows * cols) * sizeof(float);
  std::size_t space = bytes + kAlignment;
  void* allocation = std::calloc(space, 1);
  SLIPWAY_ASSERT(allocation != nullptr);
  void* aligned = allocation;
  std::align(kAlignment, bytes, aligned, space);
  data_ = {static_cast<float*>(aligned), Free{allocation}};
}

void Matrix::Free::operator()(float*) const noexcept { std::free(allocation); }

Matrix Matrix::clone() const {
  Matrix copy(rows_, cols_);
  if (!empty()) std::memcpy(copy.data_.get(), data_.get(), static_cast<std::size_t>(rows_ * cols_) * sizeof(float));
  return copy;
}

void Matrix::fill(float value) { std::ranges::fill(values(), value); }

}  // namespace slipway::ml
