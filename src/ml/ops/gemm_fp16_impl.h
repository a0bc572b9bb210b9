// Matrix product with both factors in IEEE half and sums of fp32, twice the lanes of fp32 (AVX512_FP16): rows of a are
// scaled by a power of two so that their largest element is near 8, and rounded; bf16 weights are converted while they
// are packed. A lane adds kChunk products in half precision before its sum goes into an fp32 total: with rounding to
// 11 bits, the error of a product of random factors is half of that of rounding a to bf16 (8 bits). Blocking and the
// layout in pairs of k are those of gemm_bf16_impl.h. Included only by kernel sources with AVX512_FP16.
#pragma once

#include <immintrin.h>

#include "ml/ops/gemm_bf16_impl.h"

namespace slipway::ml {
namespace {

constexpr std::int64_t kChunk = 32;  // pairs between two flushes

constexpr std::int64_t up_to_32(std::int64_t n) { return (n + 31) / 32 * 32; }

// The factor that was taken out of the row lies behind its elements, where they leave room.
inline float factor_of(const std::uint16_t* row, std::int64_t k) {
  float factor;
  __builtin_memcpy(&factor, row + up_to_32(k), sizeof factor);
  return factor;
}

float largest_magnitude(const float* x, std::int64_t n) {
  Vec top{};
  sweep(n, [&](std::int64_t i, auto lanes) {
    const Vec v = (Vec)((BitVec)load(x + i, lanes) & 0x7fffffffU);
    top = v > top ? v : top;
  });
  return max(top);
}

// y = x / factor in half precision, zeros up to a multiple of 32, then the factor. A row that holds a NaN or an
// infinity keeps it: the product shows it.
void round_row_fp16(const float* x, std::int64_t n, std::uint16_t* y) {
  constexpr int kExponent = 3;
  const float top = largest_magnitude(x, n);
  const bool usable = top > 1e-36F && top < __builtin_inff();  // so that 1 / factor is a normal number
  const float factor = usable ? __builtin_ldexpf(1.0F, __builtin_ilogbf(top) - kExponent) : 1.0F;
  const float inverse = 1.0F / factor;
  for (std::int64_t i = 0; i < up_to_32(n); i += kLanes) {
    const std::int64_t left = n - i;
    const Vec part = left >= kLanes ? load(x + i, All{}) : left > 0 ? load(x + i, Some{left}) : Vec{};
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + i),
                        _mm512_cvtps_ph((__m512)(part * inverse), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  __builtin_memcpy(y + up_to_32(n), &factor, sizeof factor);
}

// Pairs of bf16 to pairs of halves.
inline BitVec halves_of(BitVec pairs) {
  const auto narrow = [](BitVec bits) {
    return _mm512_cvtepu16_epi32(_mm512_cvtps_ph((__m512)bits, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  };
  return (BitVec)narrow(pairs << 16) | ((BitVec)narrow(pairs & 0xffff0000U) << 16);
}

void convert_panel(std::uint32_t* panel, std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += kLanes) {
    auto* at = reinterpret_cast<BitVec*>(panel + i);
    *at = halves_of(*at);
  }
}

// Sums of the two lanes of each pair, widened: 16 columns.
inline Vec pair_sums(__m512i low, __m512i high) {
  const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
  const __m512i odd = _mm512_set_epi32(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
  return (Vec)_mm512_permutex2var_epi32(low, even, high) + (Vec)_mm512_permutex2var_epi32(low, odd, high);
}

template <int R, int V>
void multiply_halves(std::int64_t pairs, const std::uint16_t* a, std::int64_t a_row, const std::uint32_t* panel,
                     const float* scale, bool accumulate, float* c, std::int64_t c_row, std::int64_t cols) {
  alignas(64) Vec total[R][V][2] = {};
  for (std::int64_t first = 0; first < pairs; first += kChunk) {
    const std::int64_t last = first + kChunk < pairs ? first + kChunk : pairs;
    __m512h sum[R][V];
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
      for (int v = 0; v < V; ++v) sum[r][v] = _mm512_setzero_ph();
    for (std::int64_t p = first; p < last; ++p) {
      __m512h b[V];
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) b[v] = (__m512h)_mm512_load_si512(panel + (p * V + v) * kLanes);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        std::int32_t pair;
        __builtin_memcpy(&pair, a + r * a_row + 2 * p, sizeof pair);
        const auto x = (__m512h)_mm512_set1_epi32(pair);
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) sum[r][v] = _mm512_fmadd_ph(x, b[v], sum[r][v]);
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) {
        const auto bits = (__m512i)sum[r][v];
        total[r][v][0] += (Vec)_mm512_cvtph_ps(_mm512_castsi512_si256(bits));
        total[r][v][1] += (Vec)_mm512_cvtph_ps(_mm512_extracti64x4_epi64(bits, 1));
      }
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v)
      put(c + r * c_row + v * kLanes, pair_sums((__m512i)total[r][v][0], (__m512i)total[r][v][1]) * scale[r],
          accumulate, cols - v * kLanes);
}

using MultiplyHalves = void (*)(std::int64_t, const std::uint16_t*, std::int64_t, const std::uint32_t*, const float*,
                                bool, float*, std::int64_t, std::int64_t);

template <int V, int... R>
constexpr MultiplyHalves pick_halves(int rows, std::integer_sequence<int, R...>) {
  constexpr MultiplyHalves kByRows[] = {multiply_halves<R + 1, V>...};
  return kByRows[rows - 1];
}

void gemm_fp16(const GemmTile& t, float* pack) {
  using Sizes = std::make_integer_sequence<int, kRows>;
  each_pair_panel(t, pack, kLanes, [&](const PairPanel& panel) {
    convert_panel(panel.data, panel.pairs * panel.width);
    for (std::int64_t m = 0; m < t.m; m += kRows) {
      const int rows = static_cast<int>(t.m - m < kRows ? t.m - m : kRows);
      float scale[kRows];
      for (int r = 0; r < rows; ++r) scale[r] = t.scale * factor_of(t.a_bf16 + (m + r) * t.a_bf16_row, t.k);
      const auto run = panel.width == kPanel ? pick_halves<2>(rows, Sizes{}) : pick_halves<1>(rows, Sizes{});
      run(panel.pairs, panel.a + m * t.a_bf16_row, t.a_bf16_row, panel.data, scale, panel.accumulate,
          panel.c + m * t.c_row, t.c_row, panel.cols);
    }
  });
}

}  // namespace
}  // namespace slipway::ml
