#include "cli/compute_choice.h"
#include "cli/ml_options.h"
#include "cli/step_io.h"
#include "cli/train_settings.h"
#include "cli/verbs.h"
#include "slipway/mlsteps/train.h"

namespace slipway::cli {
namespace {

using mlsteps::TrainOptions;

void add_files(CLI::App& app, TrainOptions& options) {
  app.add_option("--model", options.model,
                 "folder of the base model, or ORGANISATION/NAME on the hub (hf://, HF_TOKEN)");
  app.add_option("--data", options.data, "JSONL file, or a folder of such");
  app.add_option("--limit", options.limit, "samples to train on, the first of --data; 0: all [0]");
  app.add_option("--eval-data", options.eval_data, "JSONL file, or a folder of such, to measure the loss on");
  app.add_option("--output", options.output, "folder for adapter, checkpoints, merged model and records");
  app.add_option("--upload", options.upload, "gs:// URI that gets the output folder, however it ends");
  app.add_option("--upload-model", options.upload_model, "gs:// URI that gets the merged model");
  app.add_option("--init-adapter", options.init_adapter, "PEFT folder to start from instead of a fresh adapter");
  CLI::Option* resume = app.add_flag_callback(
      "--resume", [&options] { options.resume = ml::Resume::Always; },
      "fail if the checkpoints in --output are another training's [go on from this training's, replace another's]");
  app.add_flag_callback(
         "--no-resume", [&options] { options.resume = ml::Resume::Never; }, "start over, whatever is in --output")
      ->excludes(resume);
  app.add_flag("--merge,!--no-merge", options.merge, "write OUTPUT/final_model, the merged model [yes]");
  app.add_option("--merge-dtype", options.merge_dtype, "of the merged model: bf16, fp16 or fp32 [that of each tensor]")
      ->check(CLI::IsMember({"bf16", "fp16", "fp32"}));
}

void add_lora(CLI::App& app, TrainOptions& options) {
  app.add_option("--lora-r", options.lora_r, "rank [8]");
  app.add_option("--lora-alpha", options.lora_alpha, "scale is alpha / rank [16]");
  app.add_option("--lora-dropout", options.lora_dropout, "of the adapter's inputs [0.1]");
  app.add_flag("--use-rslora", options.rslora, "scale is alpha / sqrt(rank)");
  app.add_option("--target-modules", options.target_modules,
                 "modules to adapt: names, all-linear, or a regular expression for whole paths [all seven]")
      ->delimiter(',');
}

void add_schedule(CLI::App& app, ml::TrainSettings& settings) {
  app.add_option("--num-train-epochs", settings.epochs, "times the data is seen [1]");
  app.add_option("--max-steps", settings.max_steps, "optimizer steps, instead of epochs");
  app.add_option("--per-device-train-batch-size", settings.batch_size, "samples of a micro-batch [1]");
  app.add_option("--gradient-accumulation-steps", settings.accumulation, "micro-batches of an optimizer step [1]");
  app.add_option("--learning-rate", settings.learning_rate, "at its peak [2e-4]");
  app.add_option("--weight-decay", settings.weight_decay, "of AdamW [0.001]");
  app.add_option("--warmup-ratio", settings.warmup_ratio, "share of the steps that warm up [0.03]");
  app.add_option("--warmup-steps", settings.warmup_steps, "steps that warm up, instead of a share");
  add_enum(app, "--lr-scheduler-type", settings.schedule, ml::kLrSchedules, "course of the learning rate");
  app.add_option("--max-grad-norm", settings.max_grad_norm, "gradients are scaled down to this norm; 0: never [0.3]");
  app.add_flag("--group-by-length,!--no-group-by-length", settings.group_by_length, "similar lengths together [yes]");
  app.add_flag("--shuffle,!--no-shuffle", settings.shuffle, "take the samples in another order than the file's [yes]");
  app.add_option("--seed", settings.seed, "of order, dropout and the fresh adapter [42]");
}

void add_records(CLI::App& app, TrainOptions& options) {
  auto& settings = options.settings;
  app.add_option("--eval-steps", settings.eval_steps, "steps between evaluations; 0: only at the end [0]");
  app.add_option("--per-device-eval-batch-size", settings.eval_batch_size,
                 "samples whose mean loss is one under --compat hf [1]");
  app.add_option("--mlruns", options.mlruns,
                 "also record the run in this folder, as MLflow does [MLFLOW_TRACKING_URI]");
  app.add_option("--experiment", options.experiment, "of the tracker [MLFLOW_EXPERIMENT_NAME, else Default]");
  app.add_option("--run-name", options.run_name, "of the tracker [the output folder's name]");
  app.add_option("--logging-steps", settings.logging_steps, "steps between progress lines [10]");
  app.add_option("--save-steps", settings.save_steps, "steps between checkpoints; 0: only at the end [1000]");
  app.add_option("--save-total-limit", settings.save_total_limit, "checkpoints kept; 0: all [5]");
}

void add_data_rules(CLI::App& app, TrainOptions& options) {
  app.add_option("--max-seq-length", options.rules.max_seq_length, "tokens of a sample; more are cut off [512]");
  app.add_option("--response-template", options.rules.response_template, "learn only what follows this text");
  app.add_flag("--completion-only,!--no-completion-only", options.rules.completion_only,
               "learn completions only, or every token [what the fields of a line suggest]");
  app.add_flag("--packing", options.rules.packing,
               "samples one behind the other, in blocks of --max-seq-length tokens");
  app.add_option("--max-skip-ratio", options.rules.skip_ratio_max,
                 "share of samples that may have nothing to learn [0.1]");
  add_enum(app, "--compat", options.rules.compat, ml::kCompats, "reproduce another trainer to the letter");
}

// A free choice is no choice where another trainer is reproduced, or where a checkpoint was computed one way already.
Result<ComputeChoice> exact_where_it_must_be(ComputeChoice choice, const TrainOptions& options,
                                             const mlsteps::StepIo& io) {
  if (choice.dtype != ComputeDtype::Auto) return choice;
  if (options.settings.compat == ml::Compat::Hf) choice.dtype = ComputeDtype::Fp32;
  if (options.resume == ml::Resume::Never || options.output.empty()) return choice;
  SLIPWAY_TRY_ASSIGN(const std::string folder, mlsteps::checkpoint_folder(options, io));
  choice.products = ml::products_of_kernel(ml::checkpoint_kernel(folder));
  return choice;
}

enum class SaveStrategy : std::uint8_t { Steps, Epoch, No };
constexpr EnumTable<SaveStrategy, 3> kSaveStrategies{{{
    {SaveStrategy::Steps, "steps", "every --save-steps"},
    {SaveStrategy::Epoch, "epoch", "after every epoch"},
    {SaveStrategy::No, "no", "only at the end, and when interrupted"},
}}};

// What is no option of the training itself.
struct Other {
  ComputeChoice compute;
  std::string config;
  SaveStrategy save = SaveStrategy::Steps;
};

// Flags win over the file, the file over the environment.
std::string take_defaults(CLI::App& app, const Other& other, const Session& session, const Clock& clock) {
  if (!other.config.empty())
    if (std::string problem = take_settings_file(app, other.config); !problem.empty()) return problem;
  return take_script_variables(app, session, clock);
}

void settle(TrainOptions& options, const Other& other) {
  options.settings.compat = options.rules.compat;
  options.settings.save_each_epoch = other.save == SaveStrategy::Epoch;
  if (other.save != SaveStrategy::Steps) options.settings.save_steps = 0;
}

Handler setup_train_with(CLI::App& app, const std::shared_ptr<TrainOptions>& options,
                         const std::shared_ptr<Other>& other) {
  return [options, other, &app](Session& session) {
    StepSurroundings surroundings(session);
    if (const std::string problem = take_defaults(app, *other, session, surroundings.io().clock); !problem.empty())
      return session.usage(problem);
    settle(*options, *other);
    const auto choice = exact_where_it_must_be(other->compute, *options, surroundings.io());
    if (!choice) return mlsteps::fail(surroundings.io(), choice.error());
    const auto compute = resolve(*choice, surroundings.io().clock);
    if (!compute) return mlsteps::fail(surroundings.io(), compute.error());
    options->compute = *compute;
    return mlsteps::run_train(*options, surroundings.io());
  };
}

}  // namespace

Handler setup_train(CLI::App& app) {
  auto options = std::make_shared<TrainOptions>();
  options->settings.logging_steps = 10;
  add_files(app, *options);
  add_lora(app, *options);
  add_schedule(app, options->settings);
  add_records(app, *options);
  add_data_rules(app, *options);
  auto other = std::make_shared<Other>();
  app.add_option("--config", other->config, "YAML or JSON file with settings under these names; flags win");
  add_enum(app, "--save-strategy", other->save, kSaveStrategies, "when to write checkpoints");
  add_compute(app, other->compute);
  return setup_train_with(app, options, other);
}

}  // namespace slipway::cli
