#include "slipway/mlsteps/train.h"

#include <fmt/format.h>

#include <cmath>
#include <ostream>

#include "mlsteps/memory_plan.h"
#include "mlsteps/progress.h"
#include "mlsteps/run_folder.h"
#include "mlsteps/train_places.h"
#include "mlsteps/train_record.h"
#include "mlsteps/train_tracking.h"
#include "slipway/base/file.h"
#include "slipway/ml/adapter_folder.h"
#include "slipway/ml/loaded_model.h"
#include "slipway/ml/memory.h"
#include "slipway/ml/merge.h"
#include "slipway/mlsteps/merge.h"

namespace slipway::mlsteps {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> usage_problem(const TrainOptions& options) {
  const auto& settings = options.settings;
  if (options.model.empty() || options.data.empty() || options.output.empty())
    return "--model, --data and --output are needed";
  if (options.lora_r < 1) return "--lora-r must be at least 1";
  if (!(options.lora_dropout >= 0 && options.lora_dropout < 1)) return "--lora-dropout must be in [0, 1)";
  if (options.target_modules.empty()) return "--target-modules must name at least one module";
  if (settings.batch_size < 1 || settings.accumulation < 1)
    return "--per-device-train-batch-size and --gradient-accumulation-steps must be at least 1";
  if (!(settings.epochs > 0) && settings.max_steps <= 0) return "--num-train-epochs must be above 0";
  if (!(settings.learning_rate >= 0) || !std::isfinite(settings.learning_rate))
    return "--learning-rate must be at least 0";
  if (!(settings.warmup_ratio >= 0 && settings.warmup_ratio <= 1)) return "--warmup-ratio must be in [0, 1]";
  if (settings.logging_steps < 1) return "--logging-steps must be at least 1";
  if (settings.save_steps < 0 || settings.save_total_limit < 0)
    return "--save-steps and --save-total-limit must be at least 0";
  if (settings.eval_steps < 0 || settings.eval_batch_size < 1)
    return "--eval-steps must be at least 0 and --per-device-eval-batch-size at least 1";
  if (settings.eval_steps > 0 && options.eval_data.empty()) return "--eval-steps needs --eval-data";
  if (options.limit < 0) return "--limit must be at least 0";
  if (!merge_dtype(options.merge_dtype)) return "--merge-dtype must be bf16, fp16 or fp32";
  if (options.rules.max_seq_length < 2) return "--max-seq-length must be at least 2";
  return std::nullopt;
}

// Of the largest forward pass that the samples can give.
MemoryNeed memory_need(const ml::LoadedModel& model, const ml::Lora& lora, const ml::Dataset& dataset,
                       const ml::TrainSettings& settings) {
  constexpr std::size_t kBytesPerParameter = 4 * sizeof(float);  // value, gradient, two moments
  std::size_t longest = 0;
  for (const auto& sample : dataset.samples) longest = std::max(longest, sample.ids.size());
  const std::size_t samples =
      static_cast<std::size_t>(settings.batch_size) * static_cast<std::size_t>(settings.accumulation);
  const std::size_t pass = std::max(longest, static_cast<std::size_t>(settings.tokens_per_pass));
  const std::size_t tokens = std::min(longest * samples, pass);
  const std::size_t layer = tokens * model.model.activation_bytes_per_token_layer();
  const std::size_t logits = model.model.logit_bytes(static_cast<std::int64_t>(tokens));
  return {.weights = model.tensors->byte_count(),
          .adapter = static_cast<std::size_t>(lora.parameter_count()) * kBytesPerParameter,
          .logits = logits,
          .activations = layer * static_cast<std::size_t>(model.model.config().layers),
          .activations_least = layer};
}

constexpr std::string_view kEraseLine = "\r\x1b[K";

// One training, from files to files.
class Run {
 public:
  Run(TrainOptions& options, std::string tracked_in, const StepIo& io, RunFolder folder, TrainPlaces& places)
      : options_(options),
        io_(io),
        folder_(std::move(folder)),
        places_(places),
        base_name_(options.model),
        tracking_(options, std::move(tracked_in), io, [this](std::string_view note) { say(note); }) {}

  // Every end but success leaves its status here.
  int run();

