// The inner loops of ml, compiled once per instruction set from kernels_impl.h. Each works on one thread and on whole
// rows or one tile; who runs which rows is decided above, so results do not depend on the number of threads.
#pragma once

#include <cstdint>

namespace slipway::ml {

// No tile has more rows: some kernels copy them first.
inline constexpr std::int64_t kTileRowsMax = 528;

// c[m, n] = scale * sum_k a(m, k) b(k, n)  (+ c before, if accumulate).  Strides count elements.
struct GemmTile {
  std::int64_t m = 0, n = 0, k = 0;
  const float* a = nullptr;  // element (m, k) at a[m * a_row + k * a_col]; one of the two is 1
  std::int64_t a_row = 0, a_col = 0;
  const std::uint16_t* a_bf16 = nullptr;  // a rounded, k along memory, zeros up to a multiple of 32: for gemm_bf16
  std::int64_t a_bf16_row = 0;
  const void* b = nullptr;  // element (k, n) at b[k * b_row + n * b_col]; one of the two is 1
  std::int64_t b_row = 0, b_col = 0;
  bool b_is_bf16 = false;
  const float* b_scale = nullptr;  // given, b holds bytes: (k, n) is b(k, n) b_scale[n]; then b_row is 1
  float* c = nullptr;
  std::int64_t c_row = 0;
  float scale = 1;
  bool accumulate = false;
};

enum class GatedKind : std::uint8_t { Silu, GeluTanh };

// Which mask bits a row of dropout takes: bit i depends on key and i alone.
struct DropoutRow {
  std::uint64_t key = 0;
  std::uint32_t drop_below = 0;  // element i is dropped iff its 32 random bits are below this
  float keep_scale = 1;          // 1 / (1 - p)
};

struct Kernels {
  const char* id;            // part of Compute::kernel_id()
  std::int64_t tile_rows;    // rows of a register tile: M is cut in multiples of it
  std::int64_t tile_cols;    // columns of a register tile: N is cut in multiples of it
  std::int64_t pack_floats;  // scratch that gemm() and gemm_bf16() need
  std::int64_t few_rows;     // up to so many rows with b_row == 1, gemm_few_rows is faster than gemm

  void (*gemm)(const GemmTile& tile, float* pack);
  // The same for few rows and b_row == 1: one pass over b, no packing. Needs a_col == 1.
  void (*gemm_few_rows)(const GemmTile& tile);
  // The same from a_bf16, for b_is_bf16 and k > 0; both null where products are fp32.
  void (*gemm_bf16)(const GemmTile& tile, float* pack);
  // x in 16 bits, as gemm_bf16 wants it (bf16, or halves and a factor): n elements rounded up to 32, and 32 more.
  void (*round_row)(const float* x, std::int64_t n, std::uint16_t* y);

  void (*rms_norm)(const float* x, const float* gain, float eps, std::int64_t n, float* y);
  void (*rms_norm_backward)(const float* x, const float* gain, float eps, const float* dy, std::int64_t n, float* dx);
  void (*gated)(GatedKind kind, const float* gate, const float* up, std::int64_t n, float* y);
  void (*gated_backward)(GatedKind kind, const float* gate, const float* up, const float* dy, std::int64_t n,
                         float* dgate, float* dup);
  void (*rotate)(float* x, const float* cosine, const float* sine, std::int64_t half, float direction);
  // s: raw products in, capped scores out; p: probabilities over [first, last), 0 elsewhere in [0, n). p may be s.
  void (*softmax)(float* s, float* p, std::int64_t first, std::int64_t last, std::int64_t n, float scale, float cap);
  void (*softmax_backward)(const float* s, const float* p, float* dp, std::int64_t n, float scale, float cap);
  // Caps z in place; returns log(sum(exp(z))) - z[label].
  double (*cross_entropy)(float* z, std::int64_t n, float cap, std::int64_t label, double* log_sum);
  // z: capped logits in; scale (softmax(z) - onehot) times the cap's slope out.
  void (*cross_entropy_backward)(float* z, std::int64_t n, float cap, std::int64_t label, double log_sum, float scale);
  void (*softcap)(float* z, std::int64_t n, float cap);
  void (*add)(const float* x, std::int64_t n, float* y);  // y += x
  void (*dropout)(const float* x, const DropoutRow& mask, std::int64_t n, float* y);
  void (*dropout_add)(const float* x, const DropoutRow& mask, std::int64_t n, float* y);  // y += dropout(x)
  void (*widen)(const void* bf16, std::int64_t n, float scale, float* y);                 // y = scale * x
};

extern const Kernels kBaselineKernels;
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
extern const Kernels kAvx512Bf16Kernels;
extern const Kernels kAvx512Fp16Kernels;
extern const Kernels kAmxBf16Kernels;

}  // namespace slipway::ml
