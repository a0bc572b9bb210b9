// What `slipway help` says: sections of the documentation, as they stand there.
#pragma once

#include <span>
#include <string_view>

namespace slipway::cli {

struct HelpTopic {
  std::string_view name;  // "exit-codes"
  std::string_view text;  // Markdown; begins with its heading, ends with a line break
};
[[nodiscard]] std::span<const HelpTopic> help_topics();

}  // namespace slipway::cli