 private:
  Result<ml::TrainSummary> train();
  Result<ml::Adapter> adapter(const ml::ModelConfig& model) const;
  Result<ml::Dataset> data(const ml::LoadedModel& model);
  Result<std::vector<ml::Sample>> evaluation(const ml::LoadedModel& model);
  [[nodiscard]] ml::TrainContext context();
  void started(std::int64_t step, std::string_view note);
  void stepped(const ml::StepReport& report);
  void report(const ml::StepReport& report);
  void evaluated(const ml::EvalReport& report);
  void checkpointed(std::int64_t step);
  Result<void> publish(const ml::TrainSummary& summary, ml::Adapter& adapter);
  int end(const ml::TrainSummary& summary);
  void say(std::string_view line);
  void talk(std::string_view line);

  TrainOptions& options_;
  const StepIo& io_;
  RunFolder folder_;
  TrainPlaces& places_;
  std::string base_name_;  // of the model, as it was given
  TrainTracking tracking_;
  Value record_;
  std::vector<ml::Sample> evaluation_;
  bool bar_shown_ = false;
  std::optional<Error> report_error_;  // a full disk shows while reporting
  std::int64_t samples_ = 0;
  std::int64_t without_labels_ = 0;
};

void Run::say(std::string_view line) {
  folder_.log(line);
  talk(line);
}

// Above the progress bar, if there is one.
void Run::talk(std::string_view line) {
  if (bar_shown_) io_.err << kEraseLine;
  bar_shown_ = false;
  io_.err << line << "\n" << std::flush;
}

Result<ml::Adapter> Run::adapter(const ml::ModelConfig& model) const {
  if (!options_.init_adapter.empty()) {
    SLIPWAY_TRY_ASSIGN(ml::Adapter adapter, ml::read_adapter(options_.init_adapter, model));
    adapter.config.dropout = options_.lora_dropout;
    adapter.config.base_model = base_name_;
    adapter.lora.dropout = static_cast<float>(options_.lora_dropout);
    return adapter;
  }
  ml::AdapterConfig config{.base_model = base_name_,
                           .rank = options_.lora_r,
                           .alpha = options_.lora_alpha,
                           .dropout = options_.lora_dropout,
                           .rslora = options_.rslora};
  ml::set_targets(config, options_.target_modules);
  SLIPWAY_TRY_ASSIGN(ml::Lora lora, ml::make_lora(config, model));
  ml::initialise(lora, options_.settings.seed);
  return ml::Adapter{config, std::move(lora)};
}

Result<ml::Dataset> Run::data(const ml::LoadedModel& model) {
  SLIPWAY_TRY_ASSIGN(auto texts, ml::read_text_samples(options_.data, options_.rules, options_.model));
  if (options_.limit > 0 && options_.limit < std::ssize(texts)) texts.resize(static_cast<std::size_t>(options_.limit));
  SLIPWAY_TRY_ASSIGN(ml::Dataset dataset, ml::tokenize_samples(texts, model.tokenizer, model.text_end, options_.rules));
  samples_ = std::ssize(dataset.samples);
  without_labels_ = dataset.without_labels;
  say(fmt::format("{} samples, {} tokens, {} of them to learn", samples_, dataset.tokens, dataset.labels));
  if (dataset.truncated > 0)
    say(fmt::format("{} samples are longer than {} tokens and lost their tail", dataset.truncated,
                    options_.rules.max_seq_length));
  if (without_labels_ > 0) say(fmt::format("{} samples have nothing to learn and are skipped", without_labels_));
  return dataset;
}

// The same rules as for training, but each sample by itself.
Result<std::vector<ml::Sample>> Run::evaluation(const ml::LoadedModel& model) {
  if (options_.eval_data.empty()) return std::vector<ml::Sample>();
  ml::DatasetRules rules = options_.rules;
  rules.packing = false;
  SLIPWAY_TRY_ASSIGN(const auto texts, ml::read_text_samples(options_.eval_data, rules, options_.model));
  SLIPWAY_TRY_ASSIGN(ml::Dataset dataset, ml::tokenize_samples(texts, model.tokenizer, model.text_end, rules));
  say(fmt::format("{} samples to evaluate on", dataset.samples.size()));
  return std::move(dataset.samples);
}

void Run::stepped(const ml::StepReport& report) {
  if (io_.columns == 0) return;
  io_.err << kEraseLine << progress_bar(report, io_.columns) << std::flush;
  bar_shown_ = true;
}

void Run::evaluated(const ml::EvalReport& report) {
  if (const auto added = folder_.add(report); !added) report_error_ = added.error();
  tracking_.report(report);
  say(evaluation_for_people(report));
}

// A bucket that cannot be reached now gets it with the next one, or at the end.
void Run::checkpointed(std::int64_t step) {
  folder_.log(fmt::format("wrote checkpoint-{}", step));
  if (const auto sent = places_.send_checkpoint(options_, step); !sent)
    say(fmt::format("checkpoint-{} was not sent: {}", step, sent.error().message));
}

void Run::report(const ml::StepReport& report) {
  if (const auto added = folder_.add(report); !added) report_error_ = added.error();
  tracking_.report(report);
  if (io_.variable("SLIPWAY_ATTEMPT_ID").empty()) {
    talk(progress_for_people(report));
  } else {
    io_.out << progress_for_machines(report) << "\n" << std::flush;
  }
}

void Run::started(std::int64_t step, std::string_view note) {
  if (!note.empty()) say(note);
  if (step > 0) say(fmt::format("resumed from checkpoint-{}", step));
  if (const auto kept = folder_.keep_metrics_to(step); !kept) report_error_ = kept.error();
  tracking_.start(record_, step > 0);
}

ml::TrainContext Run::context() {
  return {.clock = io_.clock,
          .stop_requested = io_.stop_requested,
          .started = [this](std::int64_t step, std::string_view note) { started(step, note); },
          .stepped = [this](const ml::StepReport& step) { stepped(step); },
          .report = [this](const ml::StepReport& step) { report(step); },
          .checkpointed = [this](std::int64_t step) { checkpointed(step); },
          .evaluation = evaluation_,
          .evaluated = [this](const ml::EvalReport& report) { evaluated(report); }};
}

Result<void> Run::publish(const ml::TrainSummary& summary, ml::Adapter& adapter) {
  std::error_code failure;
  // Absolute in the outputs: the next task may stand elsewhere.
  const fs::path output = fs::absolute(folder_.path(), failure).lexically_normal();
  const fs::path adapter_folder = output / "adapter";
  fs::create_directories(adapter_folder, failure);
  if (failure) return errno_error("making " + adapter_folder.string(), failure.value());
  SLIPWAY_TRY(ml::write_adapter(adapter_folder, adapter.config, adapter.lora));
  // transformers' Trainer leaves the adapter at the root.
  if (options_.settings.compat == ml::Compat::Hf)
    SLIPWAY_TRY(ml::write_adapter(folder_.path(), adapter.config, adapter.lora));
  Value outputs = Value::Object{{"adapter", adapter_folder.string()},
                                {"loss", summary.final_loss},
                                {"mean_loss", summary.mean_loss},
                                {"tokens_per_second", summary.tokens_per_second},
                                {"steps", summary.step},
                                {"samples", samples_},
                                {"samples_without_labels", without_labels_}};
  if (summary.eval_loss) outputs["eval_loss"] = *summary.eval_loss;
  if (options_.merge) {
    const fs::path merged = output / "final_model";
    SLIPWAY_TRY_ASSIGN(const auto dtype, merge_dtype(options_.merge_dtype));
    SLIPWAY_TRY_ASSIGN(const ml::MergeReport report,
                       ml::merge_lora(options_.model, adapter.lora, merged, {.dtype = dtype}));
    say(fmt::format("merged {} of {} tensors into {}", report.merged, report.tensors, merged.string()));
    outputs["model"] = merged.string();
  }
  return write_outputs(io_, outputs);
}

Result<ml::TrainSummary> Run::train() {
  SLIPWAY_TRY(places_.bring(options_));
  SLIPWAY_TRY_ASSIGN(const ml::LoadedModel model, ml::load_model(options_.model));
  SLIPWAY_TRY_ASSIGN(const ml::Dataset dataset, data(model));
  SLIPWAY_TRY_ASSIGN(ml::Adapter adapter, this->adapter(model.model.config()));
  ml::Compute compute(options_.compute);
  const Value fingerprint = training_fingerprint(options_, adapter, dataset);
  SLIPWAY_TRY_ASSIGN(evaluation_, evaluation(model));
  record_ = training_record(options_, adapter, dataset, compute);
  SLIPWAY_TRY(folder_.write_config(record_));
  say(fmt::format("training {} parameters on {} threads, kernel {}", adapter.lora.parameter_count(), compute.threads(),
                  compute.kernel_id()));
  SLIPWAY_TRY_ASSIGN(const MemoryPlan memory,
                     plan_memory(memory_need(model, adapter.lora, dataset, options_.settings), ml::usable_memory()));
  say(memory.summary);
  ml::TrainSettings settings = options_.settings;
  settings.activation_bytes_max = std::min(settings.activation_bytes_max, memory.activation_bytes_max);
  const ml::CheckpointSettings checkpoints{
      .folder = folder_.path(), .resume = options_.resume, .fingerprint = fingerprint, .config = adapter.config};
  SLIPWAY_TRY_ASSIGN(const ml::TrainSummary summary,
                     ml::train(model.model, compute, adapter.lora, dataset.samples, settings, checkpoints, context()));
  if (report_error_) return *report_error_;
  if (summary.end == ml::TrainEnd::Completed) SLIPWAY_TRY(publish(summary, adapter));
  return summary;
}

int Run::end(const ml::TrainSummary& summary) {
  std::string state;
  int exit_code = kStepOk;
  if (bar_shown_) io_.err << kEraseLine << std::flush;
  bar_shown_ = false;
  tracking_.end(summary.end == ml::TrainEnd::Completed     ? RunStatus::Finished
                : summary.end == ml::TrainEnd::Interrupted ? RunStatus::Killed
                                                           : RunStatus::Failed);
  if (const auto drawn = folder_.write_loss_curve(); !drawn) folder_.log(drawn.error().message);
  switch (summary.end) {
    case ml::TrainEnd::Completed:
      state = fmt::format("completed: {} steps, last loss {:.4f}, {:.0f} tokens/s", summary.step, summary.final_loss,
                          summary.tokens_per_second);
      say(state);
      break;
    case ml::TrainEnd::Interrupted:
      state =
          fmt::format("interrupted after step {} of {}; checkpoint-{} is complete, the same command goes on from it",
                      summary.step, summary.steps, summary.step);
      folder_.log(state);
      exit_code = fail(io_, kStepInterrupted, "interrupted", state);
      break;
    case ml::TrainEnd::NonFinite:
      state =
          fmt::format("step {}: loss or gradient is not finite; a lower --learning-rate may help", summary.step + 1);
      folder_.log(state);
      exit_code = fail(io_, kStepNonFinite, "non-finite", state);
      break;
  }
  const auto written = folder_.write_status(exit_code == kStepOk, state);
  return written ? exit_code : fail(io_, written.error());
}

int Run::run() {
  const auto summary = train();
  if (summary) return end(*summary);
  tracking_.end(RunStatus::Failed);
  folder_.log(summary.error().message);
  // The first error is the one to report; a full disk may refuse the status too.
  if (const auto written = folder_.write_status(false, summary.error().message); !written)
    io_.err << "slipway: " << written.error().message << "\n";
  return fail(io_, summary.error());
}

}  // namespace

