#include "slipway/ml/adapter_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <regex>
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
  return path == name ||
         (path.size() > name.size() && path.ends_with(name) && path[path.size() - name.size() - 1] == '.');
}

template <class T>
std::vector<std::string> keys_for(const std::map<std::string, T>& pattern, std::string_view path) {
  std::vector<std::string> keys;
  for (const auto& [name, value] : pattern)
    if (names_module(name, path)) keys.push_back(name);
  return keys;
}

// PEFT takes the first key that fits, in the order of a file that is not kept here; up to 0.13 one key for rank and
// alpha, later one for each. So where more than one could count, none does.
Result<double> alpha_of(const AdapterConfig& config, std::string_view path) {
  const auto keys = keys_for(config.alpha_pattern, path), ranks = keys_for(config.rank_pattern, path);
  if (keys.empty()) return config.alpha;
  if (keys.size() == 1 && (ranks.empty() || ranks == keys)) return config.alpha_pattern.at(keys.front());
  return Error{
      ErrorCode::Unsupported,
      fmt::format("`alpha_pattern` has `{}` for `{}`, and another key fits, too", keys.front(), path),
      "versions of PEFT take it differently; give each module one key, the same in rank_pattern and alpha_pattern"};
}

std::int64_t rank_of(const AdapterConfig& config, std::string_view path) {
  const auto keys = keys_for(config.rank_pattern, path);
  return keys.empty() ? config.rank : config.rank_pattern.at(keys.front());
}

Error no_such_target(const std::string& name) {
  std::string known;
  for (const auto& row : kLinears.rows())
    known += (known.empty() ? "" : ", ") + std::string(row.text.substr(row.text.find('.') + 1));
  const bool vocabulary = name.ends_with("lm_head") || name.ends_with("embed_tokens");
  return {ErrorCode::InvalidArgument, fmt::format("target module `{}` is no linear module of a layer", name),
          vocabulary ? "the embedding and the head are frozen here; target some of " + known : "choose from " + known};
}

std::string tensor_name(std::string_view path, std::string_view part) {
  return fmt::format("{}{}.{}{}", kPrefix, path, part, kSuffix);
}

using IsTarget = std::function<bool(const std::string& path)>;
using RankOf = std::function<std::int64_t(const std::string& path)>;

Result<Lora> build(const AdapterConfig& config, const ModelConfig& model, const IsTarget& is_target,
                   const RankOf& rank_of) {
  Lora lora(model.layers);
  lora.dropout = static_cast<float>(config.dropout);
  for (std::int64_t layer = 0; layer < model.layers; ++layer)
    for (const auto& row : kLinears.rows()) {
      const std::string path = linear_path(layer, row.value);
      if (!is_target(path)) continue;
      const std::int64_t rank = rank_of(path);
      if (rank < 1 || rank > 65536)
        return Error{ErrorCode::InvalidArgument, fmt::format("the rank of `{}` is {}", path, rank), "use 4 to 64"};
      SLIPWAY_TRY_ASSIGN(const double alpha, alpha_of(config, path));
      const auto r = static_cast<double>(rank);
      lora.add(layer, row.value, linear_shape(model, row.value), rank,
               static_cast<float>(alpha / (config.rslora ? std::sqrt(r) : r)));
    }
  return lora;
}

Result<Lora> build_by_names(const AdapterConfig& config, const ModelConfig& model) {
  std::set<std::string> unused(config.target_modules.begin(), config.target_modules.end());
  const auto is_target = [&](const std::string& path) {
    bool target = false;
    for (const std::string& name : config.target_modules) {
      if (!names_module(name, path)) continue;
      target = true;
      unused.erase(name);
    }
    return target;
  };
  SLIPWAY_TRY_ASSIGN(Lora lora,
                     build(config, model, is_target, [&](const std::string& path) { return rank_of(config, path); }));
  if (!unused.empty()) return no_such_target(*unused.begin());
  return lora;
}

Result<Lora> build_by_pattern(const AdapterConfig& config, const ModelConfig& model) {
  const std::string& pattern = config.target_pattern;
  const auto wrong = [&](const char* why) {
    return Error{ErrorCode::InvalidArgument, fmt::format("target modules `{}`: {}", pattern, why),
                 R"(it is matched with whole paths such as model.layers.0.self_attn.q_proj: .*\.[01]\..*\.[qv]_proj)"};
  };
  try {
    const std::regex expression(pattern, std::regex::ECMAScript);
    SLIPWAY_TRY_ASSIGN(Lora lora,
                       build(
                           config, model, [&](const std::string& path) { return std::regex_match(path, expression); },
                           [&](const std::string& path) { return rank_of(config, path); }));
    if (lora.parameter_count() == 0) return wrong("it matches no linear module of a layer");
    return lora;
  } catch (const std::regex_error&) {
    return wrong("it is no regular expression");
  }
}

// Of a file that names its targets by an expression or leaves some out: what has tensors is a target.
Result<Lora> build_by_tensors(AdapterConfig& config, const ModelConfig& model, const SafetensorsFile& file) {
  const std::set<std::string> names(file.names().begin(), file.names().end());
  std::vector<std::string> paths;
  const auto is_target = [&](const std::string& path) {
    const bool target = names.contains(tensor_name(path, "lora_A"));
    if (target) paths.push_back(path);
    return target;
  };
  SLIPWAY_TRY_ASSIGN(Lora lora,
                     build(config, model, is_target, [&](const std::string& path) { return rank_of(config, path); }));
  if (config.target_pattern.empty()) config.target_modules = std::move(paths);
  return lora;
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

void set_targets(AdapterConfig& config, const std::vector<std::string>& targets) {
  config.target_modules.clear();
  config.target_pattern.clear();
  if (targets == std::vector<std::string>{"all-linear"}) {
    for (const auto& row : kLinears.rows()) config.target_modules.emplace_back(row.text.substr(row.text.find('.') + 1));
  } else if (std::ranges::all_of(targets,
                                 [](const auto& name) { return is_module_name(name) || name == "all-linear"; })) {
    config.target_modules = targets;
  } else {
    config.target_pattern = fmt::format("{}", fmt::join(targets, ","));
  }
}

Result<Lora> make_lora(const AdapterConfig& config, const ModelConfig& model) {
  return config.target_pattern.empty() ? build_by_names(config, model) : build_by_pattern(config, model);
}

Result<Adapter> read_adapter(const fs::path& folder, const ModelConfig& model) {
  SLIPWAY_TRY_ASSIGN(const Value json, read_json_file(folder / kConfigFile, kConfigBytesMax));
  auto config = parse_adapter_config(json);
  if (!config) return config.error().in((folder / kConfigFile).string());
  SLIPWAY_TRY_ASSIGN(const SafetensorsFile file, SafetensorsFile::open(folder / kWeightsFile));
  const bool by_tensors = !config->target_pattern.empty() || chooses_layers(json);
  auto lora = by_tensors ? build_by_tensors(*config, model, file) : make_lora(*config, model);
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
