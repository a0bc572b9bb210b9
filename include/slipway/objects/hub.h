// Models of a Hugging Face hub as folders: hf://ORGANISATION/NAME, with @REVISION behind it if it is not `main`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "slipway/base/result.h"
#include "slipway/http/transport.h"
#include "slipway/objects/web_file.h"

namespace slipway::objects {

struct HubModel {
  std::string id;  // "google/gemma-2-9b-it"
  std::string revision = "main";

  bool operator==(const HubModel&) const = default;
};

// nullopt unless it is hf://ORGANISATION/NAME[@REVISION], or the same without hf://.
[[nodiscard]] std::optional<HubModel> parse_hub_model(std::string_view text);

// What a model needs of its files (configuration, tokenizer, safetensors), all of one commit, into `folder`; how many
// they are. One that is there with its size is not fetched again. `env`: HF_TOKEN, and HF_ENDPOINT for another hub than
// huggingface.co. Unauthorized and Forbidden name the token and the page of the licence.
[[nodiscard]] Result<std::int64_t> download_model(http::Transport& transport, const HubModel& model,
                                                  const std::filesystem::path& folder,
                                                  const std::map<std::string, std::string>& env, WebAccess access);

}  // namespace slipway::objects
