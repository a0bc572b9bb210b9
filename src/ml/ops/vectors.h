// Vectors of kLanes floats by the compiler's vector extension, and exp, tanh and sigmoid on them. Included only by the
// kernel sources, each with its own kLanes; everything is internal to the including source, for two sources compiled
// for different instruction sets must not share one inline function.
#pragma once

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include <cstdint>
#include <utility>

namespace slipway::ml {
namespace {

constexpr std::int64_t kLanes = SLIPWAY_ML_LANES;

typedef float Vec __attribute__((vector_size(SLIPWAY_ML_LANES * 4), may_alias));
typedef std::int32_t IntVec __attribute__((vector_size(SLIPWAY_ML_LANES * 4), may_alias));
typedef std::uint32_t BitVec __attribute__((vector_size(SLIPWAY_ML_LANES * 4), may_alias));
typedef std::uint16_t HalfVec __attribute__((vector_size(SLIPWAY_ML_LANES * 2), may_alias));
typedef Vec LooseVec __attribute__((aligned(1)));
typedef HalfVec LooseHalfVec __attribute__((aligned(1)));

// How many lanes of a load or store count.
struct All {};
struct Some {
  std::int64_t count;
};

inline Vec splat(float x) { return x - Vec{}; }
inline BitVec splat_bits(std::uint32_t x) { return x - BitVec{}; }

// {0, 1, 2, ...}
template <std::uint32_t... I>
constexpr BitVec count_up(std::integer_sequence<std::uint32_t, I...>) {
  return BitVec{I...};
}
constexpr BitVec kLaneNumbers = count_up(std::make_integer_sequence<std::uint32_t, SLIPWAY_ML_LANES>{});

inline Vec load(const float* p, All) { return *reinterpret_cast<const LooseVec*>(p); }
inline void store(float* p, Vec x, All) { *reinterpret_cast<LooseVec*>(p) = x; }

// The first `count` lanes; the others read as 0 and are not written.
#if SLIPWAY_ML_LANES == 16
inline __mmask16 mask_of(Some some) { return static_cast<__mmask16>((1U << some.count) - 1U); }
inline Vec load(const float* p, Some some) { return _mm512_maskz_loadu_ps(mask_of(some), p); }
inline void store(float* p, Vec x, Some some) { _mm512_mask_storeu_ps(p, mask_of(some), x); }
#elif SLIPWAY_ML_LANES == 8
inline __m256i mask_of(Some some) { return (__m256i)(kLaneNumbers < static_cast<std::uint32_t>(some.count)); }
inline Vec load(const float* p, Some some) { return _mm256_maskload_ps(p, mask_of(some)); }
inline void store(float* p, Vec x, Some some) { _mm256_maskstore_ps(p, mask_of(some), x); }
#else
inline Vec load(const float* p, Some some) {
  Vec x{};
  __builtin_memcpy(&x, p, static_cast<std::size_t>(some.count) * sizeof(float));
  return x;
}
inline void store(float* p, Vec x, Some some) {
  __builtin_memcpy(p, &x, static_cast<std::size_t>(some.count) * sizeof(float));
}
#endif

inline Vec widen_half(HalfVec h) { return (Vec)(__builtin_convertvector(h, BitVec) << 16); }
inline Vec load(const std::uint16_t* p, All) { return widen_half(*reinterpret_cast<const LooseHalfVec*>(p)); }
inline Vec load(const std::uint16_t* p, Some some) {
  HalfVec h{};
  __builtin_memcpy(&h, p, static_cast<std::size_t>(some.count) * sizeof(std::uint16_t));
  return widen_half(h);
}

// Bytes as numbers, without their scale.
inline Vec load(const std::int8_t* p, All) {
#if SLIPWAY_ML_LANES == 16
  return (Vec)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
#elif SLIPWAY_ML_LANES == 8
  return (Vec)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
#else
  Vec x;
  for (std::int64_t i = 0; i < kLanes; ++i) x[i] = static_cast<float>(p[i]);
  return x;
#endif
}
inline Vec load(const std::int8_t* p, Some some) {
  std::int8_t bytes[kLanes]{};
  __builtin_memcpy(bytes, p, static_cast<std::size_t>(some.count));
  return load(bytes, All{});
}

// Calls body(first, All or Some) for the vectors that cover [0, n).
template <class Body>
inline void sweep(std::int64_t n, Body body) {
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) body(i, All{});
  if (i < n) body(i, Some{n - i});
}

// Halves are added until one lane is left: the same tree on every call.
inline float sum(Vec x) {
  float lanes[kLanes];
  store(lanes, x, All{});
  for (std::int64_t width = kLanes / 2; width > 0; width /= 2)
    for (std::int64_t i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  return lanes[0];
}

inline float max(Vec x) {
  float lanes[kLanes];
  store(lanes, x, All{});
  float largest = lanes[0];
  for (std::int64_t i = 1; i < kLanes; ++i) largest = lanes[i] > largest ? lanes[i] : largest;
  return largest;
}

// x = n ln 2 + r, |r| <= ln 2 / 2; exp(r) by a polynomial (Cephes expf, 2 ulp). Below -87.3 the result is about 1e-38,
// above 88.3 about 2e38; NaN stays NaN.
inline Vec exp(Vec x) {
  x = x > splat(88.3F) ? splat(88.3F) : x;
  x = x < splat(-87.3F) ? splat(-87.3F) : x;
  const Vec shifter = splat(12582912.0F);  // 1.5 * 2^23: adding it rounds to an integer
  const Vec n = (x * 1.44269504088896341F + shifter) - shifter;
  const Vec r = (x - n * 0.693359375F) - n * -2.12194440e-4F;
  Vec p = splat(1.9875691500e-4F);
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  const Vec y = p * (r * r) + r + 1.0F;
  const IntVec power = (__builtin_convertvector(n, IntVec) + 127) << 23;
  return y * (Vec)power;
}

// Cephes tanhf: a polynomial below 0.625, 1 - 2 / (exp(2|x|) + 1) above.
inline Vec tanh(Vec x) {
  const BitVec sign = (BitVec)x & 0x80000000U;
  const Vec magnitude = (Vec)((BitVec)x & 0x7fffffffU);
  const Vec z = x * x;
  Vec p = splat(-5.70498872745e-3F);
  p = p * z + 2.06390887954e-2F;
  p = p * z - 5.37397155531e-2F;
  p = p * z + 1.33314422036e-1F;
  p = p * z - 3.33332819422e-1F;
  const Vec small = p * z * x + x;
  const Vec large = (Vec)((BitVec)(1.0F - 2.0F / (exp(magnitude + magnitude) + 1.0F)) | sign);
  return magnitude < splat(0.625F) ? small : large;
}

inline Vec sigmoid(Vec x) { return 1.0F / (1.0F + exp(-x)); }

template <int... I>
inline Vec interleave_low(Vec a, Vec b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, (I % 2 * SLIPWAY_ML_LANES + I / 2)...);
}
template <int... I>
inline Vec interleave_high(Vec a, Vec b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, (I % 2 * SLIPWAY_ML_LANES + I / 2 + SLIPWAY_ML_LANES / 2)...);
}

// rows[i][j] becomes rows[j][i]: each of log2(kLanes) rounds interleaves row i with row i + kLanes / 2.
inline void transpose(Vec (&rows)[kLanes]) {
  using Lanes = std::make_integer_sequence<int, SLIPWAY_ML_LANES>;
#pragma GCC unroll 4
  for (int round = 1; round < SLIPWAY_ML_LANES; round *= 2) {
    Vec next[kLanes];
#pragma GCC unroll 8
    for (int i = 0; i < SLIPWAY_ML_LANES / 2; ++i) {
      next[2 * i] = interleave_low(rows[i], rows[i + SLIPWAY_ML_LANES / 2], Lanes{});
      next[2 * i + 1] = interleave_high(rows[i], rows[i + SLIPWAY_ML_LANES / 2], Lanes{});
    }
#pragma GCC unroll 16
    for (int i = 0; i < SLIPWAY_ML_LANES; ++i) rows[i] = next[i];
  }
}

}  // namespace
}  // namespace slipway::ml
