#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>

#include "slipway/base/diagnostics.h"
#include "steps/csv.h"
#include "steps/examples.h"
#include "steps/python.h"

namespace slipway::steps {
namespace {

constexpr std::size_t kColumns = 3;  // id, text, answer

struct Table {
  std::array<std::vector<std::string>, kColumns> columns;
};

Result<std::array<std::size_t, kColumns>> find_columns(const std::vector<std::string>& header,
                                                       const std::array<std::string, kColumns>& names,
                                                       const std::string& file) {
  std::array<std::size_t, kColumns> places{};
  for (std::size_t i = 0; i < kColumns; ++i) {
    const auto it = std::find(header.begin(), header.end(), names[i]);
    if (it == header.end()) {
      const auto near = nearest(names[i], header);
      return Error{
          ErrorCode::InvalidArgument, fmt::format("{}:1: there is no column `{}`", file, names[i]),
          near ? fmt::format("is it `{}`?", *near) : fmt::format("the columns are {}", fmt::join(header, ", "))};
    }
    places[i] = static_cast<std::size_t>(it - header.begin());
  }
  return places;
}

Result<Table> read_table(CsvReader& reader, const std::string& name, const std::array<std::string, kColumns>& names,
                         std::optional<std::int64_t> limit) {
  std::vector<std::string> fields;
  SLIPWAY_TRY_ASSIGN(const bool any, reader.next(fields));
  if (!any) return Error{ErrorCode::InvalidArgument, name + " is empty", "the first line must name the columns"};
  const std::size_t width = fields.size();
  SLIPWAY_TRY_ASSIGN(const auto places, find_columns(fields, names, name));
  Table table;
  for (std::int64_t row = 0; !limit || row < *limit; ++row) {
    SLIPWAY_TRY_ASSIGN(const bool more, reader.next(fields));
    if (!more) break;
    if (fields.size() > width)
      return Error{ErrorCode::Corrupt,
                   fmt::format("{}:{}:{}: {} fields, the first line names {} columns", name, reader.line(), width + 1,
                               fields.size(), width),
                   "put the field with the comma in quotes"};
    fields.resize(width);
    for (std::size_t i = 0; i < kColumns; ++i) table.columns[i].push_back(std::move(fields[places[i]]));
  }
  return table;
}

}  // namespace

Result<Examples> read_reviews_csv(const std::filesystem::path& file, const PrepareOptions& options,
                                  std::optional<std::int64_t> limit) {
  std::error_code failed;
  if (std::filesystem::is_directory(file, failed)) return errno_error(file.string(), EISDIR);
  std::ifstream in(file, std::ios::binary);
  if (!in) return errno_error(file.string(), std::filesystem::exists(file, failed) ? EACCES : ENOENT);
  CsvReader reader(in, file.string());
  SLIPWAY_TRY_ASSIGN(
      const Table table,
      read_table(reader, file.string(), {options.id_column, options.text_column, options.answer_column}, limit));
  const auto ids = typed_column(table.columns[0]);
  const auto texts = typed_column(table.columns[1]);
  const auto answers = typed_column(table.columns[2]);
  Examples examples;
  examples.rows_read = static_cast<std::int64_t>(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!ids[i] || !texts[i] || !answers[i]) {
      ++examples.rows_dropped;
      continue;
    }
    const std::string text = fmt::format("Question: Review analysis for movie '{}'\nContext: {}\nAnswer: {}", *ids[i],
                                         *texts[i], *answers[i]);
    examples.list.push_back({*ids[i], R"({"text": )" + json_string(text) + "}"});
  }
  return examples;
}

}  // namespace slipway::steps
