#include <array>

#include "cli/compute_choice.h"
#include "cli/ml_options.h"
#include "cli/step_io.h"
#include "cli/verbs.h"
#include "slipway/mlsteps/train.h"

namespace slipway::cli {
namespace {

using mlsteps::TrainOptions;

// Names under which fine-tuning scripts take the same settings from their environment, so that a manifest written for
// them runs unchanged. A flag wins.
struct Alias {
  const char* flag;
  const char* variable;
};
constexpr std::array kAliases{
    Alias{"--lora-r", "LORA_R"},
    Alias{"--lora-alpha", "LORA_ALPHA"},
    Alias{"--lora-dropout", "LORA_DROPOUT"},
    Alias{"--num-train-epochs", "EPOCHS"},
    Alias{"--per-device-train-batch-size", "TRAIN_BATCH_SIZE"},
    Alias{"--gradient-accumulation-steps", "GRADIENT_ACCUMULATION_STEPS"},
    Alias{"--max-seq-length", "MAX_SEQ_LENGTH"},
    Alias{"--learning-rate", "LEARNING_RATE"},
    Alias{"--weight-decay", "WEIGHT_DECAY"},
    Alias{"--warmup-ratio", "WARMUP_RATIO"},
    Alias{"--max-grad-norm", "MAX_GRAD_NORM"},
    Alias{"--logging-steps", "LOGGING_STEPS"},
    Alias{"--save-steps", "CHECKPOINT_SAVE_STEPS"},
    Alias{"--save-total-limit", "CHECKPOINT_SAVE_TOTAL_LIMIT"},
};

void add_files(CLI::App& app, TrainOptions& options) {
  app.add_option("--model", options.model, "folder of the base model")->required();
  app.add_option("--data", options.data, "JSONL file, or a folder of such")->required();
  app.add_option("--output", options.output, "folder for adapter, checkpoints, merged model and records")->required();
  app.add_option("--init-adapter", options.init_adapter, "PEFT folder to start from instead of a fresh adapter");
  CLI::Option* resume = app.add_flag_callback(
      "--resume", [&options] { options.resume = ml::Resume::Always; },
      "fail if the checkpoints in --output are another training's [go on from this training's, replace another's]");
  app.add_flag_callback(
         "--no-resume", [&options] { options.resume = ml::Resume::Never; }, "start over, whatever is in --output")
      ->excludes(resume);
  app.add_flag("--merge,!--no-merge", options.merge, "write OUTPUT/final_model, the merged model [yes]");
}

void add_lora(CLI::App& app, TrainOptions& options) {
  app.add_option("--lora-r", options.lora_r, "rank [8]");
  app.add_option("--lora-alpha", options.lora_alpha, "scale is alpha / rank [16]");
  app.add_option("--lora-dropout", options.lora_dropout, "of the adapter's inputs [0.1]");
  app.add_flag("--use-rslora", options.rslora, "scale is alpha / sqrt(rank)");
  app.add_option("--target-modules", options.target_modules, "modules to adapt, or all-linear [all seven]")
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
  app.add_flag("!--no-shuffle", settings.shuffle, "take the samples in the order of the file");
  app.add_option("--seed", settings.seed, "of order, dropout and the fresh adapter [42]");
}

void add_records(CLI::App& app, ml::TrainSettings& settings) {
  app.add_option("--logging-steps", settings.logging_steps, "steps between progress lines [10]");
  app.add_option("--save-steps", settings.save_steps, "steps between checkpoints; 0: only at the end [1000]");
  app.add_option("--save-total-limit", settings.save_total_limit, "checkpoints kept; 0: all [5]");
}

void add_data_rules(CLI::App& app, TrainOptions& options) {
  app.add_option("--max-seq-length", options.rules.max_seq_length, "tokens of a sample; more are cut off [512]");
  app.add_option("--response-template", options.rules.response_template, "learn only what follows this text");
  app.add_option("--max-skip-ratio", options.rules.skip_ratio_max,
                 "share of samples that may have nothing to learn [0.1]");
  add_enum(app, "--compat", options.rules.compat, ml::kCompats, "reproduce another trainer to the letter");
}

// A free choice is no choice where another trainer is reproduced, or where a checkpoint was computed one way already.
ComputeChoice exact_where_it_must_be(ComputeChoice choice, const TrainOptions& options) {
  if (choice.dtype != ComputeDtype::Auto) return choice;
  if (options.settings.compat == ml::Compat::Hf) choice.dtype = ComputeDtype::Fp32;
  const std::string kernel =
      options.resume == ml::Resume::Never ? std::string() : ml::checkpoint_kernel(options.output);
  if (kernel.starts_with("fp32")) choice.dtype = ComputeDtype::Fp32;
  if (kernel.starts_with("bf16") && ml::has_bf16_products()) choice.dtype = ComputeDtype::Bf16;
  return choice;
}

// "" or what is wrong with a variable.
std::string take_aliases(CLI::App& app, const Session& session) {
  for (const Alias& alias : kAliases) {
    CLI::Option* option = app.get_option(alias.flag);
    const std::string text = session.variable(alias.variable);
    if (option->count() > 0 || text.empty()) continue;
    try {
      option->add_result(text);
      option->run_callback();
    } catch (const CLI::ParseError& problem) {
      return std::string(alias.variable) + " (for " + alias.flag + "): " + problem.what();
    }
  }
  return {};
}

}  // namespace

Handler setup_train(CLI::App& app) {
  auto options = std::make_shared<TrainOptions>();
  options->settings.logging_steps = 10;
  add_files(app, *options);
  add_lora(app, *options);
  add_schedule(app, options->settings);
  add_records(app, options->settings);
  add_data_rules(app, *options);
  auto choice = std::make_shared<ComputeChoice>();
  add_compute(app, *choice);
  return [options, choice, &app](Session& session) {
    StepSurroundings surroundings(session);
    if (const std::string problem = take_aliases(app, session); !problem.empty()) return session.usage(problem);
    options->settings.compat = options->rules.compat;
    const auto compute = resolve(exact_where_it_must_be(*choice, *options), surroundings.io().clock);
    if (!compute) return mlsteps::fail(surroundings.io(), compute.error());
    options->compute = *compute;
    return mlsteps::run_train(*options, surroundings.io());
  };
}

}  // namespace slipway::cli
