#include "slipway/ml/loaded_model.h"

#include "slipway/base/file.h"

namespace slipway::ml {
namespace {

constexpr std::size_t kConfigBytesMax = 16U << 20U;

// eos_token of a tokenizer file is the token's text, or an object that holds it; "" if the file does not say.
std::string eos_text(const std::filesystem::path& file) {
  const auto bytes = read_whole_file(file, kConfigBytesMax);
  if (!bytes) return {};
  const auto config = parse_json(*bytes);
  if (!config) return {};
  const Value* token = config->find("eos_token");
  if (token == nullptr) return {};
  return token->is_string() ? token->as_string() : token->get_string("content");
}

Result<TokenId> find_text_end(const std::filesystem::path& folder, const Tokenizer& tokenizer,
                              const ModelConfig& config) {
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) {
    const std::string text = eos_text(folder / name);
    if (text.empty()) continue;
    if (const auto id = tokenizer.find(text)) return *id;
    return Error{ErrorCode::Corrupt, (folder / name).string() + " names eos_token " + text + ", which is no token", {}};
  }
  if (!config.eos_tokens.empty()) return config.eos_tokens.front();
  return Error{ErrorCode::Corrupt, folder.string() + " does not say which token ends a text (eos_token)", {}};
}

}  // namespace

Result<LoadedModel> load_model(const std::filesystem::path& folder, WeightForm form) {
  SLIPWAY_TRY_ASSIGN(ModelConfig config, read_model_config(folder));
  SLIPWAY_TRY_ASSIGN(FolderTensors opened, FolderTensors::open(folder));
  SLIPWAY_TRY_ASSIGN(Tokenizer tokenizer, Tokenizer::load(folder));
  SLIPWAY_TRY_ASSIGN(const TokenId text_end, find_text_end(folder, tokenizer, config));
  auto tensors = std::make_unique<FolderTensors>(std::move(opened));
  SLIPWAY_TRY_ASSIGN(Model model, Model::load(std::move(config), *tensors, form));
  return LoadedModel{folder, std::move(tensors), std::move(model), std::move(tokenizer), text_end};
}

}  // namespace slipway::ml
