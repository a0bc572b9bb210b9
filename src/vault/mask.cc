#include "slipway/vault/mask.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "slipway/base/value.h"
#include "vault/sodium.h"

namespace slipway::vault {
namespace {

std::string percent_encoded(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  constexpr std::string_view kUnreserved = "-._~";
  std::string text;
  for (const char c : bytes) {
    const auto octet = static_cast<unsigned char>(c);
    if (std::isalnum(octet) != 0 || kUnreserved.find(c) != std::string_view::npos) {
      text += c;
    } else {
      text += {'%', kDigits[octet >> 4U], kDigits[octet & 15U]};
    }
  }
  return text;
}

// The characters of a base64 text that depend on `bytes` alone when `before` bytes (mod 3) stand in front of them.
std::string base64_core(std::string_view bytes, std::size_t before, Base64 alphabet) {
  constexpr std::array<std::size_t, 3> kShared{0, 2, 3};  // characters that hold bits of what stands before
  const auto text = to_base64(std::string(before, '\0') + std::string(bytes), alphabet);
  const std::size_t end = (before + bytes.size()) * 8 / 6;
  return text.substr(kShared[before], end - kShared[before]);
}

void add_forms(const std::string& value, std::set<std::string>& forms) {
  if (value.size() < Masker::kShortest) return;
  forms.insert(value);
  const auto quoted = Value(value).dump();
  forms.insert(quoted.substr(1, quoted.size() - 2));
  forms.insert(percent_encoded(value));
  for (const std::size_t before : {0U, 1U, 2U})
    for (const auto alphabet : {Base64::Standard, Base64::Url}) forms.insert(base64_core(value, before, alphabet));
}

}  // namespace

Masker::Masker(const std::vector<Secret>& secrets) {
  std::set<std::string> forms;
  for (const Secret& secret : secrets) add_forms(secret.reveal(), forms);
  for (const auto& form : forms) {
    patterns_.emplace_back(form);
    begins_[static_cast<unsigned char>(form.front())] = true;
  }
  std::stable_sort(patterns_.begin(), patterns_.end(),
                   [](const Secret& a, const Secret& b) { return a.reveal().size() > b.reveal().size(); });
}

std::string Masker::feed(std::string_view bytes) {
  pending_ += bytes;
  return take(false);
}

std::string Masker::finish() { return take(true); }

std::string Masker::take(bool last) {
  std::string out;
  std::size_t at = 0;
  for (; at < pending_.size(); ++at) {
    const auto [matched, open] = look(std::string_view(pending_).substr(at));
    if (open && !last) break;
    if (matched > 0 && covered_ == 0) out += kMask;
    covered_ = std::max(covered_, matched);
    if (covered_ > 0) {
      --covered_;
    } else {
      out += pending_[at];
    }
  }
  pending_.erase(0, at);
  return out;
}

Masker::Seen Masker::look(std::string_view rest) const {
  Seen seen;
  if (!begins_[static_cast<unsigned char>(rest.front())]) return seen;
  for (const Secret& secret : patterns_) {
    const std::string& pattern = secret.reveal();
    if (rest.size() < pattern.size()) {
      seen.open = seen.open || pattern.compare(0, rest.size(), rest) == 0;
    } else if (rest.compare(0, pattern.size(), pattern) == 0) {
      seen.matched = pattern.size();
      break;
    }
  }
  return seen;
}

}  // namespace slipway::vault
