// Matrix product of one tile on one thread: k in blocks of kBlockK, of each the columns of b in panels of kPanel packed
// into L1 (bf16 widened on the way), against which register tiles of kRows rows of a run. a is read where it lies.
// Included only by the kernel sources.
#pragma once

#include "ml/ops/kernels.h"
#include "ml/ops/vectors.h"

namespace slipway::ml {
namespace {

constexpr int kRows = SLIPWAY_ML_TILE_ROWS;
constexpr std::int64_t kPanel = 2 * kLanes;
constexpr std::int64_t kBlockK = 256;
constexpr std::int64_t kCopyStride = kBlockK + 16;
constexpr std::int64_t kCopyRows = kTileRowsMax;

// panel[k][j] = b(k, j), where j runs along memory. Columns from `cols` on are 0.
template <class T>
void pack_rows(const T* b, std::int64_t b_row, std::int64_t k, std::int64_t cols, std::int64_t width, float* panel) {
  for (std::int64_t p = 0; p < k; ++p) {
    const T* from = b + p * b_row;
    float* to = panel + p * width;
    for (std::int64_t j = 0; j < width; j += kLanes) {
      if (j + kLanes <= cols) {
        store(to + j, load(from + j, All{}), All{});
      } else {
        store(to + j, j < cols ? load(from + j, Some{cols - j}) : Vec{}, All{});
      }
    }
  }
}

// panel[k][j] = b(k, j), where k runs along memory: transposed block by block. `scale` of bytes: one per column.
template <class T>
void pack_columns(const T* b, std::int64_t b_col, std::int64_t k, std::int64_t cols, std::int64_t width,
                  const float* scale, float* panel) {
  for (std::int64_t j = 0; j < width; j += kLanes) {
    sweep(k, [&](std::int64_t p, auto lanes) {
      Vec block[kLanes];
      for (std::int64_t i = 0; i < kLanes; ++i) {
        block[i] = j + i < cols ? load(b + (j + i) * b_col + p, lanes) : Vec{};
        if constexpr (sizeof(T) == 1) block[i] *= j + i < cols ? scale[j + i] : 0.0F;
      }
      transpose(block);
      const std::int64_t steps = k - p < kLanes ? k - p : kLanes;
      for (std::int64_t i = 0; i < steps; ++i) store(panel + (p + i) * width + j, block[i], All{});
    });
  }
}

// The part of a result vector that lies left of the tile's last column.
inline void put(float* to, Vec x, bool accumulate, std::int64_t left) {
  if (left >= kLanes) {
    store(to, accumulate ? load(to, All{}) + x : x, All{});
  } else if (left > 0) {
    store(to, accumulate ? load(to, Some{left}) + x : x, Some{left});
  }
}

// One register tile: R rows, V vectors wide. kAlong: k runs along memory in a (a_col == 1), else rows do (a_row == 1).
template <int R, int V, bool kAlong>
void multiply(std::int64_t k, const float* a, std::int64_t a_stride, const float* panel, float scale, bool accumulate,
              float* c, std::int64_t c_row, std::int64_t cols) {
  Vec total[R][V] = {};
  for (std::int64_t p = 0; p < k; ++p) {
    Vec b[V];
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) b[v] = *reinterpret_cast<const Vec*>(panel + (p * V + v) * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const float x = kAlong ? a[r * a_stride + p] : a[p * a_stride + r];
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) total[r][v] += x * b[v];
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) put(c + r * c_row + v * kLanes, total[r][v] * scale, accumulate, cols - v * kLanes);
}

using Multiply = void (*)(std::int64_t, const float*, std::int64_t, const float*, float, bool, float*, std::int64_t,
                          std::int64_t);

template <int V, bool kAlong, int... R>
constexpr Multiply pick(int rows, std::integer_sequence<int, R...>) {
  constexpr Multiply kByRows[] = {multiply<R + 1, V, kAlong>...};
  return kByRows[rows - 1];
}

Multiply pick(int rows, std::int64_t width, bool along) {
  using Sizes = std::make_integer_sequence<int, kRows>;
  if (width == kPanel) return along ? pick<2, true>(rows, Sizes{}) : pick<2, false>(rows, Sizes{});
  return along ? pick<1, true>(rows, Sizes{}) : pick<1, false>(rows, Sizes{});
}

// Rows a multiple of 4 KiB apart fall into the same few sets of L1; such a block is copied to rows that do not.
bool collides(const GemmTile& t) { return t.a_col == 1 && t.a_row % 1024 == 0 && t.m > kRows && t.m <= kCopyRows; }

const float* copy_rows(const GemmTile& t, std::int64_t k, std::int64_t depth, float* copy) {
  for (std::int64_t m = 0; m < t.m; ++m) {
    const float* from = t.a + m * t.a_row + k;
    sweep(depth, [&](std::int64_t p, auto lanes) { store(copy + m * kCopyStride + p, load(from + p, lanes), lanes); });
  }
  return copy;
}

template <class T>
void gemm_typed(const GemmTile& t, const T* b, float* pack) {
  const bool along = t.a_col == 1;
  const bool copied = collides(t);
  const std::int64_t a_row = copied ? kCopyStride : t.a_row;
  const std::int64_t a_stride = along ? a_row : t.a_col;
  for (std::int64_t k = 0; k < t.k || k == 0; k += kBlockK) {
    const std::int64_t depth = t.k - k < kBlockK ? t.k - k : kBlockK;
    const bool accumulate = t.accumulate || k > 0;
    const float* a = copied ? copy_rows(t, k, depth, pack + kBlockK * kPanel) : t.a + k * t.a_col;
    for (std::int64_t n = 0; n < t.n; n += kPanel) {
      const std::int64_t cols = t.n - n < kPanel ? t.n - n : kPanel;
      const std::int64_t width = cols > kLanes ? kPanel : kLanes;
      const T* from = b + k * t.b_row + n * t.b_col;
      if (t.b_col == 1 && sizeof(T) > 1) {  // bytes lie along k, even where both strides are 1
        pack_rows(from, t.b_row, depth, cols, width, pack);
      } else {
        pack_columns(from, t.b_col, depth, cols, width, t.b_scale == nullptr ? nullptr : t.b_scale + n, pack);
      }
      const Multiply full = pick(kRows, width, along);
      for (std::int64_t m = 0; m < t.m; m += kRows) {
        const std::int64_t rows = t.m - m < kRows ? t.m - m : kRows;
        const Multiply run = rows == kRows ? full : pick(static_cast<int>(rows), width, along);
        run(depth, a + m * a_row, a_stride, pack, t.scale, accumulate, t.c + m * t.c_row + n, t.c_row, cols);
      }
    }
  }
}

[[maybe_unused]] void gemm(const GemmTile& t, float* pack) {
  if (t.b_scale != nullptr) {
    gemm_typed(t, static_cast<const std::int8_t*>(t.b), pack);
  } else if (t.b_is_bf16) {
    gemm_typed(t, static_cast<const std::uint16_t*>(t.b), pack);
  } else {
    gemm_typed(t, static_cast<const float*>(t.b), pack);
  }
}

// R rows of a against C columns of b, both read along k.
template <int R, int C, class T>
void dots(const GemmTile& t, const T* b, std::int64_t m, std::int64_t n) {
  Vec total[R][C] = {};
  sweep(t.k, [&](std::int64_t k, auto lanes) {
    Vec x[R];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) x[r] = load(t.a + (m + r) * t.a_row + k, lanes);
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) {
      const Vec w = load(b + (n + c) * t.b_col + k, lanes);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) total[r][c] += x[r] * w;
    }
  });
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) {
      float* to = t.c + (m + r) * t.c_row + n + c;
      const float scale = sizeof(T) == 1 ? t.scale * t.b_scale[n + c] : t.scale;
      *to = scale * sum(total[r][c]) + (t.accumulate ? *to : 0.0F);
    }
  }
}

template <int C, class T>
void few_rows(const GemmTile& t, const T* b, std::int64_t n) {
  std::int64_t m = 0;
  for (; m + 4 <= t.m; m += 4) dots<4, C>(t, b, m, n);
  for (; m < t.m; ++m) dots<1, C>(t, b, m, n);
}

template <class T>
void few_rows_typed(const GemmTile& t, const T* b) {
  std::int64_t n = 0;
  for (; n + 4 <= t.n; n += 4) few_rows<4>(t, b, n);
  for (; n < t.n; ++n) few_rows<1>(t, b, n);
}

[[maybe_unused]] void gemm_few_rows(const GemmTile& t) {
  if (t.b_scale != nullptr) {
    few_rows_typed(t, static_cast<const std::int8_t*>(t.b));
  } else if (t.b_is_bf16) {
    few_rows_typed(t, static_cast<const std::uint16_t*>(t.b));
  } else {
    few_rows_typed(t, static_cast<const float*>(t.b));
  }
}

}  // namespace
}  // namespace slipway::ml
