#include "cli/train_settings.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>

#include "slipway/base/file.h"
#include "slipway/text/node.h"

namespace slipway::cli {
namespace {

struct Alias {
  const char* flag;
  const char* variable;
};
// Where two scripts name one setting, the first that is set counts.
constexpr std::array kAliases{
    Alias{"--model", "MODEL_ID"},
    Alias{"--model", "MODEL_NAME"},
    Alias{"--data", "LOCAL_DATA_PATH"},
    Alias{"--data", "PREPARED_DATA_URL"},
    Alias{"--output", "MODEL_PATH"},
    Alias{"--limit", "DATASET_LIMIT"},
    Alias{"--lora-r", "LORA_R"},
    Alias{"--lora-alpha", "LORA_ALPHA"},
    Alias{"--lora-dropout", "LORA_DROPOUT"},
    Alias{"--num-train-epochs", "EPOCHS"},
    Alias{"--num-train-epochs", "NUM_TRAIN_EPOCHS"},
    Alias{"--per-device-train-batch-size", "TRAIN_BATCH_SIZE"},
    Alias{"--per-device-eval-batch-size", "EVAL_BATCH_SIZE"},
    Alias{"--gradient-accumulation-steps", "GRADIENT_ACCUMULATION_STEPS"},
    Alias{"--max-seq-length", "MAX_SEQ_LENGTH"},
    Alias{"--learning-rate", "LEARNING_RATE"},
    Alias{"--weight-decay", "WEIGHT_DECAY"},
    Alias{"--warmup-ratio", "WARMUP_RATIO"},
    Alias{"--max-grad-norm", "MAX_GRAD_NORM"},
    Alias{"--logging-steps", "LOGGING_STEPS"},
    Alias{"--save-strategy", "CHECKPOINT_SAVE_STRATEGY"},
    Alias{"--save-steps", "CHECKPOINT_SAVE_STEPS"},
    Alias{"--save-total-limit", "CHECKPOINT_SAVE_TOTAL_LIMIT"},
};

// "" or why the option does not take the texts.
std::string give(CLI::Option& option, const std::vector<std::string>& texts) {
  try {
    for (const auto& text : texts) option.add_result(text);
    option.run_callback();
  } catch (const CLI::ParseError& problem) {
    option.clear();
    return problem.what();
  }
  return {};
}

std::string dashed(std::string key) {
  std::ranges::replace(key, '_', '-');
  return key;
}

CLI::Option* option_named(CLI::App& app, const std::string& key) {
  for (CLI::Option* option : app.get_options())
    if (option->check_lname(dashed(key))) return option;
  return nullptr;
}

std::vector<std::string> texts_of(const text::Node& node) {
  if (node.kind != text::NodeKind::List) return {node.scalar};
  std::vector<std::string> texts;
  for (const auto& item : node.items) texts.push_back(item.scalar);
  return texts;
}

std::string take_entry(CLI::App& app, const text::Entry& entry) {
  CLI::Option* option = option_named(app, entry.key);
  if (option == nullptr || entry.key == "config") return "there is no such setting";
  if (entry.value.kind == text::NodeKind::Map) return "a map is no setting";
  if (option->count() > 0 || entry.value.kind == text::NodeKind::Null) return {};
  auto texts = texts_of(entry.value);
  // `no_merge: true` is `merge: false`: the flag knows which of its names says no.
  if (entry.value.kind == text::NodeKind::Boolean) texts = {option->get_flag_value(dashed(entry.key), texts.front())};
  return give(*option, texts);
}

std::string or_else(const std::string& text, const char* other) { return text.empty() ? other : text; }

// A name in the bucket that is no path of this machine and no URI.
bool is_object_name(const std::string& name) { return !name.starts_with('/') && name.find("://") == std::string::npos; }

// 2024-11-01T06:00:00.000000Z as 20241101060000.
std::string compact(Instant at) {
  std::string digits;
  for (const char c : to_rfc3339(at).substr(0, 19))
    if (c >= '0' && c <= '9') digits += c;
  return digits;
}

std::string take_buckets(CLI::App& app, const Session& session, const Clock& clock) {
  const auto set = [&](const char* flag, const std::string& text) {
    CLI::Option& option = *app.get_option(flag);
    return option.count() > 0 ? std::string() : give(option, {text});
  };
  const std::string data_bucket = session.variable("BUCKET_DATA_NAME"), run_bucket = session.variable("BUCKET_NAME");
  const std::string data = or_else(session.variable("PREPARED_DATA_URL"), "prepared_data.jsonl");
  std::string problem;
  if (!data_bucket.empty() && app.get_option("--data")->count() == 0 && is_object_name(data)) {
    problem = set("--data", "gs://" + data_bucket + "/" + data);
    const std::string name = or_else(session.variable("NEW_MODEL_NAME"), "fine_tuned_model");
    if (problem.empty()) problem = set("--upload-model", "gs://" + data_bucket + "/" + name);
    if (problem.empty()) problem = set("--output", or_else(session.variable("MODEL_PATH"), "./output"));
  }
  if (problem.empty() && !run_bucket.empty())
    problem = set("--upload", "gs://" + run_bucket + "/experiments/finetune_job_" + compact(clock.now()));
  return problem;
}

}  // namespace

std::string take_settings_file(CLI::App& app, const std::string& file) {
  const auto text = read_whole_file(file, kFileBytesMax);
  if (!text) return text.error().message;
  const auto parsed = text::parse_yaml({file, *text});
  if (!parsed.value) return file + ": " + parsed.diagnostics.items().front().message;
  if (parsed.value->kind != text::NodeKind::Map) return file + " holds no map of settings";
  for (const auto& entry : parsed.value->entries)
    if (const std::string problem = take_entry(app, entry); !problem.empty())
      return file + ": `" + entry.key + "`: " + problem;
  return {};
}

std::string take_script_variables(CLI::App& app, const Session& session, const Clock& clock) {
  if (std::string problem = take_buckets(app, session, clock); !problem.empty()) return problem;
  for (const Alias& alias : kAliases) {
    CLI::Option* option = app.get_option(alias.flag);
    const std::string text = session.variable(alias.variable);
    if (option->count() > 0 || text.empty()) continue;
    if (const std::string problem = give(*option, {text}); !problem.empty())
      return std::string(alias.variable) + " (for " + alias.flag + "): " + problem;
  }
  return {};
}

}  // namespace slipway::cli
