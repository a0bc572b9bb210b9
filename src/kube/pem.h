// PEM texts from where the config says they are.
#pragma once

#include "slipway/base/file.h"
#include "slipway/kube/config.h"

namespace slipway::kube {

inline constexpr std::size_t kPemBytesMax = 1U << 20U;

// The text; empty for an empty source. Errors name the file.
[[nodiscard]] inline Result<Secret> read_pem(const PemSource& source, std::string_view what) {
  if (source.file.empty()) return source.data;
  auto text = read_whole_file(source.file, kPemBytesMax);
  if (!text) return text.error().in(what);
  if (text->find("-----BEGIN ") == std::string::npos)
    return Error{ErrorCode::InvalidArgument, std::string(what) + ": " + source.file.string() + " is no PEM text",
                 "write one, with -----BEGIN … lines"};
  return Secret(*std::move(text));
}

}  // namespace slipway::kube
