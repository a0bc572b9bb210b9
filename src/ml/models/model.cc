#include "slipway/ml/model.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include "ml/models/head.h"
#include "ml/models/layer.h"
#include "ml/models/pass.h"
#include "ml/models/weights.h"

namespace slipway::ml {
namespace {

Rows<float> embed_rows(Pass& pass) {
  const auto x = pass.arena().rows(pass.rows(), pass.config().hidden_size);
  embed(pass.compute, pass.weights.embedding, pass.ids, pass.config().embed_scale, x);
  return x;
}

// The rows after the last layer; nothing else is kept.
Rows<const float> last_rows(Pass& pass) {
  auto x = embed_rows(pass);
  auto y = pass.arena().rows(x.rows, x.cols);
  for (std::int64_t layer = 0; layer < pass.config().layers; ++layer) {
    const ArenaScope scope(pass.arena());
    layer_forward(pass, layer, x, y);
    std::swap(x, y);
  }
  return x;
}

LossSum sum_of(std::span<const double> losses) {
  return {std::accumulate(losses.begin(), losses.end(), 0.0), static_cast<std::int64_t>(losses.size())};
}

void switch_dropout_on(Pass& pass, std::span<const Sequence> batch, float probability, std::uint64_t seed) {
  if (probability == 0) return;
  pass.dropout = probability;
  pass.dropout_seed = seed;
  pass.dropout_position = pass.rope_index;
  for (const auto& sequence : batch)
    pass.dropout_stream.insert(pass.dropout_stream.end(), sequence.ids.size(), sequence.dropout_stream);
}

// Forward with every layer's input kept, and the states of as many upper layers as the budget allows; then backward.
class TrainingPass {
 public:
  TrainingPass(Pass& pass, std::size_t activation_bytes_max)
      : pass_(pass), states_(layer_count()), inputs_(layer_count()) {
    const auto bytes = static_cast<std::size_t>(layer_state_floats(pass.config()) * pass.rows()) * sizeof(float);
    const std::size_t kept = bytes == 0 ? layer_count() : std::min(layer_count(), activation_bytes_max / bytes);
    first_kept_ = layer_count() - kept;
  }

  Rows<const float> forward() {
    for (std::size_t layer = 0; layer <= layer_count(); ++layer)
      (layer < layer_count() ? inputs_[layer] : last_) = pass_.arena().rows(pass_.rows(), pass_.config().hidden_size);
    embed(pass_.compute, pass_.weights.embedding, pass_.ids, pass_.config().embed_scale, inputs_.front());
    for (std::size_t layer = 0; layer < layer_count(); ++layer) {
      if (layer >= first_kept_) {
        states_[layer] = run(layer);
      } else {
        const ArenaScope scope(pass_.arena());
        run(layer);
      }
    }
    return last_;
  }

  // dx holds the gradient of the last rows and is used up.
  void backward(std::int64_t lowest, Rows<float> dx, Lora& gradients) {
    for (auto layer = static_cast<std::int64_t>(layer_count()) - 1; layer >= lowest; --layer) {
      const ArenaScope scope(pass_.arena());
      const auto index = static_cast<std::size_t>(layer);
      const LayerState state = index >= first_kept_ ? states_[index] : run(index);
      layer_backward(pass_, layer, state, inputs_[index], dx, layer > lowest, gradients);
    }
  }

 private:
  [[nodiscard]] std::size_t layer_count() const { return static_cast<std::size_t>(pass_.config().layers); }

  // Running a layer again writes the next layer's input again, with the same bits.
  LayerState run(std::size_t layer) {
    const auto y = layer + 1 < layer_count() ? inputs_[layer + 1] : last_;
    return layer_forward(pass_, static_cast<std::int64_t>(layer), inputs_[layer], y);
  }

