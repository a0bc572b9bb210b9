#include "slipway/ml/trainer.h"

#include <algorithm>
#include <cmath>

#include "ml/train/checkpoint.h"
#include "ml/train/optimizer.h"
#include "ml/train/order.h"
#include "ml/train/schedule.h"
#include "slipway/base/assert.h"

namespace slipway::ml {
namespace {

std::vector<std::uint32_t> lengths_of(const std::vector<Sample>& samples) {
  std::vector<std::uint32_t> lengths;
  lengths.reserve(samples.size());
  for (const auto& sample : samples) lengths.push_back(static_cast<std::uint32_t>(sample.ids.size()));
  return lengths;
}

// Token counts and times, for reports.
class Meter {
 public:
  explicit Meter(const Clock& clock) : clock_(clock), begin_(clock.monotonic()), mark_(begin_) {}

  void add(std::int64_t tokens) { tokens_ += tokens; }
  [[nodiscard]] std::int64_t tokens() const { return tokens_; }
  [[nodiscard]] double seconds() const { return to_seconds(clock_.monotonic() - begin_); }
  [[nodiscard]] double rate() const { return per_second(tokens_, seconds()); }
  // Tokens per second since the last call.
  [[nodiscard]] double lap() {
    const MonoInstant at = clock_.monotonic();
    const double rate = per_second(tokens_ - mark_tokens_, to_seconds(at - mark_));
    mark_ = at;
    mark_tokens_ = tokens_;
    return rate;
  }

 private:
  static double per_second(std::int64_t tokens, double seconds) {
    return seconds > 0 ? static_cast<double>(tokens) / seconds : 0;
  }

  const Clock& clock_;
  MonoInstant begin_;
  MonoInstant mark_;
  std::int64_t tokens_ = 0;
  std::int64_t mark_tokens_ = 0;
};

// The mean of an evaluation, over label tokens or, as transformers has it, over batches.
class Means {
 public:
  explicit Means(const TrainSettings& settings)
      : by_batch_(settings.compat == Compat::Hf), batch_size_(settings.eval_batch_size) {}

  void add(const std::vector<LossSum>& losses) {
    for (const auto& loss : losses) {
      batch_.loss_sum += loss.loss_sum;
      batch_.label_count += loss.label_count;
      labels_ += loss.label_count;
      if (++in_batch_ == batch_size_) close();
    }
  }
  [[nodiscard]] std::int64_t labels() const { return labels_; }
  [[nodiscard]] double result() {
    if (in_batch_ > 0) close();
    return weight_ > 0 ? total_ / weight_ : 0;
  }

 private:
  // A batch without labels counts nowhere.
  void close() {
    if (batch_.label_count > 0) {
      const auto labels = static_cast<double>(batch_.label_count);
      const double weight = by_batch_ ? static_cast<double>(in_batch_) : labels;
      total_ += batch_.loss_sum / labels * weight;
      weight_ += weight;
    }
    batch_ = {};
    in_batch_ = 0;
  }

  bool by_batch_;
  int batch_size_;
  LossSum batch_;
  int in_batch_ = 0;
  std::int64_t labels_ = 0;
  double total_ = 0;
  double weight_ = 0;
};

enum class StepEnd : std::uint8_t { Taken, Stopped, NonFinite };

class Training {
 public:
  Training(const Model& model, Compute& compute, Lora& lora, const std::vector<Sample>& samples,
           const TrainSettings& settings, const CheckpointSettings& checkpoints, const TrainContext& context)
      : model_(model),
        compute_(compute),
        lora_(lora),
        gradients_(lora.zeros_like()),
        samples_(samples),
        settings_(settings),
        checkpoints_(checkpoints),
        context_(context),
        lengths_(lengths_of(samples)),
        plan_(plan_steps(settings, std::ssize(samples))),
        order_(lengths_, settings, plan_),
        values_(lora.parameters()),
        slopes_(gradients_.parameters()),
        optimizer_({.weight_decay = settings.weight_decay}, values_),
        meter_(context.clock) {}

  Result<void> start();
  Result<TrainSummary> run();

 private:
  [[nodiscard]] bool stop_requested() const { return context_.stop_requested && context_.stop_requested(); }
  Result<std::optional<std::int64_t>> find_checkpoint(std::string& note) const;
  StepEnd take_step();
  bool accumulate(const std::vector<Sequence>& batch, std::int64_t labels, double& loss_sum);
  StepEnd apply(double loss, std::int64_t labels);
  [[nodiscard]] StepReport report_of_step(double learning_rate) const;
  void report(double learning_rate);
  [[nodiscard]] bool evaluation_due() const;
  bool evaluate();
  [[nodiscard]] bool save_due() const;
  Result<void> save();
  [[nodiscard]] TrainSummary summary(TrainEnd end) const;

