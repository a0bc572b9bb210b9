#include "slipway/ml/chat_template.h"

#include "ml/io/jinja.h"
#include "ml/io/json_file.h"
#include "slipway/base/file.h"

namespace slipway::ml {
namespace {

constexpr std::size_t kFileBytesMax = 64U << 20U;

// The template in tokenizer_config.json: a text, or a list of named ones of which `default` counts.
std::string template_in(const Value& config) {
  const Value* entry = config.find("chat_template");
  if (entry == nullptr) return {};
  if (entry->is_string()) return entry->as_string();
  if (!entry->is_array()) return {};
  for (const Value& named : entry->as_array())
    if (named.get_string("name") == "default") return named.get_string("template");
  return {};
}

// "bos_token": "<s>" or an object with `content`; tokens that are null are left undefined.
Value special_tokens_of(const Value& config) {
  Value::Object tokens;
  for (const char* name : {"bos_token", "eos_token", "unk_token", "pad_token"}) {
    const Value* token = config.find(name);
    if (token == nullptr) continue;
    const std::string text = token->is_string() ? token->as_string() : token->get_string("content");
    if (!text.empty()) tokens.emplace(name, text);
  }
  return tokens;
}

}  // namespace

struct ChatTemplate::Parts {
  jinja::Block block;
  Value variables;
};

Result<ChatTemplate> ChatTemplate::parse(std::string_view source, Value variables) {
  auto parts = std::make_shared<Parts>();
  SLIPWAY_TRY_ASSIGN(parts->block, jinja::parse_template(source));
  parts->variables = variables.is_object() ? std::move(variables) : Value(Value::Object{});
  return ChatTemplate(std::move(parts));
}

Result<ChatTemplate> ChatTemplate::load(const std::filesystem::path& folder) {
  const auto config_file = folder / "tokenizer_config.json";
  SLIPWAY_TRY_ASSIGN(const Value config, read_json_file(config_file, kFileBytesMax));
  std::string source = template_in(config);
  std::filesystem::path from = config_file;
  if (const auto own_file = folder / "chat_template.jinja"; std::filesystem::exists(own_file)) {
    SLIPWAY_TRY_ASSIGN(source, read_whole_file(own_file, kFileBytesMax));
    from = own_file;
  }
  if (source.empty())
    return Error{ErrorCode::NotFound, config_file.string() + " has no chat_template: the model was not made for chats",
                 "use an instruction-tuned model, or give prompts as text"};
  auto parsed = parse(source, special_tokens_of(config));
  if (!parsed) return parsed.error().in(from.string());
  return parsed;
}

Result<std::string> ChatTemplate::render(std::span<const ChatMessage> messages, bool add_generation_prompt) const {
  Value::Array list;
  for (const ChatMessage& message : messages)
    list.emplace_back(Value::Object{{"role", message.role}, {"content", message.content}});
  Value variables = parts_->variables;
  variables["messages"] = std::move(list);
  variables["add_generation_prompt"] = add_generation_prompt;
  auto text = jinja::render(parts_->block, variables);
  if (!text) return text.error().in("chat template");
  return text;
}

}  // namespace slipway::ml
