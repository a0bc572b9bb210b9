#include "ml/train/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <set>

#include "slipway/base/file.h"
#include "slipway/ml/safetensors.h"

namespace slipway::ml {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "checkpoint-";
constexpr const char* kMarker = "complete";
constexpr const char* kOptimizerFile = "optimizer.safetensors";
constexpr const char* kStateFile = "trainer_state.json";
constexpr std::size_t kStateBytesMax = 16U << 20U;

fs::path path_of(const fs::path& folder, std::int64_t step) {
  std::string name(kPrefix);
  name += std::to_string(step);
  return folder / name;
}

// The N of checkpoint-N, if the name is exactly that.
std::optional<std::int64_t> step_of(const fs::path& path) {
  const std::string name = path.filename().string();
  if (name.rfind(kPrefix, 0) != 0) return std::nullopt;
  std::int64_t step = -1;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + kPrefix.size(), end, step);
  if (error != std::errc() || stop != end || step < 0) return std::nullopt;
  return step;
}

std::vector<std::int64_t> complete_steps(const fs::path& folder) {
  std::vector<std::int64_t> steps;
  std::error_code ignored;
  for (fs::directory_iterator at(folder, ignored), end; !ignored && at != end; at.increment(ignored))
    if (const auto step = step_of(at->path()); step && fs::exists(at->path() / kMarker, ignored))
      steps.push_back(*step);
  std::sort(steps.begin(), steps.end());
  return steps;
}

std::span<const std::byte> bytes_of(const std::vector<float>& values) { return std::as_bytes(std::span(values)); }

Result<void> write_optimizer(const fs::path& folder, Lora& lora, const AdamW& optimizer) {
  std::vector<TensorSpec> specs;
  std::vector<std::span<const std::byte>> data;
  const auto parameters = lora.parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const std::vector<std::int64_t> shape{parameters[i].rows, parameters[i].cols};
    specs.push_back({.name = "exp_avg." + parameters[i].path, .dtype = Dtype::F32, .shape = shape});
    data.push_back(bytes_of(optimizer.moments()[i].first));
    specs.push_back({.name = "exp_avg_sq." + parameters[i].path, .dtype = Dtype::F32, .shape = shape});
    data.push_back(bytes_of(optimizer.moments()[i].second));
  }
  return write_safetensors(folder / kOptimizerFile, specs, data);
}

Result<void> copy_moment(const SafetensorsFile& file, const std::string& name, std::vector<float>& out) {
  SLIPWAY_TRY_ASSIGN(const TensorView view, file.find(name));
  if (view.dtype != Dtype::F32 || view.bytes.size() != out.size() * sizeof(float))
    return Error{ErrorCode::Corrupt, "tensor " + name + " has another shape than the adapter", {}};
  std::memcpy(out.data(), view.bytes.data(), view.bytes.size());
  return {};
}

Result<void> read_optimizer(const fs::path& folder, Lora& lora, AdamW& optimizer) {
  SLIPWAY_TRY_ASSIGN(const SafetensorsFile file, SafetensorsFile::open(folder / kOptimizerFile));
  const auto parameters = lora.parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    SLIPWAY_TRY(copy_moment(file, "exp_avg." + parameters[i].path, optimizer.moments()[i].first));
    SLIPWAY_TRY(copy_moment(file, "exp_avg_sq." + parameters[i].path, optimizer.moments()[i].second));
  }
  return {};
}

Value to_value(const TrainState& state, const Value& fingerprint) {
  return Value::Object{{"evaluated_step", state.evaluated_step},
                       {"eval_loss", state.eval_loss ? Value(*state.eval_loss) : Value()},
                       {"global_step", state.step},
                       {"optimizer_steps", state.optimizer_steps},
                       {"loss_since_report", state.loss_since_report},
                       {"steps_since_report", state.steps_since_report},
                       {"last_loss", state.last_loss},
                       {"kernel", state.kernel_id},
                       {"fingerprint", fingerprint}};
}

double number(const Value& value, std::string_view key) {
  const Value* member = value.find(key);
  return member != nullptr && member->is_number() ? member->as_double() : 0;
}

Result<SavedState> to_state(const Value& value) {
  TrainState state;
  const Value* fingerprint = value.find("fingerprint");
  state.step = value.get_int("global_step", -1);
  if (state.step < 0 || fingerprint == nullptr)
    return Error{ErrorCode::Corrupt, std::string(kStateFile) + " is no state of a training", {}};
  state.optimizer_steps = value.get_int("optimizer_steps");
  state.loss_since_report = number(value, "loss_since_report");
  state.steps_since_report = value.get_int("steps_since_report");
  state.last_loss = number(value, "last_loss");
  state.kernel_id = value.get_string("kernel");
  state.evaluated_step = value.get_int("evaluated_step");
  if (const Value* loss = value.find("eval_loss"); loss != nullptr && loss->is_number())
    state.eval_loss = loss->as_double();
  return SavedState{std::move(state), *fingerprint};
}