  const Model& model_;
  Compute& compute_;
  Lora& lora_;
  Lora gradients_;
  const std::vector<Sample>& samples_;
  const TrainSettings& settings_;
  const CheckpointSettings& checkpoints_;
  const TrainContext& context_;
  std::vector<std::uint32_t> lengths_;
  StepPlan plan_;
  StepOrder order_;
  std::vector<LoraParameter> values_;
  std::vector<LoraParameter> slopes_;
  AdamW optimizer_;
  Meter meter_;
  TrainState state_;
  std::int64_t resumed_from_ = 0;
  std::int64_t saved_ = -1;
  double grad_norm_ = 0;
  double loss_total_ = 0;  // over the steps of this process
};

// The step of the checkpoint to go on from, if there is one that this training may use.
Result<std::optional<std::int64_t>> Training::find_checkpoint(std::string& note) const {
  const auto& folder = checkpoints_.folder;
  const auto newest = newest_checkpoint(folder);
  if (checkpoints_.resume == Resume::Never || !newest) {
    SLIPWAY_TRY(remove_checkpoints(folder));
    return std::optional<std::int64_t>();
  }
  SLIPWAY_TRY_ASSIGN(const SavedState saved, read_train_state(folder, *newest));
  const std::string differing = fingerprint_differences(checkpoints_.fingerprint, saved.fingerprint);
  if (differing.empty()) return newest;
  if (checkpoints_.resume == Resume::Always)
    return Error{ErrorCode::Conflict,
                 "checkpoint-" + std::to_string(*newest) + " in " + folder.string() +
                     " belongs to another training: " + differing + " differ",
                 "repeat the settings of that training, or start over with --no-resume"};
  note = "removed the checkpoints of another training: " + differing + " differ";
  SLIPWAY_TRY(remove_checkpoints(folder));
  return std::optional<std::int64_t>();
}

Result<void> Training::start() {
  std::string note;
  SLIPWAY_TRY_ASSIGN(const auto found, find_checkpoint(note));
  if (found) {
    SLIPWAY_TRY_ASSIGN(const SavedState saved, read_train_state(checkpoints_.folder, *found));
    state_ = saved.state;
    SLIPWAY_TRY(load_tensors(checkpoints_.folder, state_, model_.config(), lora_, optimizer_));
    resumed_from_ = saved_ = state_.step;
    if (state_.kernel_id != compute_.kernel_id()) note = "not bit-exact: kernel " + state_.kernel_id + " before";
  }
  state_.kernel_id = compute_.kernel_id();
  if (context_.started) context_.started(state_.step, note);
  return {};
}

// Samples are packed into passes greedily in their order, so the passes are a function of the settings alone.
StepEnd Training::take_step() {
  const std::int64_t k = state_.step;
  const auto chosen = order_.samples(k);
  std::int64_t labels = 0;
  for (const auto index : chosen) labels += samples_[index].label_count();
  gradients_.fill(0);
  double loss_sum = 0;
  std::int64_t pass_tokens = 0;
  std::int64_t tokens = 0;
  std::vector<Sequence> batch;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const Sample& sample = samples_[chosen[i]];
    const auto length = std::ssize(sample.ids);
    if (!batch.empty() && pass_tokens + length > settings_.tokens_per_pass) {
      if (!accumulate(batch, labels, loss_sum)) return StepEnd::Stopped;
      batch.clear();
      pass_tokens = 0;
    }
    batch.push_back(
        {.ids = sample.ids, .labels = sample.labels, .dropout_stream = (static_cast<std::uint64_t>(k) << 32U) + i});
    pass_tokens += length;
    tokens += length;
  }
  if (!accumulate(batch, labels, loss_sum)) return StepEnd::Stopped;
  meter_.add(tokens);
  return apply(labels > 0 ? loss_sum / static_cast<double>(labels) : 0.0, labels);
}

bool Training::accumulate(const std::vector<Sequence>& batch, std::int64_t labels, double& loss_sum) {
  if (stop_requested()) return false;
  if (labels == 0) return true;  // a step without labels has no gradient
  const BackwardOptions options{.loss_scale = static_cast<float>(1.0 / static_cast<double>(labels)),
                                .dropout_seed = settings_.seed,
                                .activation_bytes_max = settings_.activation_bytes_max};
  loss_sum += model_.forward_backward(compute_, batch, lora_, gradients_, options).loss_sum;
  return true;
}

// A step without any label counts, and changes nothing.
StepEnd Training::apply(double loss, std::int64_t labels) {
  const double learning_rate = settings_.learning_rate * learning_rate_factor(settings_.schedule, state_.step, plan_);
  grad_norm_ = gradient_norm(slopes_);
  if (!std::isfinite(loss) || !std::isfinite(grad_norm_)) {
    state_.last_loss = loss;
    return StepEnd::NonFinite;
  }
  clip_gradients(slopes_, grad_norm_, settings_.max_grad_norm);
  if (labels > 0) optimizer_.step(values_, slopes_, learning_rate);
  ++state_.step;
  state_.last_loss = loss;
  state_.loss_since_report += loss;
  ++state_.steps_since_report;
  loss_total_ += loss;
  if (context_.stepped) context_.stepped(report_of_step(learning_rate));
  if (state_.step % settings_.logging_steps == 0 || state_.step == plan_.steps) report(learning_rate);
  return StepEnd::Taken;
}

StepReport Training::report_of_step(double learning_rate) const {
  StepReport line;
  line.step = state_.step;
  line.steps = plan_.steps;
  line.epoch = static_cast<double>(state_.step) / static_cast<double>(plan_.steps_per_epoch);
  line.loss = state_.last_loss;
  line.grad_norm = grad_norm_;
  line.learning_rate = learning_rate;
  line.tokens_per_second = meter_.rate();
  const auto taken = static_cast<double>(state_.step - resumed_from_);
  line.eta_s = meter_.seconds() / taken * static_cast<double>(plan_.steps - state_.step);
  line.tokens = meter_.tokens();
  return line;
}

void Training::report(double learning_rate) {
  StepReport line = report_of_step(learning_rate);
  line.loss = state_.loss_since_report / static_cast<double>(state_.steps_since_report);
  line.tokens_per_second = meter_.lap();
  state_.loss_since_report = 0;
  state_.steps_since_report = 0;
  if (context_.report) context_.report(line);
}

bool Training::evaluation_due() const {
  if (context_.evaluation.empty() || state_.step == 0 || state_.evaluated_step == state_.step) return false;
  if (state_.step == plan_.steps) return true;
  return settings_.eval_steps > 0 && state_.step % settings_.eval_steps == 0;
}

// False if it was asked to stop; what was measured so far is thrown away then.
bool Training::evaluate() {
  const MonoInstant begin = context_.clock.monotonic();
  EvalReport line;
  Means means(settings_);
  std::vector<Sequence> batch;
  std::int64_t pass_tokens = 0;
  const auto flush = [&] {
    if (!batch.empty()) means.add(model_.losses(compute_, batch, &lora_));
    batch.clear();
    pass_tokens = 0;
  };
  for (const auto& sample : context_.evaluation) {
    const auto length = std::ssize(sample.ids);
    if (pass_tokens + length > settings_.tokens_per_pass) flush();
    if (stop_requested()) return false;
    batch.push_back({.ids = sample.ids, .labels = sample.labels});
    pass_tokens += length;
  }
  flush();
  line.step = state_.step;
  line.epoch = static_cast<double>(state_.step) / static_cast<double>(plan_.steps_per_epoch);
  line.loss = means.result();
  line.samples = std::ssize(context_.evaluation);
  line.labels = means.labels();
  line.seconds = to_seconds(context_.clock.monotonic() - begin);
  state_.evaluated_step = state_.step;
  state_.eval_loss = line.loss;
  if (context_.evaluated) context_.evaluated(line);
  return true;
}

bool Training::save_due() const {
  if (state_.step == 0) return false;
  if (settings_.save_each_epoch && state_.step % plan_.steps_per_epoch == 0) return true;
  return settings_.save_steps > 0 && state_.step % settings_.save_steps == 0;
}

Result<void> Training::save() {
  if (saved_ == state_.step) return {};
  state_.optimizer_steps = optimizer_.steps();
  SLIPWAY_TRY(save_checkpoint(checkpoints_, lora_, optimizer_, state_, settings_.save_total_limit));
  saved_ = state_.step;
  if (context_.checkpointed) context_.checkpointed(state_.step);
  return {};
}

TrainSummary Training::summary(TrainEnd end) const {
  const auto taken = state_.step - resumed_from_;
  return {.end = end,
          .step = state_.step,
          .steps = plan_.steps,
          .resumed_from = resumed_from_,
          .eval_loss = state_.eval_loss,
          .final_loss = state_.last_loss,
          .mean_loss = taken > 0 ? loss_total_ / static_cast<double>(taken) : state_.last_loss,
          .tokens_per_second = meter_.rate(),
          .tokens = meter_.tokens(),
          .seconds = meter_.seconds()};
}

Result<TrainSummary> Training::run() {
  for (;;) {
    if (evaluation_due() && !evaluate()) {
      SLIPWAY_TRY(save());
      return summary(TrainEnd::Interrupted);
    }
    if (save_due() || state_.step == plan_.steps) SLIPWAY_TRY(save());
    if (state_.step >= plan_.steps) break;
    switch (take_step()) {
      case StepEnd::Stopped: SLIPWAY_TRY(save()); return summary(TrainEnd::Interrupted);
      case StepEnd::NonFinite: return summary(TrainEnd::NonFinite);
      case StepEnd::Taken: break;
    }
  }
  return summary(TrainEnd::Completed);
}

}  // namespace

Result<TrainSummary> train(const Model& model, Compute& compute, Lora& lora, const std::vector<Sample>& samples,
                           const TrainSettings& settings, const CheckpointSettings& checkpoints,
                           const TrainContext& context) {
  SLIPWAY_ASSERT(!samples.empty() && settings.logging_steps > 0);
  Training training(model, compute, lora, samples, settings, checkpoints, context);
  SLIPWAY_TRY(training.start());
  return training.run();
}

}  // namespace slipway::ml
