// Matrix product with both factors in bf16 and fp32 sums, two products per lane and instruction (VDPBF16PS): a is
// rounded to bf16, bf16 weights are used as they are. Same blocking as gemm_impl.h, but k runs in pairs that share one
// 32-bit lane. Included only by kernel sources with AVX512_BF16.
#pragma once

#include <immintrin.h>

#include "ml/ops/gemm_impl.h"

namespace slipway::ml {
namespace {

constexpr std::int64_t kPairs = 256;  // of k, per block: a panel is 32 KiB, as in fp32

inline __mmask32 half_mask(std::int64_t count) {
  return count >= 32 ? ~__mmask32{0} : static_cast<__mmask32>((std::uint32_t{1} << count) - 1);
}

// Rounds to nearest even and fills up with zeros to a multiple of 32.
[[maybe_unused]] void round_row(const float* x, std::int64_t n, std::uint16_t* y) {
  for (std::int64_t i = 0; i < n; i += 32) {
    const std::int64_t left = n - i;
    const Vec low = left >= 16 ? load(x + i, All{}) : load(x + i, Some{left});
    const Vec high = left >= 32 ? load(x + i + 16, All{}) : left > 16 ? load(x + i + 16, Some{left - 16}) : Vec{};
    _mm512_storeu_si512(y + i, (__m512i)_mm512_cvtne2ps_pbh(high, low));
  }
}

// panel[pair][j] = (b(2 pair, j), b(2 pair + 1, j)), j along memory.
void pack_row_pairs(const std::uint16_t* b, std::int64_t b_row, std::int64_t depth, std::int64_t cols,
                    std::int64_t width, std::uint32_t* panel) {
  const auto row = [&](std::int64_t k, std::int64_t j) -> BitVec {
    if (k >= depth || j >= cols) return BitVec{};
    const auto mask = static_cast<__mmask16>(half_mask(cols - j));
    return __builtin_convertvector((HalfVec)_mm256_maskz_loadu_epi16(mask, b + k * b_row + j), BitVec);
  };
  for (std::int64_t pair = 0; 2 * pair < depth; ++pair)
    for (std::int64_t j = 0; j < width; j += kLanes)
      *reinterpret_cast<BitVec*>(panel + pair * width + j) = row(2 * pair, j) | (row(2 * pair + 1, j) << 16);
}

// The same where k runs along memory: a pair is one 32-bit element already, so only whole pairs are transposed.
void pack_column_pairs(const std::uint16_t* b, std::int64_t b_col, std::int64_t depth, std::int64_t cols,
                       std::int64_t width, std::uint32_t* panel) {
  for (std::int64_t j = 0; j < width; j += kLanes) {
    for (std::int64_t k = 0; k < depth; k += 2 * kLanes) {
      const __mmask32 mask = half_mask(depth - k);
      Vec block[kLanes];
      for (std::int64_t i = 0; i < kLanes; ++i)
        block[i] = j + i < cols ? (Vec)_mm512_maskz_loadu_epi16(mask, b + (j + i) * b_col + k) : Vec{};
      transpose(block);
      const std::int64_t pairs = (depth - k + 1) / 2 < kLanes ? (depth - k + 1) / 2 : kLanes;
      for (std::int64_t i = 0; i < pairs; ++i) *reinterpret_cast<Vec*>(panel + (k / 2 + i) * width + j) = block[i];
    }
  }
}

template <int R, int V>
void multiply_pairs(std::int64_t pairs, const std::uint16_t* a, std::int64_t a_row, const std::uint32_t* panel,
                    float scale, bool accumulate, float* c, std::int64_t c_row, std::int64_t cols) {
  __m512 total[R][V];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) total[r][v] = _mm512_setzero_ps();
  for (std::int64_t p = 0; p < pairs; ++p) {
    __m512bh b[V];
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) b[v] = (__m512bh)_mm512_load_si512(panel + (p * V + v) * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      std::int32_t pair;
      __builtin_memcpy(&pair, a + r * a_row + 2 * p, sizeof pair);
      const auto x = (__m512bh)_mm512_set1_epi32(pair);
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) total[r][v] = _mm512_dpbf16_ps(total[r][v], x, b[v]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) put(c + r * c_row + v * kLanes, total[r][v] * scale, accumulate, cols - v * kLanes);
}

using MultiplyPairs = void (*)(std::int64_t, const std::uint16_t*, std::int64_t, const std::uint32_t*, float, bool,
                               float*, std::int64_t, std::int64_t);

template <int V, int... R>
constexpr MultiplyPairs pick_pairs(int rows, std::integer_sequence<int, R...>) {
  constexpr MultiplyPairs kByRows[] = {multiply_pairs<R + 1, V>...};
  return kByRows[rows - 1];
}

// Some rows of b in pairs, packed, and what of the product they give.
struct PairPanel {
  std::uint32_t* data;
  std::int64_t pairs;
  std::int64_t width;  // columns, filled up with zeros
  std::int64_t cols;   // of them, those of the product
  bool accumulate;     // earlier rows of b are in c already
  const std::uint16_t* a;
  float* c;
};

// Packs b, block by block of k and panel by panel of n, and gives each panel to `use`.
template <class Use>
[[gnu::always_inline]] inline void each_pair_panel(const GemmTile& t, float* pack, std::int64_t width_min, Use use) {
  const auto* b = static_cast<const std::uint16_t*>(t.b);
  auto* panel = reinterpret_cast<std::uint32_t*>(pack);
  for (std::int64_t k = 0; k < t.k; k += 2 * kPairs) {
    const std::int64_t depth = t.k - k < 2 * kPairs ? t.k - k : 2 * kPairs;
    for (std::int64_t n = 0; n < t.n; n += kPanel) {
      const std::int64_t cols = t.n - n < kPanel ? t.n - n : kPanel;
      const std::int64_t width = cols > width_min ? kPanel : width_min;
      const std::uint16_t* from = b + k * t.b_row + n * t.b_col;
      if (t.b_col == 1) {
        pack_row_pairs(from, t.b_row, depth, cols, width, panel);
      } else {
        pack_column_pairs(from, t.b_col, depth, cols, width, panel);
      }
      use(PairPanel{panel, (depth + 1) / 2, width, cols, t.accumulate || k > 0, t.a_bf16 + k, t.c + n});
    }
  }
}

// The rows of a from `m` on against a panel.
[[maybe_unused]] void multiply_rows(const GemmTile& t, const PairPanel& panel, std::int64_t m) {
  using Sizes = std::make_integer_sequence<int, kRows>;
  for (; m < t.m; m += kRows) {
    const int rows = static_cast<int>(t.m - m < kRows ? t.m - m : kRows);
    const auto run = panel.width == kPanel ? pick_pairs<2>(rows, Sizes{}) : pick_pairs<1>(rows, Sizes{});
    run(panel.pairs, panel.a + m * t.a_bf16_row, t.a_bf16_row, panel.data, t.scale, panel.accumulate,
        panel.c + m * t.c_row, t.c_row, panel.cols);
  }
}

[[maybe_unused]] void gemm_bf16(const GemmTile& t, float* pack) {
  each_pair_panel(t, pack, kLanes, [&](const PairPanel& panel) { multiply_rows(t, panel, 0); });
}

}  // namespace
}  // namespace slipway::ml
