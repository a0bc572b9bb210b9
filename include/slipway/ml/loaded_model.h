// A model folder, opened and ready to compute.
#pragma once

#include <filesystem>
#include <memory>

#include "slipway/base/result.h"
#include "slipway/ml/model.h"
#include "slipway/ml/model_folder.h"
#include "slipway/ml/tokenizer.h"

namespace slipway::ml {

struct LoadedModel {
  std::filesystem::path folder;
  std::unique_ptr<FolderTensors> tensors;  // what `model` points into
  Model model;
  Tokenizer tokenizer;
  TokenId text_end;  // the tokenizer's eos_token: ends a training text. The model may stop at further tokens
};

// Maps the weights and reads the tokenizer; errors name the file or tensor.
[[nodiscard]] Result<LoadedModel> load_model(const std::filesystem::path& folder, WeightForm form = WeightForm::Stored);

}  // namespace slipway::ml
