#include "slipway/ml/compute.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <bit>
#include <vector>

#include "ml/ops/kernels.h"

namespace slipway::ml {
namespace {

#if defined(__x86_64__)
bool offered(Isa isa) {
  switch (isa) {
    case Isa::Baseline: return true;
    case Isa::Avx2: return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
    case Isa::Avx512:
      return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
             __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0;
  }
  return false;
}

const Kernels& fp32_kernels_of(Isa isa) {
  switch (isa) {
    case Isa::Baseline: return kBaselineKernels;
    case Isa::Avx2: return kAvx2Kernels;
    case Isa::Avx512: return kAvx512Kernels;
  }
  return kBaselineKernels;
}

const Kernels& kernels_of(Isa isa, Products products) {
  switch (products) {
    case Products::Fp32: return fp32_kernels_of(isa);
    case Products::Bf16: return kAvx512Bf16Kernels;
    case Products::Bf16Tiles: return kAmxBf16Kernels;
    case Products::Fp16: return kAvx512Fp16Kernels;
  }
  return fp32_kernels_of(isa);
}

// Linux gives the tiles' state to a process that asks (arch/x86/include/uapi/asm/prctl.h).
bool tiles_permitted() {
  constexpr unsigned kLeaf = 7, kAmxBf16 = 1U << 22U, kAmxTile = 1U << 24U;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(kLeaf, 0, &a, &b, &c, &d) == 0 || (d & kAmxBf16) == 0 || (d & kAmxTile) == 0) return false;
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

// A product of small whole numbers, which has one right result.
bool tiles_compute_rightly() {
  constexpr std::int64_t kSide = 32, kDepth = 64, kRow = kDepth + 32;
  std::vector<std::uint16_t> a(kSide * kRow), b(kDepth * kSide);
  const auto number = [](std::int64_t i) { return static_cast<float>(i % 7 - 3); };
  const auto bits = [](float x) { return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(x) >> 16U); };
  for (std::int64_t m = 0; m < kSide; ++m)
    for (std::int64_t k = 0; k < kDepth; ++k) a[static_cast<std::size_t>(m * kRow + k)] = bits(number(3 * m + k));
  for (std::int64_t k = 0; k < kDepth; ++k)
    for (std::int64_t n = 0; n < kSide; ++n) b[static_cast<std::size_t>(k * kSide + n)] = bits(number(k + 2 * n));
  Matrix result(kSide, kSide), pack(1, kAmxBf16Kernels.pack_floats);
  kAmxBf16Kernels.gemm_bf16({.m = kSide,
                             .n = kSide,
                             .k = kDepth,
                             .a_bf16 = a.data(),
                             .a_bf16_row = kRow,
                             .b = b.data(),
                             .b_row = kSide,
                             .b_col = 1,
                             .b_is_bf16 = true,
                             .c = result.row(0),
                             .c_row = kSide},
                            pack.row(0));
  for (std::int64_t m = 0; m < kSide; ++m)
    for (std::int64_t n = 0; n < kSide; ++n) {
      float sum = 0;
      for (std::int64_t k = 0; k < kDepth; ++k) sum += number(3 * m + k) * number(k + 2 * n);
      if (result.row(m)[n] != sum) return false;
    }
  return true;
}

bool offered(Products products) {
  if (products == Products::Fp32) return true;
  if (!offered(Isa::Avx512)) return false;
  switch (products) {
    case Products::Fp32: return true;
    case Products::Bf16: return __builtin_cpu_supports("avx512bf16") != 0;
    case Products::Bf16Tiles:
      return __builtin_cpu_supports("avx512bf16") != 0 && tiles_permitted() && tiles_compute_rightly();
    case Products::Fp16: return __builtin_cpu_supports("avx512fp16") != 0;
  }
  return false;
}
#else
bool offered(Isa isa) { return isa == Isa::Baseline; }
bool offered(Products products) { return products == Products::Fp32; }
const Kernels& kernels_of(Isa, Products) { return kBaselineKernels; }
#endif

}  // namespace

Isa best_isa() {
  if (offered(Isa::Avx512)) return Isa::Avx512;
  return offered(Isa::Avx2) ? Isa::Avx2 : Isa::Baseline;
}

bool has_products(Products products) { return offered(products); }

std::optional<Products> products_of_kernel(std::string_view kernel_id) {
  for (const auto& row : kProducts.rows())
    if (kernels_of(best_isa(), row.value).id == kernel_id && has_products(row.value)) return row.value;
  return std::nullopt;
}

Compute::Compute(ComputeOptions options)
    : isa_(options.isa.value_or(best_isa())),
      kernels_(&kernels_of(isa_, options.products)),
      pool_(options.threads > 0 ? options.threads : usable_cpus()),
      scratch_(std::make_unique<Arena[]>(static_cast<std::size_t>(pool_.threads()))) {
  SLIPWAY_ASSERT(offered(isa_));
  SLIPWAY_ASSERT(options.products == Products::Fp32 || (has_products(options.products) && isa_ == Isa::Avx512));
}

Compute::~Compute() = default;

std::string_view Compute::kernel_id() const { return kernels_->id; }

}  // namespace slipway::ml
