// The text of one continuation as it grows, up to the first stop string.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::ml {

class OutputText {
 public:
  OutputText(std::vector<std::string> stops, bool include_stop);

  // Appends `piece`. Returns the stop string that is now complete; the text then ends before it, or behind it with
  // `include_stop`. The one that begins first counts; bytes pushed with `may_stop` false are part of none.
  [[nodiscard]] std::optional<std::string> push(std::string_view piece, bool may_stop);

  [[nodiscard]] const std::string& text() const { return text_; }
  // The text without an end that may be the beginning of a stop string.
  [[nodiscard]] std::string_view certain() const;

 private:
  std::vector<std::string> stops_;
  bool include_stop_;
  std::size_t longest_ = 0;
  std::size_t searched_from_ = 0;  // no stop string begins before
  std::string text_;
};

}  // namespace slipway::ml