Result<std::string> checkpoint_folder(const TrainOptions& given, const StepIo& io) {
  const auto options = TrainPlaces::local(given);
  if (!options) return given.output;  // run_train tells what is wrong
  TrainPlaces places(io);
  SLIPWAY_TRY(places.bring_checkpoint(*options));
  return options->output;
}

int run_train(const TrainOptions& given, const StepIo& io) {
  if (const auto problem = usage_problem(given)) return fail(io, kStepUsage, "usage", *problem);
  auto options = TrainPlaces::local(given);
  if (!options) return fail(io, kStepUsage, "usage", options.error().message + "; " + options.error().help);
  auto tracked_in = TrainTracking::find_place(*options, io);
  if (!tracked_in) return fail(io, kStepUsage, "usage", tracked_in.error().message + "; " + tracked_in.error().help);
  TrainPlaces places(io);
  if (const auto brought = places.bring_checkpoint(*options); !brought) return fail(io, brought.error());
  auto folder = RunFolder::open(options->output, io.clock);
  if (!folder) return fail(io, folder.error());
  const int code = Run(*options, *std::move(tracked_in), io, *std::move(folder), places).run();
  // A training that failed has told why already.
  if (const auto sent = places.send(*options, code == kStepOk); !sent) {
    if (code == kStepOk) return fail(io, sent.error());
    io.err << "slipway: " << sent.error().message << "\n";
  }
  return code;
}

}  // namespace slipway::mlsteps
