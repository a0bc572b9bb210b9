// Any text is read as a template or refused, and renders or says why not.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "slipway/base/assert.h"
#include "slipway/ml/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  const auto chat = ml::ChatTemplate::parse(std::string_view(reinterpret_cast<const char*>(data), size),
                                            Value::Object{{"bos_token", "<s>"}, {"n", 3}});
  if (!chat) {
    SLIPWAY_ASSERT(!chat.error().message.empty());
    return 0;
  }
  const ml::ChatMessage messages[] = {{"user", " hi\n"}, {"assistant", ""}};
  const auto text = chat->render(messages, true);
  SLIPWAY_ASSERT(text || !text.error().message.empty());
  return 0;
}
