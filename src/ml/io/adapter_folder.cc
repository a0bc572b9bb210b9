#include "slipway/ml/adapter_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "ml/io/adapter_config_json.h"
#include "ml/io/json_file.h"
#include "slipway/base/file.h"
#include "slipway/ml/bf16.h"
#include "slipway/ml/safetensors.h"

namespace slipway::ml {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kConfigFile = "adapter_config.json";
constexpr std::string_view kWeightsFile = "adapter_model.safetensors";
constexpr std::string_view kPrefix = "base_model.model.";
constexpr std::string_view kSuffix = ".weight";
constexpr std::size_t kConfigBytesMax = 16U << 20U;

bool names_module(std::string_view name, std::string_view path) {
  if (name == "all-linear") return true;
  return path == name ||
         (path.size() > name.size() && path.ends_with(name) && path[path.size() - name.size() - 1] == '.');
}

template <class T>
T pattern_value(const std::map<std::string, T>& pattern, std::string_view path, T fallback) {
  for (const auto& [name, value] : pattern)
    if (names_module(name, path)) return value;
  return fallback;
}

float scale_of(const AdapterConfig& config, std::string_view path, std::int64_t rank) {
  const double alpha = pattern_value(config.alpha_pattern, path, config.alpha);
  const auto r = static_cast<double>(rank);
  return static_cast<float>(alpha / (config.rslora ? std::sqrt(r) : r));
}

Error no_such_target(const std::string& name) {
  std::string known;
  for (const auto& row : kLinears.rows())
    known += (known.empty() ? "" : ", ") + std::string(row.text.substr(row.text.find('.') + 1));
  const bool vocabulary = name.ends_with("lm_head") || name.ends_with("embed_tokens");
  return {ErrorCode::InvalidArgument, fmt::format("target module `{}` is no linear module of a layer", name),
          vocabulary ? "the embedding and the head are frozen here; target some of " + known : "choose from " + known};
}

// The module names that occur in the file, for a config whose targets are a regular expression.
std::vector<std::string> targets_in(const SafetensorsFile& file) {
  std::set<std::string> names;
  for (const std::string& tensor : file.names()) {
    const std::size_t end = tensor.find(".lora_");
    const std::size_t dot = tensor.rfind('.', end == 0 ? 0 : end - 1);
    if (end != std::string::npos && dot != std::string::npos) names.insert(tensor.substr(dot + 1, end - dot - 1));
  }
  return {names.begin(), names.end()};
}

Result<void> fill(LoraParameter& parameter, const SafetensorsFile& file) {
  const std::string name = fmt::format("{}{}{}", kPrefix, parameter.path, kSuffix);
  SLIPWAY_TRY_ASSIGN(const TensorView tensor, file.find(name));
  if (tensor.shape != std::vector<std::int64_t>{parameter.rows, parameter.cols})
    return Error{ErrorCode::Corrupt,
                 fmt::format("tensor `{}` has the shape [{}], the model wants [{}, {}]", name,
                             fmt::join(tensor.shape, ", "), parameter.rows, parameter.cols),
                 "is the adapter made for this base model?"};
  auto widened = widen(tensor, parameter.values);
  if (!widened) return widened.error().in(name);
  return {};
}

}  // namespace

Result<Lora> make_lora(const AdapterConfig& config, const ModelConfig& model) {
  Lora lora(model.layers);
  lora.dropout = static_cast<float>(config.dropout);
  std::set<std::string> unused(config.target_modules.begin(), config.target_modules.end());
  for (std::int64_t layer = 0; layer < model.layers; ++layer)
    for (const auto& row : kLinears.rows()) {
      const std::string path = linear_path(layer, row.value);
      bool target = false;
      for (const std::string& name : config.target_modules) {
        if (!names_module(name, path)) continue;
        target = true;
        unused.erase(name);
      }
      if (!target) continue;
      const std::int64_t rank = pattern_value(config.rank_pattern, path, config.rank);
      if (rank < 1 || rank > 65536)
        return Error{ErrorCode::InvalidArgument, fmt::format("the rank of `{}` is {}", path, rank), "use 4 to 64"};
      lora.add(layer, row.value, linear_shape(model, row.value), rank, scale_of(config, path, rank));
    }
  if (!unused.empty()) return no_such_target(*unused.begin());
  return lora;
}

Result<Adapter> read_adapter(const fs::path& folder, const ModelConfig& model) {
  SLIPWAY_TRY_ASSIGN(const Value json, read_json_file(folder / kConfigFile, kConfigBytesMax));
  auto config = parse_adapter_config(json);
  if (!config) return config.error().in((folder / kConfigFile).string());
  SLIPWAY_TRY_ASSIGN(const SafetensorsFile file, SafetensorsFile::open(folder / kWeightsFile));
  if (config->target_modules.empty()) config->target_modules = targets_in(file);
  auto lora = make_lora(*config, model);
  if (!lora) return lora.error().in((folder / kConfigFile).string());
  auto parameters = lora->parameters();
  for (LoraParameter& parameter : parameters) {
    auto filled = fill(parameter, file);
    if (!filled) return filled.error().in((folder / kWeightsFile).string());
  }
  if (file.names().size() != parameters.size())
    return Error{ErrorCode::Corrupt,
                 fmt::format("{} holds {} tensors, {} says {}", (folder / kWeightsFile).string(), file.names().size(),
                             kConfigFile, parameters.size()),
                 "is the adapter made for this base model?"};
  return Adapter{*std::move(config), *std::move(lora)};
}

Result<void> write_adapter(const fs::path& folder, const AdapterConfig& config, Lora& lora) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return errno_error("creating " + folder.string(), error.value());
  auto parameters = lora.parameters();
  std::sort(parameters.begin(), parameters.end(),
            [](const LoraParameter& a, const LoraParameter& b) { return a.path < b.path; });
  std::vector<TensorSpec> specs;
  std::vector<std::span<const std::byte>> data;
  for (const LoraParameter& parameter : parameters) {
    specs.push_back(
        {fmt::format("{}{}{}", kPrefix, parameter.path, kSuffix), Dtype::F32, {parameter.rows, parameter.cols}});
    data.push_back(std::as_bytes(parameter.values));
  }
  SLIPWAY_TRY(write_safetensors(folder / kWeightsFile, specs, data));
  return write_whole_file(folder / kConfigFile, to_json(config));
}

}  // namespace slipway::ml
