#include "slipway/ml/lora.h"

namespace slipway::ml {

Lora::Lora(std::int64_t layers) : layers_(layers), pairs_(static_cast<std::size_t>(layers) * kLinears.size()) {}

std::size_t Lora::slot(std::int64_t layer, Linear linear) const {
  SLIPWAY_ASSERT(layer >= 0 && layer < layers_);
  return static_cast<std::size_t>(layer) * kLinears.size() + static_cast<std::size_t>(linear);
}

LoraPair& Lora::add(std::int64_t layer, Linear linear, LinearShape shape, std::int64_t rank, float scale) {
  auto& place = pairs_[slot(layer, linear)];
  SLIPWAY_ASSERT(!place.has_value() && rank > 0);
  return place.emplace(LoraPair{Matrix(rank, shape.in), Matrix(shape.out, rank), scale});
}

const LoraPair* Lora::find(std::int64_t layer, Linear linear) const {
  const auto& place = pairs_[slot(layer, linear)];
  return place ? &*place : nullptr;
}

LoraPair* Lora::find(std::int64_t layer, Linear linear) {
  auto& place = pairs_[slot(layer, linear)];
  return place ? &*place : nullptr;
}

std::int64_t Lora::lowest_layer() const {
  for (std::size_t i = 0; i < pairs_.size(); ++i)
    if (pairs_[i]) return static_cast<std::int64_t>(i / kLinears.size());
  return layers_;
}

std::vector<LoraParameter> Lora::parameters() {
  std::vector<LoraParameter> list;
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    if (!pairs_[i]) continue;
    const auto path =
        linear_path(static_cast<std::int64_t>(i / kLinears.size()), static_cast<Linear>(i % kLinears.size()));
    auto& [a, b, scale] = *pairs_[i];
    list.push_back({path + ".lora_A", a.values(), a.rows(), a.cols()});
    list.push_back({path + ".lora_B", b.values(), b.rows(), b.cols()});
  }
  return list;
}

std::int64_t Lora::parameter_count() const {
  std::int64_t count = 0;
  for (const auto& pair : pairs_)
    if (pair) count += pair->a.rows() * pair->a.cols() + pair->b.rows() * pair->b.cols();
  return count;
}

Lora Lora::zeros_like() const {
  Lora zeros(layers_);
  zeros.dropout = dropout;
  for (std::size_t i = 0; i < pairs_.size(); ++i)
    if (const auto& pair = pairs_[i])
      zeros.pairs_[i] =
          LoraPair{Matrix(pair->a.rows(), pair->a.cols()), Matrix(pair->b.rows(), pair->b.cols()), pair->scale};
  return zeros;
}

Lora Lora::clone() const {
  Lora copy(layers_);
  copy.dropout = dropout;
  for (std::size_t i = 0; i < pairs_.size(); ++i)
    if (const auto& pair = pairs_[i]) copy.pairs_[i] = LoraPair{pair->a.clone(), pair->b.clone(), pair->scale};
  return copy;
}

void Lora::fill(float value) {
  for (auto& pair : pairs_) {
    if (!pair) continue;
    pair->a.fill(value);
    pair->b.fill(value);
  }
}

Result<void> check_fits(const Lora& lora, const ModelConfig& config) {
  const auto invalid = [](const std::string& message) { return Error{ErrorCode::InvalidArgument, message, {}}; };
  if (lora.layers() != config.layers)
    return invalid("the adapter has " + std::to_string(lora.layers()) + " layers, the model " +
                   std::to_string(config.layers));
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    for (const auto& row : kLinears.rows()) {
      const auto* pair = lora.find(layer, row.value);
      if (pair == nullptr) continue;
      const auto shape = linear_shape(config, row.value);
      if (pair->a.cols() != shape.in || pair->b.rows() != shape.out || pair->a.rows() != pair->b.cols())
        return invalid("the adapter for " + linear_path(layer, row.value) + " does not fit its weight of [" +
                       std::to_string(shape.out) + ", " + std::to_string(shape.in) + "]");
    }
  }
  return {};
}

}  // namespace slipway::ml
