#include "slipway/base/file_uri.h"

namespace slipway {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

Result<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    const auto byte = static_cast<char>(high * 16 + low);
    if (low < 0 || byte == '\0')
      return Error{ErrorCode::InvalidArgument, "`" + std::string(text) + "` has a `%` that encodes nothing",
                   "write %25 for a percent sign"};
    out += byte;
    i += 2;
  }
  return out;
}

}  // namespace

Result<std::string> path_of_file_uri(std::string_view uri) {
  const std::string_view whole = uri;
  if (!is_file_uri(uri))
    return Error{ErrorCode::InvalidArgument, "`" + std::string(whole) + "` is no file URI", "write file:///path"};
  uri.remove_prefix(std::string_view("file://").size());
  if (uri.starts_with("localhost/")) uri.remove_prefix(std::string_view("localhost").size());
  if (!uri.starts_with('/'))
    return Error{ErrorCode::InvalidArgument, "`" + std::string(whole) + "` names a host",
                 "write file:///path, with three slashes"};
  return percent_decoded(uri);
}

}  // namespace slipway