Result<void> copy_values(Lora& from, Lora& to) {
  const auto sources = from.parameters();
  const auto targets = to.parameters();
  const auto same = [](const LoraParameter& a, const LoraParameter& b) {
    return a.path == b.path && a.rows == b.rows && a.cols == b.cols;
  };
  if (!std::equal(sources.begin(), sources.end(), targets.begin(), targets.end(), same))
    return Error{ErrorCode::Conflict, "the checkpoint's adapter has other modules or another rank", {}};
  for (std::size_t i = 0; i < sources.size(); ++i)
    std::copy(sources[i].values.begin(), sources[i].values.end(), targets[i].values.begin());
  return {};
}

// The marker goes first, so that a half-removed checkpoint is none.
Result<void> remove_checkpoint(const fs::path& path) {
  std::error_code failure;
  fs::remove(path / kMarker, failure);
  if (!failure) fs::remove_all(path, failure);
  if (failure) return errno_error("removing " + path.string(), failure.value());
  return {};
}

Result<void> rotate(const fs::path& folder, std::int64_t just_written, int limit) {
  if (limit <= 0) return {};
  auto steps = complete_steps(folder);
  std::erase(steps, just_written);
  while (std::cmp_greater_equal(steps.size(), limit)) {
    SLIPWAY_TRY(remove_checkpoint(path_of(folder, steps.front())));
    steps.erase(steps.begin());
  }
  return {};
}

}  // namespace

Result<void> save_checkpoint(const CheckpointSettings& settings, Lora& lora, const AdamW& optimizer,
                             const TrainState& state, int limit) {
  const fs::path& folder = settings.folder;
  const fs::path final_path = path_of(folder, state.step);
  const fs::path temporary = folder / (".tmp-" + final_path.filename().string());
  std::error_code failure;
  fs::remove_all(temporary, failure);
  SLIPWAY_TRY(remove_checkpoint(final_path));
  if (!fs::create_directories(temporary, failure)) return errno_error("making " + temporary.string(), failure.value());
  SLIPWAY_TRY(write_adapter(temporary, settings.config, lora));
  SLIPWAY_TRY(write_optimizer(temporary, lora, optimizer));
  SLIPWAY_TRY(write_whole_file(temporary / kStateFile, to_value(state, settings.fingerprint).dump_pretty() + "\n"));
  SLIPWAY_TRY(sync_to_disk(temporary));
  fs::rename(temporary, final_path, failure);
  if (failure) return errno_error("renaming " + temporary.string(), failure.value());
  SLIPWAY_TRY(sync_to_disk(folder));
  SLIPWAY_TRY(write_whole_file(final_path / kMarker, std::to_string(state.step) + "\n"));
  return rotate(folder, state.step, limit);
}

std::optional<std::int64_t> newest_checkpoint(const fs::path& folder) {
  const auto steps = complete_steps(folder);
  return steps.empty() ? std::nullopt : std::optional(steps.back());
}

Result<SavedState> read_train_state(const fs::path& folder, std::int64_t step) {
  SLIPWAY_TRY_ASSIGN(const std::string text, read_whole_file(path_of(folder, step) / kStateFile, kStateBytesMax));
  SLIPWAY_TRY_ASSIGN(const Value value, parse_json(text));
  return to_state(value);
}

std::string checkpoint_kernel(const fs::path& folder) {
  const auto newest = newest_checkpoint(folder);
  const auto saved = newest ? read_train_state(folder, *newest) : Result<SavedState>(Error{});
  return saved ? saved->state.kernel_id : std::string();
}

std::string fingerprint_differences(const Value& a, const Value& b) {
  if (!a.is_object() || !b.is_object()) return "`fingerprint`";
  std::set<std::string> keys;
  const auto compare = [&](const Value& one, const Value& other) {
    for (const auto& [key, value] : one.as_object()) {
      const Value* match = other.find(key);
      if (match == nullptr || !(*match == value)) keys.insert(key);
    }
  };
  compare(a, b);
  compare(b, a);
  std::string text;
  for (const auto& key : keys) text += (text.empty() ? "`" : ", `") + key + "`";
  return text;
}

Result<void> load_tensors(const fs::path& folder, const TrainState& state, const ModelConfig& model, Lora& lora,
                          AdamW& optimizer) {
  const fs::path path = path_of(folder, state.step);
  SLIPWAY_TRY(read_optimizer(path, lora, optimizer));
  SLIPWAY_TRY_ASSIGN(Adapter adapter, read_adapter(path, model));
  SLIPWAY_TRY(copy_values(adapter.lora, lora));
  optimizer.set_steps(state.optimizer_steps);
  return {};
}

Result<void> remove_checkpoints(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code failure;
  for (fs::directory_iterator at(folder, failure), end; !failure && at != end; at.increment(failure))
    if (step_of(at->path())) found.push_back(at->path());
  if (failure) return errno_error("reading " + folder.string(), failure.value());
  for (const auto& path : found) SLIPWAY_TRY(remove_checkpoint(path));
  return {};
}

}  // namespace slipway::ml
