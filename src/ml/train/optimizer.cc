#include "ml/train/optimizer.h"

#include <cmath>

#include "slipway/base/assert.h"

namespace slipway::ml {

double gradient_norm(std::span<const LoraParameter> gradients) {
  double sum = 0;
  for (const auto& gradient : gradients)
    for (const float g : gradient.values) sum += static_cast<double>(g) * static_cast<double>(g);
  return std::sqrt(sum);
}

void clip_gradients(std::span<const LoraParameter> gradients, double norm, double norm_max) {
  if (norm_max <= 0) return;
  const auto factor = static_cast<float>(norm_max / (norm + 1e-6));
  if (factor >= 1.0F) return;
  for (const auto& gradient : gradients)
    for (float& g : gradient.values) g *= factor;
}

AdamW::AdamW(AdamWSettings settings, std::span<const LoraParameter> parameters) : settings_(settings) {
  for (const auto& parameter : parameters)
    moments_.push_back({.first = std::vector<float>(parameter.values.size(), 0.0F),
                        .second = std::vector<float>(parameter.values.size(), 0.0F)});
}

void AdamW::step(std::span<const LoraParameter> parameters, std::span<const LoraParameter> gradients,
                 double learning_rate) {
  SLIPWAY_ASSERT(parameters.size() == moments_.size() && gradients.size() == moments_.size());
  ++steps_;
  const auto t = static_cast<double>(steps_);
  const auto decay = static_cast<float>(1.0 - learning_rate * settings_.weight_decay);
  const auto first_share = static_cast<float>(1.0 - settings_.beta1);
  const auto beta2 = static_cast<float>(settings_.beta2);
  const auto second_share = static_cast<float>(1.0 - settings_.beta2);
  const auto step_size = static_cast<float>(learning_rate / (1.0 - std::pow(settings_.beta1, t)));
  const auto correction = static_cast<float>(std::sqrt(1.0 - std::pow(settings_.beta2, t)));
  const auto epsilon = static_cast<float>(settings_.epsilon);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const std::span<float> values = parameters[i].values;
    const std::span<float> gradient = gradients[i].values;
    auto& [first, second] = moments_[i];
    SLIPWAY_ASSERT(values.size() == first.size() && gradient.size() == first.size());
    for (std::size_t j = 0; j < values.size(); ++j) {
      const float g = gradient[j];
      values[j] *= decay;
      first[j] += first_share * (g - first[j]);
      second[j] = beta2 * second[j] + second_share * g * g;
      values[j] -= step_size * (first[j] / (std::sqrt(second[j]) / correction + epsilon));
    }
  }
}

}  // namespace slipway::ml
