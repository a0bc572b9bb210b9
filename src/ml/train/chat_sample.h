// Conversations as training text.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "slipway/base/value.h"
#include "slipway/ml/chat_template.h"
#include "slipway/ml/dataset.h"

namespace slipway::ml {

// Makes samples of `messages`, a list of {"role", "content"} that the assistant ends. The model's template writes the
// text, special tokens and the end of the turn included; the last message is what is learned. The template is read when
// the first conversation comes, so that data without any needs none.
class ChatReader {
 public:
  explicit ChatReader(std::filesystem::path model_folder) : folder_(std::move(model_folder)) {}

  // `where` stands in front of errors.
  [[nodiscard]] Result<TextSample> sample(const Value& messages, const std::string& where);

 private:
  std::filesystem::path folder_;
  std::optional<ChatTemplate> template_;
};

}  // namespace slipway::ml
