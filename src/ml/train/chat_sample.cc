#include "ml/train/chat_sample.h"

#include <vector>

namespace slipway::ml {
namespace {

Error message_error(const std::string& where, const char* problem) {
  return Error{ErrorCode::InvalidArgument, where + ": `messages` " + problem, {}};
}

Result<std::vector<ChatMessage>> parse_messages(const Value& list, const std::string& where) {
  if (!list.is_array() || list.as_array().empty()) return message_error(where, "must be a list of messages");
  std::vector<ChatMessage> messages;
  for (const Value& item : list.as_array()) {
    const Value* role = item.find("role");
    const Value* content = item.find("content");
    if (role == nullptr || content == nullptr || !role->is_string() || !content->is_string())
      return message_error(where, "must hold objects with the texts `role` and `content`");
    messages.push_back({role->as_string(), content->as_string()});
  }
  if (messages.back().role != "assistant") return message_error(where, "must end with one of role assistant");
  return messages;
}

}  // namespace

Result<TextSample> ChatReader::sample(const Value& list, const std::string& where) {
  SLIPWAY_TRY_ASSIGN(const auto messages, parse_messages(list, where));
  if (!template_) {
    SLIPWAY_TRY_ASSIGN(ChatTemplate loaded, ChatTemplate::load(folder_));
    template_ = std::move(loaded);
  }
  const auto text = template_->render(messages, false);
  if (!text) return text.error().in(where);
  const auto prompt = template_->render(std::span(messages).first(messages.size() - 1), true);
  if (!prompt) return prompt.error().in(where);
  if (!text->starts_with(*prompt))
    return Error{ErrorCode::Unsupported, where + ": the chat template does not put the answer behind its prompt", {}};
  return TextSample{
      .text = *text, .learn_from = prompt->size(), .eos = false, .special_tokens = SpecialTokens::Omit, .where = where};
}

}  // namespace slipway::ml
