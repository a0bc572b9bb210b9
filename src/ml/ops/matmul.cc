#include "slipway/ml/matmul.h"

#include <algorithm>

#include "ml/ops/kernels.h"
#include "ml/ops/row_chunks.h"

namespace slipway::ml {
namespace {

// Tiles of about this size; smaller ones while there are too few for many threads.
constexpr std::int64_t kTileRowsGoal = 512;
constexpr std::int64_t kTileColsMax = 512;
constexpr std::int64_t kTileRowsMin = 192;
constexpr std::int64_t kTileColsMin = 64;
constexpr std::int64_t kTilesWanted = 16;
constexpr std::int64_t kTileWorkMin = 1 << 20;  // multiply-adds: below, waking a thread costs more than it brings

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
std::int64_t round_up(std::int64_t a, std::int64_t b) { return divide_up(a, b) * b; }

struct Grid {
  std::int64_t tile_rows, tile_cols, down, across;
};

Grid cut(const Kernels& kernels, std::int64_t m, std::int64_t n, std::int64_t k) {
  std::int64_t rows = std::min(m, kTileRowsGoal), cols = std::min(n, kTileColsMax);
  const auto few = [&] {
    return divide_up(m, rows) * divide_up(n, cols) < kTilesWanted && rows * cols * k > kTileWorkMin;
  };
  while (few() && cols / 2 >= kTileColsMin && cols > rows / 2) cols /= 2;
  while (few() && rows / 2 >= kTileRowsMin) rows /= 2;
  while (few() && cols / 2 >= kTileColsMin) cols /= 2;
  const std::int64_t down = divide_up(m, rows), across = divide_up(n, cols);
  rows = round_up(divide_up(m, down), kernels.tile_rows);
  cols = round_up(divide_up(n, across), kernels.tile_cols);
  return {rows, cols, divide_up(m, rows), divide_up(n, cols)};
}

GemmTile whole(const Operand& a, const Operand& b, Rows<float> c, Product product) {
  const bool bytes = b.dtype == Dtype::I8 && b.scales != nullptr && b.row_stride == 1;
  SLIPWAY_ASSERT(a.dtype == Dtype::F32 && (b.dtype == Dtype::F32 || b.dtype == Dtype::BF16 || bytes));
  SLIPWAY_ASSERT(a.rows == c.rows && b.cols == c.cols && a.cols == b.rows);
  return {.m = c.rows,
          .n = c.cols,
          .k = a.cols,
          .a = static_cast<const float*>(a.data),
          .a_row = a.row_stride,
          .a_col = a.col_stride,
          .b = b.data,
          .b_row = b.row_stride,
          .b_col = b.col_stride,
          .b_is_bf16 = b.dtype == Dtype::BF16,
          .b_scale = b.scales,
          .c = c.data,
          .c_row = c.stride,
          .scale = product.scale,
          .accumulate = product.accumulate};
}

GemmTile part(const GemmTile& all, const Grid& grid, std::int64_t index) {
  const std::int64_t m = index / grid.across * grid.tile_rows, n = index % grid.across * grid.tile_cols;
  GemmTile tile = all;
  tile.m = std::min(grid.tile_rows, all.m - m);
  tile.n = std::min(grid.tile_cols, all.n - n);
  tile.a += m * all.a_row;
  if (all.a_bf16 != nullptr) tile.a_bf16 += m * all.a_bf16_row;
  const std::int64_t element = all.b_scale != nullptr ? 1 : all.b_is_bf16 ? 2 : 4;
  tile.b = static_cast<const std::byte*>(all.b) + n * all.b_col * element;
  if (all.b_scale != nullptr) tile.b_scale += n;
  tile.c += m * all.c_row + n;
  return tile;
}

bool streams(const Kernels& kernels, const GemmTile& tile, GemmLoop loop) {
  const bool possible = tile.b_row == 1 && tile.a_col == 1;
  switch (loop) {
    case GemmLoop::ByShape: return possible && tile.m <= kernels.few_rows;
    case GemmLoop::Streaming: SLIPWAY_ASSERT(possible); return true;
    case GemmLoop::Packed: return false;
  }
  return false;
}

bool suits_bf16(const Kernels& kernels, const GemmTile& all, GemmLoop loop) {
  return kernels.gemm_bf16 != nullptr && all.b_is_bf16 && all.a_col == 1 && all.k > 0 && !streams(kernels, all, loop);
}

// Rounds a once for all tiles. Rows lie a cache line more apart than they are long, so that they do not collide in L1.
void round_a(Compute& compute, GemmTile& all) {
  const std::int64_t row = round_up(all.k, 32) + 32;
  auto* rounded = reinterpret_cast<std::uint16_t*>(compute.arena().floats(divide_up(all.m * row, 2)));
  for_each_row(compute, all.m, all.k,
               [&](std::int64_t m) { compute.kernels().round_row(all.a + m * all.a_row, all.k, rounded + m * row); });
  all.a_bf16 = rounded;
  all.a_bf16_row = row;
}

void run(const Kernels& kernels, const GemmTile& tile, GemmLoop loop, Arena& scratch) {
  if (streams(kernels, tile, loop)) return kernels.gemm_few_rows(tile);
  SLIPWAY_ASSERT(tile.m <= kTileRowsMax);
  const ArenaScope scope(scratch);
  (tile.a_bf16 != nullptr ? kernels.gemm_bf16 : kernels.gemm)(tile, scratch.floats(kernels.pack_floats));
}

}  // namespace

Operand::Operand(const TensorView& tensor) : data(tensor.bytes.data()), dtype(tensor.dtype) {
  SLIPWAY_ASSERT(tensor.shape.size() == 2 && (dtype == Dtype::F32 || dtype == Dtype::BF16));
  SLIPWAY_ASSERT(reinterpret_cast<std::uintptr_t>(data) % byte_size(dtype) == 0);
  rows = tensor.shape[0];
  cols = row_stride = tensor.shape[1];
}

Operand Operand::t() const {
  Operand turned = *this;
  std::swap(turned.rows, turned.cols);
  std::swap(turned.row_stride, turned.col_stride);
  return turned;
}

const void* Operand::row(std::int64_t r) const {
  return static_cast<const std::byte*>(data) + r * row_stride * static_cast<std::int64_t>(byte_size(dtype));
}

void matmul(Compute& compute, const Operand& a, const Operand& b, Rows<float> c, Product product) {
  const auto& kernels = compute.kernels();
  GemmTile all = whole(a, b, c, product);
  if (all.m == 0 || all.n == 0) return;
  const ArenaScope scope(compute.arena());
  if (suits_bf16(kernels, all, product.loop)) round_a(compute, all);
  const Grid grid = cut(kernels, all.m, all.n, all.k);
  compute.parallel(grid.down * grid.across, [&](std::int64_t index, Arena& scratch) {
    run(kernels, part(all, grid, index), product.loop, scratch);
  });
}

void matmul_serial(const Kernels& kernels, const Operand& a, const Operand& b, Rows<float> c, Arena& scratch,
                   Product product) {
  const GemmTile all = whole(a, b, c, product);
  if (all.m == 0 || all.n == 0) return;
  for (std::int64_t m = 0; m < all.m; m += kTileRowsMax) {
    GemmTile tile = all;
    tile.m = std::min(kTileRowsMax, all.m - m);
    tile.a += m * all.a_row;
    tile.c += m * all.c_row;
    run(kernels, tile, product.loop, scratch);
  }
}

}  // namespace slipway::ml
