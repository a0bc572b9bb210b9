// The chat template of a model: messages to the text it was trained on. Templates are Jinja; the part of Jinja that
// published templates use is interpreted here, as transformers sets it up (trim_blocks, lstrip_blocks). A construct
// that is unknown is an error when the template is read. There is no clock: `strftime_now` is undefined, and templates
// have a fixed date for that case.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "slipway/base/value.h"

namespace slipway::ml {

struct ChatMessage {
  std::string role;  // system, user, assistant, ...
  std::string content;
};

// Immutable and cheap to copy; any thread may render.
class ChatTemplate {
 public:
  // chat_template.jinja of the folder, else `chat_template` of its tokenizer_config.json, with that file's special
  // tokens. NotFound if the model has none (a base model), Unsupported for Jinja beyond the subset.
  [[nodiscard]] static Result<ChatTemplate> load(const std::filesystem::path& folder);
  // `variables` is an object of names the template may use, as bos_token.
  [[nodiscard]] static Result<ChatTemplate> parse(std::string_view source, Value variables);

  // The text, special tokens written out: encode it with SpecialTokens::Omit. InvalidArgument carries what the template
  // says against the messages ("System role not supported").
  [[nodiscard]] Result<std::string> render(std::span<const ChatMessage> messages, bool add_generation_prompt) const;

 private:
  struct Parts;
  explicit ChatTemplate(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}
  std::shared_ptr<const Parts> parts_;
};

}  // namespace slipway::ml
