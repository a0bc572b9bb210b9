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
      options.products = ml::has_products(ml::Products::Bf16Tiles) ? ml::Products::Bf16Tiles : ml::Products::Bf16;
      break;
    case ComputeDtype::Fp16: options.products = ml::Products::Fp16; break;
  }
  if (choice.products) options.products = *choice.products;
  if (!ml::has_products(options.products))
    return Error{ErrorCode::Unsupported,
                 "this CPU has no " + std::string(kComputeDtypes.text(choice.dtype)) + " products",
                 "use --compute-dtype auto or fp32"};
  return options;
}

}  // namespace slipway::cli
