// Gradient clipping and AdamW over an adapter's tensors, in fp32 with torch's order of operations.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "slipway/ml/lora.h"

namespace slipway::ml {

// sqrt(Σ g²) over all gradients, accumulated in double in the given order. Non-finite if any gradient is.
[[nodiscard]] double gradient_norm(std::span<const LoraParameter> gradients);

// Multiplies all gradients by norm_max / (norm + 1e-6) if that is below 1; norm_max <= 0 means no clipping.
// torch.nn.utils.clip_grad_norm_.
void clip_gradients(std::span<const LoraParameter> gradients, double norm, double norm_max);

struct AdamWSettings {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
};

// p ← p·(1 − lr·λ);  m ← m + (1 − β₁)(g − m);  v ← β₂·v + (1 − β₂)·g²;
// p ← p − lr/(1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε).        torch 2.5 optim/adamw.py, _single_tensor_adamw.
// Both LoRA factors are decayed, as in transformers (neither is a bias or a norm).
class AdamW {
 public:
  // The moments of one parameter; zero before the first step.
  struct Moments {
    std::vector<float> first;
    std::vector<float> second;
  };

  // Takes the sizes of `parameters`; step() must be given the same ones in the same order.
  AdamW(AdamWSettings settings, std::span<const LoraParameter> parameters);

  // Changes the values of `parameters`; `gradients` has the same places in the same order.
  void step(std::span<const LoraParameter> parameters, std::span<const LoraParameter> gradients, double learning_rate);

  // Checkpoint access: moments by index of the parameter, and the number of steps taken.
  [[nodiscard]] const std::vector<Moments>& moments() const { return moments_; }
  [[nodiscard]] std::vector<Moments>& moments() { return moments_; }
  [[nodiscard]] std::int64_t steps() const { return steps_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }

 private:
  AdamWSettings settings_;
  std::vector<Moments> moments_;
  std::int64_t steps_ = 0;
};

}  // namespace slipway::ml
