// Loops over one row. Formulas stand in slipway/ml/ops.h. Included only by the kernel sources.
#pragma once

#include "ml/ops/kernels.h"
#include "ml/ops/vectors.h"

namespace slipway::ml {
namespace {

constexpr float kGeluInner = 0.7978845608028654F;  // sqrt(2 / pi)
constexpr float kGeluCube = 0.044715F;

template <class Term>
inline float sum_over(std::int64_t n, Term term) {
  Vec total{};
  sweep(n, [&](std::int64_t i, auto lanes) { total += term(i, lanes); });
  return sum(total);
}

inline float inverse_rms(const float* x, float eps, std::int64_t n) {
  const float squares = sum_over(n, [&](std::int64_t i, auto lanes) {
    const Vec v = load(x + i, lanes);
    return v * v;
  });
  return 1.0F / __builtin_sqrtf(squares / static_cast<float>(n) + eps);
}

void rms_norm(const float* x, const float* gain, float eps, std::int64_t n, float* y) {
  const float r = inverse_rms(x, eps, n);
  sweep(n, [&](std::int64_t i, auto lanes) { store(y + i, load(x + i, lanes) * r * load(gain + i, lanes), lanes); });
}

void rms_norm_backward(const float* x, const float* gain, float eps, const float* dy, std::int64_t n, float* dx) {
  const float r = inverse_rms(x, eps, n);
  const float dot = sum_over(
      n, [&](std::int64_t i, auto lanes) { return load(gain + i, lanes) * load(dy + i, lanes) * load(x + i, lanes); });
  const float along = r * r * r / static_cast<float>(n) * dot;
  sweep(n, [&](std::int64_t i, auto lanes) {
    store(dx + i, load(gain + i, lanes) * load(dy + i, lanes) * r - load(x + i, lanes) * along, lanes);
  });
}

struct Silu {
  static Vec value(Vec z) { return z * sigmoid(z); }
  static void both(Vec z, Vec& value, Vec& slope) {
    const Vec s = sigmoid(z);
    value = z * s;
    slope = s * (1.0F + z * (1.0F - s));
  }
};

struct GeluTanh {
  static Vec bend(Vec z) { return tanh(kGeluInner * (z + kGeluCube * z * z * z)); }
  static Vec value(Vec z) { return 0.5F * z * (1.0F + bend(z)); }
  static void both(Vec z, Vec& value, Vec& slope) {
    const Vec t = bend(z);
    value = 0.5F * z * (1.0F + t);
    slope = 0.5F * (1.0F + t) + 0.5F * z * (1.0F - t * t) * kGeluInner * (1.0F + 3.0F * kGeluCube * z * z);
  }
};

template <class Act>
void gated_row(const float* gate, const float* up, std::int64_t n, float* y) {
  sweep(n, [&](std::int64_t i, auto lanes) {
    store(y + i, Act::value(load(gate + i, lanes)) * load(up + i, lanes), lanes);
  });
}

void gated(GatedKind kind, const float* gate, const float* up, std::int64_t n, float* y) {
  switch (kind) {
    case GatedKind::Silu: return gated_row<Silu>(gate, up, n, y);
    case GatedKind::GeluTanh: return gated_row<GeluTanh>(gate, up, n, y);
  }
}

template <class Act>
void gated_backward_row(const float* gate, const float* up, const float* dy, std::int64_t n, float* dgate, float* dup) {
  sweep(n, [&](std::int64_t i, auto lanes) {
    Vec value, slope;
    Act::both(load(gate + i, lanes), value, slope);
    const Vec d = load(dy + i, lanes);
    store(dgate + i, d * load(up + i, lanes) * slope, lanes);
    store(dup + i, d * value, lanes);
  });
}

void gated_backward(GatedKind kind, const float* gate, const float* up, const float* dy, std::int64_t n, float* dgate,
                    float* dup) {
  switch (kind) {
    case GatedKind::Silu: return gated_backward_row<Silu>(gate, up, dy, n, dgate, dup);
    case GatedKind::GeluTanh: return gated_backward_row<GeluTanh>(gate, up, dy, n, dgate, dup);
  }
}

void rotate(float* x, const float* cosine, const float* sine, std::int64_t half, float direction) {
  sweep(half, [&](std::int64_t i, auto lanes) {
    const Vec c = load(cosine + i, lanes), s = load(sine + i, lanes) * direction;
    const Vec low = load(x + i, lanes), high = load(x + half + i, lanes);
    store(x + i, low * c - high * s, lanes);
    store(x + half + i, high * c + low * s, lanes);
  });
}

void softcap(float* z, std::int64_t n, float cap) {
  const float inverse = 1.0F / cap;
  sweep(n, [&](std::int64_t i, auto lanes) { store(z + i, cap * tanh(load(z + i, lanes) * inverse), lanes); });
}

// The largest of n > 0 values; a NaN may be passed over, the sum that follows shows it.
float largest(const float* x, std::int64_t n) {
  Vec top = splat(x[0]);
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const Vec v = load(x + i, All{});
    top = v > top ? v : top;
  }
  float result = max(top);
  for (; i < n; ++i) result = x[i] > result ? x[i] : result;
  return result;
}

void clear(float* x, std::int64_t n) {
  sweep(n, [&](std::int64_t i, auto lanes) { store(x + i, Vec{}, lanes); });
}

void softmax(float* s, float* p, std::int64_t first, std::int64_t last, std::int64_t n, float scale, float cap) {
  const std::int64_t count = last - first;
  float* from = s + first;
  float* to = p + first;
  sweep(count, [&](std::int64_t i, auto lanes) { store(from + i, load(from + i, lanes) * scale, lanes); });
  if (cap > 0) softcap(from, count, cap);
  const float top = largest(from, count);
  const float total = sum_over(count, [&](std::int64_t i, auto lanes) {
    store(to + i, exp(load(from + i, lanes) - top), lanes);
    return load(to + i, lanes);  // lanes beyond the end read as 0
  });
  const float inverse = 1.0F / total;
  sweep(count, [&](std::int64_t i, auto lanes) { store(to + i, load(to + i, lanes) * inverse, lanes); });
  clear(p, first);
  clear(p + last, n - last);
}

void softmax_backward(const float* s, const float* p, float* dp, std::int64_t n, float scale, float cap) {
  const float dot = sum_over(n, [&](std::int64_t i, auto lanes) { return load(p + i, lanes) * load(dp + i, lanes); });
  const float inverse = cap > 0 ? 1.0F / cap : 0.0F;
  sweep(n, [&](std::int64_t i, auto lanes) {
    const Vec bend = load(s + i, lanes) * inverse;
    store(dp + i, load(p + i, lanes) * (load(dp + i, lanes) - dot) * (1.0F - bend * bend) * scale, lanes);
  });
}

// exp(z - top) summed in double over pieces short enough for fp32.
double sum_of_exponentials(const float* z, std::int64_t n, float top) {
  constexpr std::int64_t kPiece = 1024;
  double total = 0;
  for (std::int64_t first = 0; first < n; first += kPiece) {
    const std::int64_t count = n - first < kPiece ? n - first : kPiece;
    Vec lanes_total{};
    std::int64_t i = first;
    for (; i + kLanes <= first + count; i += kLanes) lanes_total += exp(load(z + i, All{}) - top);
    total += static_cast<double>(sum(lanes_total));
    for (; i < first + count; ++i) total += static_cast<double>(exp(splat(z[i] - top))[0]);
  }
  return total;
}

double cross_entropy(float* z, std::int64_t n, float cap, std::int64_t label, double* log_sum) {
  if (cap > 0) softcap(z, n, cap);
  const float top = largest(z, n);
  *log_sum = static_cast<double>(top) + __builtin_log(sum_of_exponentials(z, n, top));
  return *log_sum - static_cast<double>(z[label]);
}

void cross_entropy_backward(float* z, std::int64_t n, float cap, std::int64_t label, double log_sum, float scale) {
  const float inverse = cap > 0 ? 1.0F / cap : 0.0F;
  const float at_label = z[label] * inverse;
  const auto shift = static_cast<float>(log_sum);
  sweep(n, [&](std::int64_t i, auto lanes) {
    const Vec v = load(z + i, lanes);
    const Vec bend = v * inverse;
    store(z + i, exp(v - shift) * (1.0F - bend * bend) * scale, lanes);
  });
  z[label] -= (1.0F - at_label * at_label) * scale;
}

void add(const float* x, std::int64_t n, float* y) {
  sweep(n, [&](std::int64_t i, auto lanes) { store(y + i, load(y + i, lanes) + load(x + i, lanes), lanes); });
}

// 32 random bits for each element: the element's number, keyed, through the two multiply-xorshift rounds of
// "lowbias32" (Wellons), keyed again between them.
inline BitVec random_bits(std::uint64_t key, std::int64_t first) {
  BitVec x = (kLaneNumbers + static_cast<std::uint32_t>(first)) ^ static_cast<std::uint32_t>(key);
  x = (x ^ (x >> 16)) * 0x7feb352dU;
  x ^= static_cast<std::uint32_t>(key >> 32);
  x = (x ^ (x >> 15)) * 0x846ca68bU;
  return x ^ (x >> 16);
}

inline Vec dropped(Vec x, const DropoutRow& mask, std::int64_t first) {
  return random_bits(mask.key, first) >= splat_bits(mask.drop_below) ? x * mask.keep_scale : Vec{};
}

void dropout(const float* x, const DropoutRow& mask, std::int64_t n, float* y) {
  sweep(n, [&](std::int64_t i, auto lanes) { store(y + i, dropped(load(x + i, lanes), mask, i), lanes); });
}

void dropout_add(const float* x, const DropoutRow& mask, std::int64_t n, float* y) {
  sweep(n, [&](std::int64_t i, auto lanes) {
    store(y + i, load(y + i, lanes) + dropped(load(x + i, lanes), mask, i), lanes);
  });
}

void widen(const void* bf16, std::int64_t n, float scale, float* y) {
  const auto* x = static_cast<const std::uint16_t*>(bf16);
  sweep(n, [&](std::int64_t i, auto lanes) { store(y + i, load(x + i, lanes) * scale, lanes); });
}

}  // namespace
}  // namespace slipway::ml
