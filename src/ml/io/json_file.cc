#include "ml/io/json_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <system_error>

namespace slipway::ml {

Result<std::string> read_file(const std::filesystem::path& file, std::size_t bytes_max) {
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  if (error) return errno_error(file.string(), error.value());
  if (size > bytes_max)
    return Error{
        ErrorCode::TooLarge, fmt::format("{} has {} bytes, the limit is {}", file.string(), size, bytes_max), {}};
  std::string text(size, '\0');
  std::ifstream in(file, std::ios::binary);
  if (!in.read(text.data(), static_cast<std::streamsize>(size))) return errno_error("reading " + file.string(), EIO);
  return text;
}

Result<Value> read_json_file(const std::filesystem::path& file, std::size_t bytes_max) {
  SLIPWAY_TRY_ASSIGN(const std::string text, read_file(file, bytes_max));
  auto value = parse_json(text, {.bytes_max = bytes_max});
  if (!value) return Error{ErrorCode::Corrupt, file.string() + ": " + value.error().message, value.error().help};
  return value;
}

}  // namespace slipway::ml
