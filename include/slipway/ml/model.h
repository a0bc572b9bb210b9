// A decoder-only language model with frozen weights: logits, loss, gradients into an adapter, and cached decoding.
// Token ids outside the vocabulary and adapters that check_fits() refuses are programmer errors here: callers check
// input. One code path for every family; ModelConfig holds the switches. T: rows (tokens), V: vocabulary, h: hidden
// size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "slipway/base/enum_table.h"
#include "slipway/base/result.h"
#include "slipway/ml/compute.h"
#include "slipway/ml/kv_cache.h"
#include "slipway/ml/lora.h"
#include "slipway/ml/model_config.h"
#include "slipway/ml/tensor.h"

namespace slipway::ml {

// A label that takes no part in the loss.
inline constexpr std::int32_t kIgnoreLabel = -100;

// One sample. Several are packed into one forward; each attends only to itself and its positions start at 0.
struct Sequence {
  std::span<const std::int32_t> ids;  // in [0, V)
  std::span<const std::int32_t>
      labels;                        // as many as ids; labels[t] is token t or kIgnoreLabel. Row t learns labels[t + 1]
  std::uint64_t dropout_stream = 0;  // tells this sample's dropout masks from others': e.g. step * 2^32 + index in step
};

struct LossSum {
  double loss_sum = 0;           // sum over label rows of -log p(label); not scaled
  std::int64_t label_count = 0;  // label rows
};

struct BackwardOptions {
  float loss_scale = 1;            // gradient of loss_scale * loss_sum; token mean: 1 / labels of the whole step
  std::uint64_t dropout_seed = 0;  // with layer, module, dropout_stream, position and column decides each mask bit
  // Layers whose saved activations exceed this are computed again during backward; the result has the same bits.
  std::size_t activation_bytes_max = std::numeric_limits<std::size_t>::max();
};

// One sequence's share of a decoding step: `ids` are new tokens that follow what `cache` holds.
struct DecodeInput {
  KvCache* cache = nullptr;
  std::span<const std::int32_t> ids;  // at least one; the cache has room for them
  const Lora* lora = nullptr;         // this sequence's adapter, or none
  // false: as a prompt, many rows at a time. true: each token as if it came alone. The two differ by rounding; what
  // else is in the step changes no bit of either, nor does how a prompt is cut, if it is cut at multiples of
  // kQueryBlock.
  bool one_by_one = false;
  std::int64_t logit_rows = 1;  // of how many last tokens logits are wanted
};

// How the matrices of the layers and the head are kept. The embedding and small vectors stay as they are.
enum class WeightForm : std::uint8_t { Stored, Int8 };
inline constexpr EnumTable<WeightForm, 2> kWeightForms{{{
    {WeightForm::Stored, "stored", "as the files hold them, mapped"},
    {WeightForm::Int8, "int8", "bytes with one scale per row, made at load: half of bf16 to read, a little less exact"},
}}};

// Immutable after load; any number of threads may use it, each with its own Compute.
class Model {
 public:
  // Takes the weights as they lie in `source`, which must outlive the model: bf16 and fp32 matrices are not copied
  // (fp16 and misaligned ones are widened). NotFound, InvalidArgument or Corrupt name the tensor; nothing is allocated
  // for a tensor whose shape is not the configured one.
  // With WeightForm::Int8 there are no gradients: forward_backward() is a programmer error.
  [[nodiscard]] static Result<Model> load(ModelConfig config, const TensorSource& source,
                                          WeightForm form = WeightForm::Stored);

  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;
  ~Model();

  [[nodiscard]] const ModelConfig& config() const;

  // Logits at every position: [ids.size(), V]. lora may be null; no dropout.
  [[nodiscard]] Matrix logits(Compute& compute, std::span<const std::int32_t> ids, const Lora* lora) const;

  // Sum of losses without gradient; no dropout. lora may be null.
  [[nodiscard]] LossSum loss(Compute& compute, std::span<const Sequence> batch, const Lora* lora) const;
  // The same per sequence, in order.
  [[nodiscard]] std::vector<LossSum> losses(Compute& compute, std::span<const Sequence> batch, const Lora* lora) const;

  // Loss of the packed batch and its gradient, added to `gradients` (from lora.zeros_like()). Dropout as lora.dropout
  // says. The gradient of a batch is the sum of the gradients of its parts, up to rounding.
  LossSum forward_backward(Compute& compute, std::span<const Sequence> batch, const Lora& lora, Lora& gradients,
                           const BackwardOptions& options) const;

  // Appends each input's tokens to its cache and returns the logits after its last tokens, as many as each asks for:
  // [sum of logit_rows, V], in the inputs' order. Prompts may be cut into inputs of several steps.
  [[nodiscard]] Matrix decode(Compute& compute, std::span<const DecodeInput> inputs) const;

  // The weight matrix of one module [out, in] and of the embedding [V, h], as stored.
  [[nodiscard]] TensorView weight(std::int64_t layer, Linear linear) const;

  // Bytes of activations that forward_backward keeps per token and layer, for memory plans.
  [[nodiscard]] std::size_t activation_bytes_per_token_layer() const;
  // Bytes that the logits of a pass with so many label rows take at most.
  [[nodiscard]] std::size_t logit_bytes(std::int64_t label_rows) const;

 private:
  struct Weights;
  explicit Model(std::unique_ptr<Weights> weights);
  std::unique_ptr<Weights> weights_;
};

}  // namespace slipway::ml
