#include "ml/infer/output_text.h"

#include <algorithm>

namespace slipway::ml {

OutputText::OutputText(std::vector<std::string> stops, bool include_stop)
    : stops_(std::move(stops)), include_stop_(include_stop) {
  for (const auto& stop : stops_) longest_ = std::max(longest_, stop.size());
}

std::optional<std::string> OutputText::push(std::string_view piece, bool may_stop) {
  // A stop string that is complete now ends in the piece.
  const std::size_t reach = text_.size() - std::min(text_.size(), longest_ == 0 ? 0 : longest_ - 1);
  const std::size_t from = std::max(searched_from_, reach);
  text_ += piece;
  if (!may_stop) {
    searched_from_ = text_.size();
    return std::nullopt;
  }
  const std::string* found = nullptr;
  std::size_t at = std::string::npos;
  for (const auto& stop : stops_) {
    const std::size_t here = text_.find(stop, from);
    if (here >= at) continue;
    at = here;
    found = &stop;
  }
  if (found == nullptr) return std::nullopt;
  text_.resize(include_stop_ ? at + found->size() : at);
  return *found;
}

std::string_view OutputText::certain() const {
  const std::string_view text = text_;
  const std::size_t first = std::max(searched_from_, text.size() - std::min(text.size(), longest_));
  for (std::size_t at = first; at < text.size(); ++at)
    for (const auto& stop : stops_)
      if (std::string_view(stop).starts_with(text.substr(at))) return text.substr(0, at);
  return text;
}

}  // namespace slipway::ml
