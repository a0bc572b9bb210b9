// Any body of a request to the model server is a request within its limits or a refusal that says why.
#include <cstddef>
#include <cstdint>
#include <string>

#include "serve/ask.h"
#include "slipway/base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  using namespace slipway::serve;
  const std::string body(reinterpret_cast<const char*>(data), size);
  for (const Endpoint endpoint : {Endpoint::Generate, Endpoint::Completions, Endpoint::Chat}) {
    const Parsed parsed = parse_ask(endpoint, body);
    if (const auto* refusal = std::get_if<Refusal>(&parsed)) {
      SLIPWAY_ASSERT(refusal->status == 400 && !refusal->message.empty());
      SLIPWAY_ASSERT(parse_json(error_reply(*refusal).dump()).has_value());
      continue;
    }
    const auto& ask = std::get<Ask>(parsed);
    SLIPWAY_ASSERT(!ml::invalid_reason(ask.params));
    SLIPWAY_ASSERT(endpoint == Endpoint::Chat ? !ask.messages.empty() : !ask.prompts.empty());
  }
  return 0;
}
