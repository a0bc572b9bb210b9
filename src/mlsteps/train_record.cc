#include "mlsteps/train_record.h"

#include <fmt/format.h>

#include "slipway/base/file.h"
#include "slipway/base/rng.h"

namespace slipway::mlsteps {
namespace {

constexpr std::size_t kConfigBytesMax = 16U << 20U;

std::string_view bytes_of(const std::vector<std::int32_t>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0])};
}

std::string digest(const ml::Dataset& dataset) {
  std::uint64_t hash = 0;
  for (const auto& sample : dataset.samples)
    hash = hash * 0x9e3779b97f4a7c15ULL + stable_hash(bytes_of(sample.ids)) + 31 * stable_hash(bytes_of(sample.labels));
  return fmt::format("{:016x}", hash);
}

// Of the model's shape; hashing gigabytes of weights would cost more than the mistake it finds.
std::string model_digest(const std::string& folder) {
  const auto config = read_whole_file(std::filesystem::path(folder) / "config.json", kConfigBytesMax);
  return fmt::format("{:016x}", config ? stable_hash(*config) : 0);
}

Value targets_of(const ml::AdapterConfig& config) {
  if (!config.target_pattern.empty()) return config.target_pattern;
  return Value::Array(config.target_modules.begin(), config.target_modules.end());
}

}  // namespace

Value training_fingerprint(const TrainOptions& options, const ml::Adapter& adapter, const ml::Dataset& dataset) {
  const auto& s = options.settings;
  return Value::Object{{"model_config", model_digest(options.model)},
                       {"data", digest(dataset)},
                       {"samples", std::ssize(dataset.samples)},
                       {"num_train_epochs", s.epochs},
                       {"max_steps", s.max_steps},
                       {"per_device_train_batch_size", s.batch_size},
                       {"gradient_accumulation_steps", s.accumulation},
                       {"learning_rate", s.learning_rate},
                       {"lr_scheduler_type", ml::kLrSchedules.text(s.schedule)},
                       {"warmup_ratio", s.warmup_ratio},
                       {"warmup_steps", s.warmup_steps},
                       {"weight_decay", s.weight_decay},
                       {"max_grad_norm", s.max_grad_norm},
                       {"shuffle", s.shuffle},
                       {"group_by_length", s.group_by_length},
                       {"seed", static_cast<std::int64_t>(s.seed)},
                       {"compat", ml::kCompats.text(s.compat)},
                       {"tokens_per_pass", s.tokens_per_pass},
                       {"lora_r", adapter.config.rank},
                       {"lora_alpha", adapter.config.alpha},
                       {"lora_dropout", adapter.config.dropout},
                       {"use_rslora", adapter.config.rslora},
                       {"target_modules", targets_of(adapter.config)}};
}

Value training_record(const TrainOptions& options, const ml::Adapter& adapter, const ml::Dataset& dataset,
                      const ml::Compute& compute) {
  Value record = training_fingerprint(options, adapter, dataset);
  record["model"] = options.model;
  record["dataset"] = options.data;
  record["output"] = options.output;
  record["init_adapter"] = options.init_adapter;
  record["eval_data"] = options.eval_data;
  record["eval_steps"] = options.settings.eval_steps;
  record["per_device_eval_batch_size"] = options.settings.eval_batch_size;
  record["limit"] = options.limit;
  record["packing"] = options.rules.packing;
  if (options.rules.completion_only) record["completion_only"] = *options.rules.completion_only;
  record["response_template"] = options.rules.response_template;
  record["max_seq_length"] = options.rules.max_seq_length;
  record["logging_steps"] = options.settings.logging_steps;
  record["save_steps"] = options.settings.save_steps;
  record["save_total_limit"] = options.settings.save_total_limit;
  record["tokens"] = dataset.tokens;
  record["labels"] = dataset.labels;
  record["samples_without_labels"] = dataset.without_labels;
  record["samples_truncated"] = dataset.truncated;
  record["trainable_parameters"] = adapter.lora.parameter_count();
  record["kernel"] = compute.kernel_id();
  record["threads"] = compute.threads();
  return record;
}

}  // namespace slipway::mlsteps