  Pass& pass_;
  std::vector<LayerState> states_;
  std::vector<Rows<float>> inputs_;
  Rows<float> last_;
  std::size_t first_kept_ = 0;
};

}  // namespace

struct Model::Weights : DecoderWeights {
  explicit Weights(DecoderWeights weights) : DecoderWeights(std::move(weights)) {}
};

Model::Model(std::unique_ptr<Weights> weights) : weights_(std::move(weights)) {}
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

Result<Model> Model::load(ModelConfig config, const TensorSource& source) {
  SLIPWAY_TRY_ASSIGN(auto weights, load_weights(std::move(config), source));
  return Model(std::make_unique<Weights>(std::move(weights)));
}

const ModelConfig& Model::config() const { return weights_->config; }

Matrix Model::logits(Compute& compute, std::span<const std::int32_t> ids, const Lora* lora) const {
  const ArenaScope scope(compute.arena());
  const Sequence sequence{.ids = ids, .labels = {}};
  Pass pass = make_pass(compute, *weights_, {&sequence, 1}, lora);
  Matrix out(pass.rows(), config().vocab_size);
  std::vector<std::int64_t> rows(ids.size());
  std::iota(rows.begin(), rows.end(), 0);
  head_logits(pass, last_rows(pass), rows, out.view());
  return out;
}

std::vector<LossSum> Model::losses(Compute& compute, std::span<const Sequence> batch, const Lora* lora) const {
  const ArenaScope scope(compute.arena());
  Pass pass = make_pass(compute, *weights_, batch, lora);
  const auto losses = head_loss(pass, last_rows(pass), label_rows(batch), 1, {});
  std::vector<LossSum> sums;
  std::size_t first = 0;
  for (const auto& sequence : batch) {
    const std::size_t count = label_rows({&sequence, 1}).size();
    sums.push_back(sum_of(std::span(losses).subspan(first, count)));
    first += count;
  }
  return sums;
}

LossSum Model::loss(Compute& compute, std::span<const Sequence> batch, const Lora* lora) const {
  LossSum total;
  for (const auto& part : losses(compute, batch, lora)) {
    total.loss_sum += part.loss_sum;
    total.label_count += part.label_count;
  }
  return total;
}

LossSum Model::forward_backward(Compute& compute, std::span<const Sequence> batch, const Lora& lora, Lora& gradients,
                                const BackwardOptions& options) const {
  const ArenaScope scope(compute.arena());
  Pass pass = make_pass(compute, *weights_, batch, &lora);
  switch_dropout_on(pass, batch, lora.dropout, options.dropout_seed);
  const auto dx = pass.arena().rows(pass.rows(), config().hidden_size);
  TrainingPass training(pass, options.activation_bytes_max);
  const auto last = training.forward();
  const auto losses = head_loss(pass, last, label_rows(batch), options.loss_scale, dx);
  training.backward(lora.lowest_layer(), dx, gradients);
  return sum_of(losses);
}

Matrix Model::decode(Compute& compute, std::span<const DecodeInput> inputs) const {
  const ArenaScope scope(compute.arena());
  Pass pass = make_pass(compute, *weights_, inputs);
  const auto last = last_rows(pass);
  std::vector<std::int64_t> rows;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto [first, count] = pass.sequences[i];
    rows.push_back(first + count - 1);
    inputs[i].cache->advance(count);
  }
  Matrix out(static_cast<std::int64_t>(rows.size()), config().vocab_size);
  head_logits(pass, last, rows, out.view());
  return out;
}

TensorView Model::weight(std::int64_t layer, Linear linear) const {
  SLIPWAY_ASSERT(layer >= 0 && layer < config().layers);
  const auto& matrix = weights_->layers[static_cast<std::size_t>(layer)].at(linear).matrix;
  const auto bytes = static_cast<std::size_t>(matrix.rows * matrix.cols) * byte_size(matrix.dtype);
  return {matrix.dtype, {matrix.rows, matrix.cols}, {static_cast<const std::byte*>(matrix.data), bytes}};
}

std::size_t Model::activation_bytes_per_token_layer() const {
  return static_cast<std::size_t>(layer_state_floats(config())) * sizeof(float);
}

}  // namespace slipway::ml
