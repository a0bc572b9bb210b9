// A model and perhaps an adapter, loaded: what generate, evaluate and debug look at.
#pragma once

#include <optional>
#include <string>

#include "slipway/ml/adapter_folder.h"
#include "slipway/ml/loaded_model.h"

namespace slipway::mlsteps {

struct Subject {
  ml::LoadedModel loaded;
  std::optional<ml::Adapter> adapter;

  [[nodiscard]] const ml::Model& model() const { return loaded.model; }
  [[nodiscard]] const ml::Lora* lora() const { return adapter ? &adapter->lora : nullptr; }
};

// `adapter` may be empty.
[[nodiscard]] Result<Subject> open_subject(const std::string& model, const std::string& adapter,
                                           ml::WeightForm form = ml::WeightForm::Stored);

}  // namespace slipway::mlsteps
