#include "slipway/ml/compute.h"

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

const Kernels& kernels_of(Isa isa, Products products) {
  if (products == Products::Bf16) return kAvx512Bf16Kernels;
  switch (isa) {
    case Isa::Baseline: return kBaselineKernels;
    case Isa::Avx2: return kAvx2Kernels;
    case Isa::Avx512: return kAvx512Kernels;
  }
  return kBaselineKernels;
}
#else
bool offered(Isa isa) { return isa == Isa::Baseline; }
const Kernels& kernels_of(Isa, Products) { return kBaselineKernels; }
#endif

}  // namespace

Isa best_isa() {
  if (offered(Isa::Avx512)) return Isa::Avx512;
  return offered(Isa::Avx2) ? Isa::Avx2 : Isa::Baseline;
}

bool has_bf16_products() {
#if defined(__x86_64__)
  return offered(Isa::Avx512) && __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

Compute::Compute(ComputeOptions options)
    : isa_(options.isa.value_or(best_isa())),
      kernels_(&kernels_of(isa_, options.products)),
      pool_(options.threads > 0 ? options.threads : usable_cpus()),
      scratch_(std::make_unique<Arena[]>(static_cast<std::size_t>(pool_.threads()))) {
  SLIPWAY_ASSERT(offered(isa_));
  SLIPWAY_ASSERT(options.products == Products::Fp32 || (has_bf16_products() && isa_ == Isa::Avx512));
}

Compute::~Compute() = default;

std::string_view Compute::kernel_id() const { return kernels_->id; }

}  // namespace slipway::ml
