// Folds an adapter into the weights of its base model: W' = round(W + scale * B A), everything in fp32, rounded once.
#pragma once

#include <filesystem>
#include <optional>

#include "slipway/ml/adapter_folder.h"
#include "slipway/ml/lora.h"
#include "slipway/ml/tensor.h"

namespace slipway::ml {

struct MergeOptions {
  // Floats of the result: F32, BF16 or F16. Without it each tensor keeps its own.
  std::optional<Dtype> dtype;
  std::size_t shard_bytes_max = 5'000'000'000;
};

struct MergeReport {
  std::size_t tensors = 0;
  std::size_t merged = 0;      // of these, changed by the adapter
  std::size_t byte_count = 0;  // of the weights written
  double delta_max = 0;        // largest |scale * B A|
};

// Writes a complete model folder to `output`: weights tensor by tensor (memory: a few rows, whatever the size),
// tokenizer and other side files copied byte for byte, config.json last and byte for byte too, but for the dtype it
// names. Tensors that the adapter does not touch are copied. Weights already in `output` are replaced; it must not be
// the base model. Corrupt if a merged value is not finite, Unsupported if fp16 cannot hold a number; a folder without
// config.json is not finished.
[[nodiscard]] Result<MergeReport> merge_adapter(const std::filesystem::path& model_folder,
                                                const std::filesystem::path& adapter_folder,
                                                const std::filesystem::path& output, const MergeOptions& options = {});
// The same with an adapter in memory.
[[nodiscard]] Result<MergeReport> merge_lora(const std::filesystem::path& model_folder, const Lora& lora,
                                             const std::filesystem::path& output, const MergeOptions& options = {});

}  // namespace slipway::ml
