// Speed of the decoder on random bf16 weights:  bench_ml [demo|qwen2.5-0.5b] [threads] [fp32|bf16|bf16-tiles|fp16]
// Prints training steps, prefill and decoding in tokens per second, and products in GF/s by shape.
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "slipway/base/rng.h"
#include "slipway/base/time.h"
#include "slipway/ml/bf16.h"
#include "slipway/ml/matmul.h"
#include "slipway/ml/model.h"

namespace slipway::ml {
namespace {

struct Subject {
  ModelConfig config;
  std::size_t sequences;
  std::size_t length;
};

Subject demo() {
  ModelConfig config;
  config.vocab_size = 900;
  config.hidden_size = 160;
  config.intermediate_size = 448;
  config.layers = 4;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 40;
  config.context_length = 512;
  config.norm_one_plus = config.post_norms = config.tied_head = true;
  config.activation = Activation::GeluTanh;
  config.attention_softcap = 50;
  config.final_softcap = 30;
  config.embed_scale = std::sqrt(160.0F);
  config.attention_scale = 1 / std::sqrt(40.0F);
  return {config, 32, 64};
}

Subject qwen() {
  ModelConfig config;
  config.family = ModelFamily::Qwen2;
  config.vocab_size = 151936;
  config.hidden_size = 896;
  config.intermediate_size = 4864;
  config.layers = 24;
  config.heads = 14;
  config.kv_heads = 2;
  config.head_dim = 64;
  config.context_length = 32768;
  config.qkv_bias = config.tied_head = true;
  config.attention_scale = 0.125F;
  config.rope.theta = 1e6;
  return {config, 1, 512};
}

// Every tensor a model asks for, of small random values.
class NoiseTensors : public TensorSource {
 public:
  explicit NoiseTensors(const ModelConfig& config) : config_(config) {}

  [[nodiscard]] Result<TensorView> find(std::string_view name) const override {
    const auto shape = shape_of(name);
    std::size_t count = 1;
    for (const auto size : shape) count *= static_cast<std::size_t>(size);
    auto& values = tensors_[std::string(name)];
    Rng rng(stable_hash(name));
    values.resize(count);
    for (auto& value : values) value = to_bf16(static_cast<float>(rng.unit() - 0.5) * 0.1F);
    return TensorView{Dtype::BF16, shape, std::as_bytes(std::span(values))};
  }

 private:
  [[nodiscard]] std::vector<std::int64_t> shape_of(std::string_view name) const {
    for (const auto& row : kLinears.rows()) {
      if (name.find(row.text) == std::string_view::npos) continue;
      const auto shape = linear_shape(config_, row.value);
      if (name.ends_with(".bias")) return {shape.out};
      return {shape.out, shape.in};
    }
    if (name.find("norm") != std::string_view::npos) return {config_.hidden_size};
    return {config_.vocab_size, config_.hidden_size};
  }

  const ModelConfig& config_;
  mutable std::map<std::string, std::vector<Bf16>> tensors_;
};

class Bench {
 public:
  Bench(Subject subject, ComputeOptions options, WeightForm form)
      : subject_(std::move(subject)),
        tensors_(subject_.config),
        compute_(options),
        model_(Model::load(subject_.config, tensors_, form).value()),
        lora_(subject_.config.layers) {
    Rng rng(1);
    for (std::int64_t layer = 0; layer < subject_.config.layers; ++layer)
      for (const auto& row : kLinears.rows())
        lora_.add(layer, row.value, linear_shape(subject_.config, row.value), 8, 2).a.fill(0.01F);
    for (std::size_t i = 0; i < subject_.sequences * subject_.length; ++i)
      ids_.push_back(static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(subject_.config.vocab_size))));
  }

  void run(bool decoding_alone) {
    fmt::print("kernel {}, {} threads\n", compute_.kernel_id(), compute_.threads());
    if (!decoding_alone) products();
    if (!decoding_alone) training();
    for (const std::size_t batch : {std::size_t{1}, std::size_t{8}}) decoding(batch);
  }

 private:
  // Best of `rounds` in seconds, after one that warms up.
  template <class Work>
  double best_seconds(int rounds, Work work) {
    work();
    double best = INFINITY;
    for (int round = 0; round < rounds; ++round) {
      const auto start = clock_.monotonic();
      work();
      best = std::min(best, to_seconds(clock_.monotonic() - start));
    }
    return best;
  }

