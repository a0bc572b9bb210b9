#include "slipway/ml/model.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>
#include <utility>

#include "ml/models/head.h"
#include "ml/models/layer.h"
#include "ml/models/pass.h"
#include "ml/models/weights.h"

namespace slipway::ml {
namespace {

std::vector<std::int64_t> every_row(std::int64_t count) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(count));
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

// The tail's rows after the last layer; nothing else is kept.
Rows<float> last_rows(Pass& pass, Tail& tail) {
  const auto& config = pass.config();
  const auto last = pass.arena().rows(tail.pass.rows(), config.hidden_size);
  const ArenaScope scope(pass.arena());
  auto x = pass.arena().rows(pass.rows(), config.hidden_size), y = pass.arena().rows(pass.rows(), config.hidden_size);
  embed(pass.compute, pass.weights.embedding, pass.ids, config.embed_scale, x);
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    const ArenaScope layer_scope(pass.arena());
    const bool is_last = layer + 1 == config.layers;
    layer_forward(pass, is_last ? &tail : nullptr, layer, x, is_last ? last : y);
    std::swap(x, y);
  }
  return last;
}

// Those that come one by one first; neighbours with one adapter are computed together.
std::vector<const DecodeInput*> decode_order(std::span<const DecodeInput> inputs) {
  std::vector<const DecodeInput*> order;
  for (const auto& input : inputs) order.push_back(&input);
  std::ranges::stable_sort(order, [](const DecodeInput* a, const DecodeInput* b) {
    if (a->one_by_one != b->one_by_one) return a->one_by_one;
    return std::less<>()(a->lora, b->lora);
  });
  return order;
}

// The rows of `logits`, which follow `order`, in the order of `inputs`.
Matrix in_order_of(std::span<const DecodeInput> inputs, std::span<const DecodeInput* const> order, Matrix logits) {
  std::vector<std::int64_t> first(inputs.size());  // by input: its first row
  std::int64_t row = 0;
  for (const DecodeInput* input : order) {
    first[static_cast<std::size_t>(input - inputs.data())] = row;
    row += input->logit_rows;
  }
  if (std::ranges::is_sorted(first)) return logits;
  Matrix sorted(logits.rows(), logits.cols());
  row = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    for (std::int64_t t = 0; t < inputs[i].logit_rows; ++t)
      std::copy_n(logits.row(first[i] + t), logits.cols(), sorted.row(row++));
  return sorted;
}

LossSum sum_of(std::span<const double> losses) {
  return {std::accumulate(losses.begin(), losses.end(), 0.0), static_cast<std::int64_t>(losses.size())};
}

void switch_dropout_on(Pass& pass, std::span<const Sequence> batch, float probability, std::uint64_t seed) {
  if (probability == 0) return;
  pass.dropout = probability;
  pass.dropout_seed = seed;
  for (const auto& sequence : batch) {
    pass.dropout_stream.insert(pass.dropout_stream.end(), sequence.ids.size(), sequence.dropout_stream);
    for (std::int32_t t = 0; t < std::ssize(sequence.ids); ++t) pass.dropout_position.push_back(t);
  }
}

// Forward with every layer's input kept, and the states of as many upper layers as the budget allows; then backward.
class TrainingPass {
 public:
  TrainingPass(Pass& pass, Tail& tail, std::size_t activation_bytes_max)
      : pass_(pass), tail_(tail), states_(layer_count()), inputs_(layer_count()) {
    const auto bytes = static_cast<std::size_t>(layer_state_floats(pass.config()) * pass.rows()) * sizeof(float);
    const std::size_t kept = bytes == 0 ? layer_count() : std::min(layer_count(), activation_bytes_max / bytes);
    first_kept_ = layer_count() - kept;
  }

  // The tail's rows after the last layer.
  Rows<float> forward() {
    const std::int64_t h = pass_.config().hidden_size;
    for (auto& input : inputs_) input = pass_.arena().rows(pass_.rows(), h);
    last_ = pass_.arena().rows(tail_.pass.rows(), h);
    gradient_ = pass_.arena().rows(pass_.rows(), h);
    embed(pass_.compute, pass_.weights.embedding, pass_.ids, pass_.config().embed_scale, inputs_.front());
    for (std::size_t layer = 0; layer < layer_count(); ++layer) {
      if (layer >= first_kept_) {
        states_[layer] = run(layer, output(layer));
      } else {
        const ArenaScope scope(pass_.arena());
        run(layer, output(layer));
      }
    }
    return last_;
  }

  // `d_last` holds the gradient of forward()'s rows and is used up.
  void backward(std::int64_t lowest, Rows<float> d_last, Lora& gradients) {
    for (auto layer = static_cast<std::int64_t>(layer_count()) - 1; layer >= lowest; --layer) {
      const ArenaScope scope(pass_.arena());
      const auto index = static_cast<std::size_t>(layer);
      const LayerState state = index >= first_kept_ ? states_[index] : again(index);
      const bool is_last = index + 1 == layer_count();
      layer_backward(
          pass_, tail_of(index), layer, state,
          {.x = inputs_[index], .dy = is_last ? d_last : gradient_, .dx = layer > lowest ? gradient_ : Rows<float>()},
          gradients);
    }
  }

