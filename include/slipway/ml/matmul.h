// The one matrix product. M and N are cut into a grid of tiles that depends on the shape alone, K is summed by one
// thread in one order, so the result has the same bits for every thread count.
#pragma once

#include <cstdint>

#include "slipway/ml/compute.h"
#include "slipway/ml/tensor.h"

namespace slipway::ml {

// A borrowed matrix [rows, cols] of fp32, bf16 or scaled bytes; element (r, c) lies at data + r * row_stride + c *
// col_stride elements. One of the two strides is 1. Weights are [out, in] as stored: y = x W^T is matmul(x, w.t()), dx
// = dy W is matmul(dy, w).
struct Operand {
  const void* data = nullptr;
  Dtype dtype = Dtype::F32;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t row_stride = 0;
  std::int64_t col_stride = 1;
  // Of an I8 matrix, which stands for its bytes times its row's scale: one per row as stored. Such a one can only be
  // multiplied as b, transposed.
  const float* scales = nullptr;

  Operand() = default;
  Operand(Rows<const float> x) : data(x.data), rows(x.rows), cols(x.cols), row_stride(x.stride) {}
  Operand(Rows<float> x) : Operand(Rows<const float>(x)) {}
  // A whole tensor of two dimensions, F32 or BF16, aligned to its elements.
  explicit Operand(const TensorView& tensor);

  [[nodiscard]] Operand t() const;                      // transposed
  [[nodiscard]] const void* row(std::int64_t r) const;  // first element of row r
};

// Which loop computes a product. The loops sum over K in different orders, and ByShape chooses by M. Who wants a row's
// bits not to depend on the number of rows names a loop, and neither scales nor accumulates.
enum class GemmLoop : std::uint8_t {
  ByShape,
  Streaming,  // reads b once, row by row of b^T: for few rows, bound by memory. Needs element (k, n) of b along k
  Packed,     // packs b: for many rows, bound by arithmetic
};

struct Product {
  float scale = 1;          // c = scale a b
  bool accumulate = false;  // c += scale a b
  GemmLoop loop = GemmLoop::ByShape;
};

// c [M, N] = a [M, K] b [K, N]. a is fp32; b fp32, or widened from bf16 or bytes; fp32 products and sums unless
// Products says otherwise. c overlaps neither.
void matmul(Compute& compute, const Operand& a, const Operand& b, Rows<float> c, Product product = {});

// The same on the calling thread, for use inside Compute::parallel.
void matmul_serial(const Kernels& kernels, const Operand& a, const Operand& b, Rows<float> c, Arena& scratch,
                   Product product = {});

}  // namespace slipway::ml