  void products() {
    const auto rows = static_cast<std::int64_t>(ids_.size());
    for (const auto which : {Linear::Q, Linear::Gate, Linear::Down}) {
      const Operand weight(model_.weight(0, which));
      Matrix x(rows, weight.cols), y(rows, weight.rows);
      x.fill(0.5F);
      const double flops = 2.0 * static_cast<double>(rows * weight.rows * weight.cols);
      const double forward = best_seconds(5, [&] { matmul(compute_, x.view(), weight.t(), y.view()); });
      const double backward = best_seconds(5, [&] { matmul(compute_, y.view(), weight, x.view()); });
      fmt::print("{:<18} M {:5} N {:5} K {:5}   x W^T {:6.0f} GF/s   dy W {:6.0f} GF/s\n", kLinears.text(which), rows,
                 weight.rows, weight.cols, flops / forward * 1e-9, flops / backward * 1e-9);
    }
  }

  void training() {
    std::vector<Sequence> batch;
    for (std::size_t i = 0; i < subject_.sequences; ++i) {
      const auto part = std::span<const std::int32_t>(ids_).subspan(i * subject_.length, subject_.length);
      batch.push_back({.ids = part, .labels = part, .dropout_stream = i});
    }
    Lora gradients = lora_.zeros_like();
    const auto tokens = static_cast<double>(ids_.size());
    const double seconds = best_seconds(3, [&] { model_.forward_backward(compute_, batch, lora_, gradients, {}); });
    fmt::print("training, all rows labelled: {:.1f} ms a step, {:.0f} tokens/s, arena {} MiB\n", seconds * 1e3,
               tokens / seconds, compute_.arena().bytes() >> 20U);
  }

  void decoding(std::size_t batch) {
    constexpr std::int64_t kPrompt = 64, kSteps = 16;
    KvPool pool(subject_.config, static_cast<std::int64_t>(batch) * KvPool::pages_for(kPrompt + kSteps));
    std::vector<KvCache> caches;
    for (std::size_t i = 0; i < batch; ++i) caches.emplace_back(pool);
    std::vector<DecodeInput> inputs;
    for (auto& cache : caches) inputs.push_back({&cache, std::span<const std::int32_t>(ids_).first(kPrompt), nullptr});
    const double prefill = best_seconds(2, [&] {
      for (auto& cache : caches) {
        cache.truncate(0);
        SLIPWAY_ASSERT(cache.reserve(kPrompt + kSteps));
      }
      (void)model_.decode(compute_, inputs);
    });
    for (auto& input : inputs) {
      input.ids = input.ids.first(1);
      input.one_by_one = true;
    }
    const double step = best_seconds(kSteps - 1, [&] { (void)model_.decode(compute_, inputs); });
    fmt::print("batch {}: prefill {:.0f} tokens/s, decoding {:.1f} tokens/s\n", batch,
               static_cast<double>(batch * kPrompt) / prefill, static_cast<double>(batch) / step);
  }

  Subject subject_;
  NoiseTensors tensors_;
  Compute compute_;
  Model model_;
  Lora lora_;
  std::vector<std::int32_t> ids_;
  SystemClock clock_;
};

}  // namespace
}  // namespace slipway::ml

int main(int argc, char** argv) {
  using namespace slipway::ml;
  const std::string name = argc > 1 ? argv[1] : "demo";
  const int threads = argc > 2 ? std::atoi(argv[2]) : 0;
  const auto products = kProducts.parse(argc > 3 ? argv[3] : "fp32");
  if ((name != "demo" && name != "qwen2.5-0.5b") || threads < 0 || !products) {
    fmt::print(stderr, "usage: bench_ml [demo|qwen2.5-0.5b] [threads] [fp32|bf16|bf16-tiles|fp16] [all|stored|int8]\n");
    return 2;
  }
  if (!has_products(*products)) {
    fmt::print(stderr, "this CPU does not have these products\n");
    return 2;
  }
  // A form of the weights: only decoding is measured, with that form.
  const std::string what = argc > 4 ? argv[4] : "all";
  const auto form = kWeightForms.parse(what == "all" ? "stored" : what);
  if (!form) {
    fmt::print(stderr, "{} is neither all, stored nor int8\n", what);
    return 2;
  }
  Bench(name == "demo" ? demo() : qwen(), {.threads = threads, .isa = {}, .products = *products}, *form)
      .run(what != "all");
  return 0;
}