 private:
  [[nodiscard]] std::size_t layer_count() const { return static_cast<std::size_t>(pass_.config().layers); }
  [[nodiscard]] Tail* tail_of(std::size_t layer) { return layer + 1 == layer_count() ? &tail_ : nullptr; }
  [[nodiscard]] Rows<float> output(std::size_t layer) { return tail_of(layer) != nullptr ? last_ : inputs_[layer + 1]; }

  LayerState run(std::size_t layer, Rows<float> y) {
    return layer_forward(pass_, tail_of(layer), static_cast<std::int64_t>(layer), inputs_[layer], y);
  }

  // The output is not needed a second time, and forward()'s rows hold their gradient by now.
  LayerState again(std::size_t layer) {
    const auto first = output(layer);
    return run(layer, pass_.arena().rows(first.rows, first.cols));
  }

  Pass& pass_;
  Tail& tail_;
  std::vector<LayerState> states_;
  std::vector<Rows<float>> inputs_;
  Rows<float> last_;
  Rows<float> gradient_;  // of the input of the layer above
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

Result<Model> Model::load(ModelConfig config, const TensorSource& source, WeightForm form) {
  SLIPWAY_TRY_ASSIGN(auto weights, load_weights(std::move(config), source, form));
  return Model(std::make_unique<Weights>(std::move(weights)));
}

const ModelConfig& Model::config() const { return weights_->config; }

Matrix Model::logits(Compute& compute, std::span<const std::int32_t> ids, const Lora* lora) const {
  const ArenaScope scope(compute.arena());
  const Sequence sequence{.ids = ids, .labels = {}};
  Pass pass = make_pass(compute, *weights_, {&sequence, 1}, lora);
  Matrix out(pass.rows(), config().vocab_size);
  Tail tail = make_tail(pass, every_row(pass.rows()));
  head_logits(tail.pass, last_rows(pass, tail), out.view());
  return out;
}

std::vector<LossSum> Model::losses(Compute& compute, std::span<const Sequence> batch, const Lora* lora) const {
  const ArenaScope scope(compute.arena());
  Pass pass = make_pass(compute, *weights_, batch, lora);
  auto [rows, labels] = label_rows(batch);
  Tail tail = make_tail(pass, std::move(rows));
  const auto losses = head_loss(tail.pass, last_rows(pass, tail), labels, std::nullopt);
  std::vector<LossSum> sums;
  std::size_t first = 0;
  for (const auto& sequence : batch) {
    const std::size_t count = label_rows({&sequence, 1}).rows.size();
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
  pass.has_backward = true;
  switch_dropout_on(pass, batch, lora.dropout, options.dropout_seed);
  auto [rows, labels] = label_rows(batch);
  Tail tail = make_tail(pass, std::move(rows));
  TrainingPass training(pass, tail, options.activation_bytes_max);
  const auto last = training.forward();
  const auto losses = head_loss(tail.pass, last, labels, options.loss_scale);
  training.backward(lora.lowest_layer(), last, gradients);
  return sum_of(losses);
}

Matrix Model::decode(Compute& compute, std::span<const DecodeInput> inputs) const {
  const ArenaScope scope(compute.arena());
  const auto order = decode_order(inputs);
  Pass pass = make_pass(compute, *weights_, order);
  std::vector<std::int64_t> rows;
  for (std::size_t i = 0; i < order.size(); ++i)
    for (std::int64_t t = order[i]->logit_rows; t > 0; --t)
      rows.push_back(pass.sequences[i].first + pass.sequences[i].count - t);
  Tail tail = make_tail(pass, std::move(rows));
  Matrix out(tail.pass.rows(), config().vocab_size);
  head_logits(tail.pass, last_rows(pass, tail), out.view());
  for (const auto& input : inputs) input.cache->advance(static_cast<std::int64_t>(input.ids.size()));
  return in_order_of(inputs, order, std::move(out));
}

TensorView Model::weight(std::int64_t layer, Linear linear) const {
  SLIPWAY_ASSERT(layer >= 0 && layer < config().layers);
  const auto& matrix = weights_->layers[static_cast<std::size_t>(layer)].at(linear).matrix;
  const auto bytes = static_cast<std::size_t>(matrix.rows * matrix.cols) * byte_size(matrix.dtype);
  return {matrix.dtype, {matrix.rows, matrix.cols}, {static_cast<const std::byte*>(matrix.data), bytes}};
}

std::size_t Model::logit_bytes(std::int64_t label_rows) const { return head_bytes(config(), label_rows); }

std::size_t Model::activation_bytes_per_token_layer() const {
  return static_cast<std::size_t>(layer_state_floats(config())) * sizeof(float);
}

}  // namespace slipway::ml
