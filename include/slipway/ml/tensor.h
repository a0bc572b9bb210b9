// Tensors as the trainer sees them: bytes of a file (TensorView), borrowed rows (Rows) and owned rows (Matrix).
// A source of named tensors (a model folder, a test) implements TensorSource.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "slipway/base/assert.h"
#include "slipway/base/enum_table.h"
#include "slipway/base/result.h"

namespace slipway::ml {

// Element types of a safetensors file, under its names.
enum class Dtype : std::uint8_t { F64, F32, F16, BF16, I64, I32, I16, I8, U8, Bool };

inline constexpr EnumTable<Dtype, 10> kDtypes{{{
    {Dtype::F64, "F64", "64-bit float"},
    {Dtype::F32, "F32", "32-bit float"},
    {Dtype::F16, "F16", "16-bit IEEE float"},
    {Dtype::BF16, "BF16", "the upper half of a 32-bit float"},
    {Dtype::I64, "I64", "64-bit integer"},
    {Dtype::I32, "I32", "32-bit integer"},
    {Dtype::I16, "I16", "16-bit integer"},
    {Dtype::I8, "I8", "8-bit integer"},
    {Dtype::U8, "U8", "8-bit unsigned integer"},
    {Dtype::Bool, "BOOL", "one byte, 0 or 1"},
}}};

// Bytes of one element.
[[nodiscard]] std::size_t byte_size(Dtype dtype);

// A tensor that lives elsewhere, usually in a mapped file: row-major, little-endian, aligned to nothing.
// bytes.size() is the product of shape times byte_size(dtype).
struct TensorView {
  Dtype dtype = Dtype::F32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
};

// Named tensors. The views stay valid for the life of the source. Any thread may call find().
class TensorSource {
 public:
  virtual ~TensorSource() = default;
  // NotFound if there is no such tensor; Corrupt if its bytes cannot be what its header says.
  [[nodiscard]] virtual Result<TensorView> find(std::string_view name) const = 0;
};

// Borrowed rows of T: element (r, c) is data[r * stride + c]. Copies share the elements; Rows<const T> reads only.
template <class T>
struct Rows {
  T* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;  // elements from one row to the next, at least cols

  Rows() = default;
  Rows(T* first, std::int64_t row_count, std::int64_t col_count) : Rows(first, row_count, col_count, col_count) {}
  Rows(T* first, std::int64_t row_count, std::int64_t col_count, std::int64_t row_stride)
      : data(first), rows(row_count), cols(col_count), stride(row_stride) {}
  operator Rows<const T>() const { return {data, rows, cols, stride}; }

  [[nodiscard]] T* row(std::int64_t r) const { return data + r * stride; }
  [[nodiscard]] T& at(std::int64_t r, std::int64_t c) const { return data[r * stride + c]; }
  // Rows [first, first + count) and columns [first, first + count) as views.
  [[nodiscard]] Rows slice(std::int64_t first, std::int64_t count) const { return {row(first), count, cols, stride}; }
  [[nodiscard]] Rows columns(std::int64_t first, std::int64_t count) const {
    return {data + first, rows, count, stride};
  }
};

// Owned fp32 rows [rows, cols], packed (stride == cols), 64-byte aligned, zero at birth. Move-only; clone() copies. The
// pages of a large one become resident when written.
class Matrix {
 public:
  Matrix() = default;
  Matrix(std::int64_t rows, std::int64_t cols);

  [[nodiscard]] std::int64_t rows() const { return rows_; }
  [[nodiscard]] std::int64_t cols() const { return cols_; }
  [[nodiscard]] bool empty() const { return rows_ * cols_ == 0; }
  [[nodiscard]] float* row(std::int64_t r) { return data_.get() + r * cols_; }
  [[nodiscard]] const float* row(std::int64_t r) const { return data_.get() + r * cols_; }
  [[nodiscard]] Rows<float> view() { return {data_.get(), rows_, cols_}; }
  [[nodiscard]] Rows<const float> view() const { return {data_.get(), rows_, cols_}; }
  [[nodiscard]] std::span<float> values() { return {data_.get(), static_cast<std::size_t>(rows_ * cols_)}; }
  [[nodiscard]] std::span<const float> values() const { return {data_.get(), static_cast<std::size_t>(rows_ * cols_)}; }

  [[nodiscard]] Matrix clone() const;
  void fill(float value);

 private:
  struct Free {
    void* allocation;  // what the allocator gave; the elements begin at its first aligned address
    void operator()(float*) const noexcept;
  };
  std::int64_t rows_ = 0;
  std::int64_t cols_ = 0;
  std::unique_ptr<float[], Free> data_;
};

}  // namespace slipway::ml
