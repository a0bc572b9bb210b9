// --threads and --compute-dtype of the verbs that compute.
#pragma once

#include <CLI/CLI.hpp>

#include "slipway/base/enum_table.h"
#include "slipway/base/time.h"
#include "slipway/ml/compute.h"

namespace slipway::cli {

enum class ComputeDtype : std::uint8_t { Auto, Fp32, Bf16, Fp16 };
inline constexpr EnumTable<ComputeDtype, 4> kComputeDtypes{{{
    {ComputeDtype::Auto, "auto", "whichever multiplies faster here, by a short measurement"},
    {ComputeDtype::Fp32, "fp32", "products in fp32: the exact mode"},
    {ComputeDtype::Bf16, "bf16", "products in bf16, sums in fp32"},
    {ComputeDtype::Fp16, "fp16", "scaled products in half precision, sums in fp32"},
}}};

struct ComputeChoice {
  ComputeDtype dtype = ComputeDtype::Auto;
  int threads = 0;                       // 0: all this process may use
  std::optional<ml::Products> products;  // of a checkpoint that is gone on from; over `dtype`
};

void add_compute(CLI::App& app, ComputeChoice& choice);

// Unsupported if this CPU has not the products that were asked for.
[[nodiscard]] Result<ml::ComputeOptions> resolve(const ComputeChoice& choice, const Clock& clock);

}  // namespace slipway::cli
