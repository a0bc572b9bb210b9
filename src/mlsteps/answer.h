// The answer in a generated text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace slipway::mlsteps {

// Without blanks and line breaks at both ends.
[[nodiscard]] std::string trimmed(std::string_view text);

// With labels: the one that the trimmed text begins with and that ends there as a word, the longest of several; "" if
// none. Without: the trimmed first line.
[[nodiscard]] std::string answer_of(std::string_view generated, const std::vector<std::string>& labels);

}  // namespace slipway::mlsteps
