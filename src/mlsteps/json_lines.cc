#include "mlsteps/json_lines.h"

#include "slipway/base/file.h"

namespace slipway::mlsteps {
namespace {

constexpr std::size_t kFileBytesMax = std::size_t{4} << 30U;

}  // namespace

Result<std::vector<JsonLine>> read_json_lines(const std::filesystem::path& file) {
  SLIPWAY_TRY_ASSIGN(const std::string all, read_whole_file(file, kFileBytesMax));
  std::vector<JsonLine> lines;
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < all.size(); ++begin) {
    const std::size_t end = std::min(all.find('\n', begin), all.size());
    const std::string_view text = std::string_view(all).substr(begin, end - begin);
    begin = end;
    ++number;
    if (text.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = file.filename().string() + ":" + std::to_string(number);
    auto value = parse_json(text);
    if (!value) return value.error().in(where);
    if (!value->is_object()) return Error{ErrorCode::InvalidArgument, where + " is no JSON object", {}};
    lines.push_back({*std::move(value), where});
  }
  return lines;
}

Result<void> write_json_lines(const std::filesystem::path& file, const std::vector<Value>& lines) {
  std::string all;
  for (const Value& line : lines) all += line.dump() + "\n";
  return write_whole_file(file, all);
}

Result<std::vector<ml::TokenId>> token_ids(const JsonLine& line, std::string_view name, std::int64_t vocabulary) {
  const Value* list = line.value.find(name);
  const std::string what = line.where + ": `" + std::string(name) + "`";
  if (list == nullptr || !list->is_array())
    return Error{ErrorCode::InvalidArgument, what + " must be a list of ids", {}};
  std::vector<ml::TokenId> ids;
  for (const Value& item : list->as_array()) {
    if (!item.is_int() || item.as_int() < 0 || item.as_int() >= vocabulary)
      return Error{ErrorCode::InvalidArgument, what + " holds " + item.dump() + ", which is no token id", {}};
    ids.push_back(static_cast<ml::TokenId>(item.as_int()));
  }
  return ids;
}

Value::Array to_values(const std::vector<ml::TokenId>& ids) {
  Value::Array values;
  for (const auto id : ids) values.emplace_back(std::int64_t{id});
  return values;
}

}  // namespace slipway::mlsteps
