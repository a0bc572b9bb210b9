#include "cli/compute_choice.h"

#include "cli/ml_options.h"

namespace slipway::cli {

void add_compute(CLI::App& app, ComputeChoice& choice) {
  app.add_option("--threads", choice.threads, "threads that compute [all this process may use]")
      ->check(CLI::Range(0, 1024));
  add_enum(app, "--compute-dtype", choice.dtype, kComputeDtypes, "arithmetic of the matrix products");
}

Result<ml::ComputeOptions> resolve(const ComputeChoice& choice, const Clock& clock) {
  ml::ComputeOptions options{.threads = choice.threads, .isa = {}, .products = ml::Products::Fp32};
  switch (choice.dtype) {
    case ComputeDtype::Auto: options.products = ml::faster_products(clock); break;
    case ComputeDtype::Fp32: break;
    case ComputeDtype::Bf16:
      if (!ml::has_bf16_products())
        return Error{ErrorCode::Unsupported, "this CPU has no bf16 products", "use --compute-dtype auto or fp32"};
      options.products = ml::Products::Bf16;
      break;
  }
  return options;
}

}  // namespace slipway::cli
