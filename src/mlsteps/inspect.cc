#include "slipway/mlsteps/inspect.h"

#include "mlsteps/json_lines.h"
#include "mlsteps/subject.h"

namespace slipway::mlsteps {
namespace {

Result<ml::Dataset> dataset_of(const InspectOptions& options, const ml::LoadedModel& model) {
  ml::DatasetRules rules = options.rules;
  rules.keep_unlabelled = true;  // one result per line
  rules.skip_ratio_max = 1;
  SLIPWAY_TRY_ASSIGN(const auto texts, ml::read_text_samples(options.input, rules, options.model));
  return ml::tokenize_samples(texts, model.tokenizer, model.text_end, rules);
}

std::vector<ml::Sequence> batch_of(const std::vector<ml::Sample>& samples) {
  std::vector<ml::Sequence> batch;
  for (const auto& sample : samples) batch.push_back({.ids = sample.ids, .labels = sample.labels});
  return batch;
}

Result<void> logits(const InspectOptions& options) {
  SLIPWAY_TRY_ASSIGN(const Subject subject, open_subject(options.model, options.adapter));
  SLIPWAY_TRY_ASSIGN(const auto lines, read_json_lines(options.input));
  const ml::Model& model = subject.model();
  ml::Compute compute(options.compute);
  std::vector<ml::Matrix> results;
  std::vector<ml::TensorSpec> specs;
  std::vector<std::span<const std::byte>> data;
  for (const auto& line : lines) {
    SLIPWAY_TRY_ASSIGN(const auto ids, token_ids(line, "prompt_ids", model.config().vocab_size));
    if (ids.empty()) return Error{ErrorCode::InvalidArgument, line.where + ": `prompt_ids` is empty", {}};
    results.push_back(model.logits(compute, ids, subject.lora()));
    specs.push_back({.name = "logits_" + std::to_string(specs.size()),
                     .dtype = ml::Dtype::F32,
                     .shape = {results.back().rows(), results.back().cols()}});
  }
  for (const auto& result : results) data.push_back(std::as_bytes(result.values()));
  return ml::write_safetensors(options.output, specs, data);
}

Result<void> eval_loss(const InspectOptions& options) {
  SLIPWAY_TRY_ASSIGN(const Subject subject, open_subject(options.model, options.adapter));
  SLIPWAY_TRY_ASSIGN(const ml::Dataset dataset, dataset_of(options, subject.loaded));
  ml::Compute compute(options.compute);
  std::vector<Value> lines;
  for (const auto& sample : dataset.samples) {
    const ml::Sequence sequence{.ids = sample.ids, .labels = sample.labels};
    const ml::LossSum sum = subject.model().loss(compute, {&sequence, 1}, subject.lora());
    lines.emplace_back(
        Value::Object{{"loss_sum", sum.loss_sum}, {"labels", sum.label_count}, {"tokens", std::ssize(sample.ids)}});
  }
  return write_json_lines(options.output, lines);
}

Result<void> gradients(const InspectOptions& options) {
  SLIPWAY_TRY_ASSIGN(const Subject subject, open_subject(options.model, options.adapter));
  if (!subject.adapter) return Error{ErrorCode::InvalidArgument, "gradients are those of an adapter", "give --adapter"};
  SLIPWAY_TRY_ASSIGN(const ml::Dataset dataset, dataset_of(options, subject.loaded));
  if (dataset.labels == 0) return Error{ErrorCode::InvalidArgument, "no line has a label", {}};
  ml::Compute compute(options.compute);
  ml::Lora lora = subject.lora()->clone();
  lora.dropout = 0;
  ml::Lora slopes = lora.zeros_like();
  const ml::BackwardOptions backward{.loss_scale = 1.0F / static_cast<float>(dataset.labels)};
  subject.model().forward_backward(compute, batch_of(dataset.samples), lora, slopes, backward);
  std::vector<ml::TensorSpec> specs;
  std::vector<std::span<const std::byte>> data;
  for (const auto& slope : slopes.parameters()) {
    specs.push_back({.name = "base_model.model." + slope.path + ".weight",
                     .dtype = ml::Dtype::F32,
                     .shape = {slope.rows, slope.cols}});
    data.push_back(std::as_bytes(slope.values));
  }
  return ml::write_safetensors(options.output, specs, data);
}

int finish(const Result<void>& done, const StepIo& io) { return done ? kStepOk : fail(io, done.error()); }

}  // namespace

int run_logits(const InspectOptions& options, const StepIo& io) { return finish(logits(options), io); }
int run_eval_loss(const InspectOptions& options, const StepIo& io) { return finish(eval_loss(options), io); }
int run_gradients(const InspectOptions& options, const StepIo& io) { return finish(gradients(options), io); }

}  // namespace slipway::mlsteps
