#include "steps/csv.h"

#include <fmt/format.h>

#include "steps/utf8.h"

namespace slipway::steps {

CsvReader::CsvReader(std::istream& in, std::string name) : in_(*in.rdbuf()), name_(std::move(name)) {
  std::string mark;
  for (const char expected : {'\xEF', '\xBB', '\xBF'}) {
    if (peek() != static_cast<unsigned char>(expected)) break;
    mark += static_cast<char>(take());
  }
  if (mark.size() < 3) pushed_back_.assign(mark.rbegin(), mark.rend());
}

int CsvReader::peek() {
  if (!pushed_back_.empty()) return static_cast<unsigned char>(pushed_back_.back());
  const int c = in_.sgetc();
  return c == std::char_traits<char>::eof() ? kEnd : c;
}

int CsvReader::take() {
  const int c = peek();
  if (c == kEnd) return kEnd;
  if (pushed_back_.empty()) {
    in_.sbumpc();
  } else {
    pushed_back_.pop_back();
  }
  return c;
}

void CsvReader::end_line(int c) {
  if (c == '\r' && peek() == '\n') take();
  ++line_;
}

Error CsvReader::error(std::int64_t line, std::size_t column, std::string problem, std::string help) const {
  return {ErrorCode::Corrupt, fmt::format("{}:{}:{}: {}", name_, line, column, problem), std::move(help)};
}

// False at the end of the file. A line of blanks and tabs alone is blank, too.
bool CsvReader::skip_blank_lines() {
  for (;;) {
    std::string blanks;
    while (peek() == ' ' || peek() == '\t') blanks += static_cast<char>(take());
    const int c = peek();
    if (c == '\n' || c == '\r') {
      end_line(take());
      continue;
    }
    if (c == kEnd && blanks.empty()) return false;
    if (c == kEnd) return false;
    pushed_back_.append(blanks.rbegin(), blanks.rend());
    return true;
  }
}

Result<std::string> CsvReader::quoted() {
  const std::int64_t opened = line_;
  std::string text;
  for (;;) {
    const int c = take();
    if (c == kEnd)
      return error(opened, column_, "the quote is never closed",
                   "close it, or double a quote that is part of the text");
    if (c == '"') {
      if (peek() != '"') return text;
      take();
    }
    if (c == '\n' || (c == '\r' && peek() != '\n')) ++line_;
    text += static_cast<char>(c);
  }
}

// One field; `ended_by` is the comma, the line break or kEnd.
Result<std::string> CsvReader::field(int& ended_by) {
  std::string text;
  if (peek() == '"') {
    take();
    SLIPWAY_TRY_ASSIGN(text, quoted());
  }
  for (;;) {
    const int c = take();
    if (c == ',' || c == '\n' || c == '\r' || c == kEnd) {
      ended_by = c;
      break;
    }
    text += static_cast<char>(c);
  }
  if (!is_utf8(text))
    return error(record_line_, column_, "bytes that are no UTF-8", "convert the file to UTF-8, for example with iconv");
  return text;
}

Result<bool> CsvReader::next(std::vector<std::string>& fields) {
  fields.clear();
  if (!skip_blank_lines()) return false;
  record_line_ = line_;
  for (int ended_by = ',';;) {
    column_ = fields.size() + 1;
    SLIPWAY_TRY_ASSIGN(std::string text, field(ended_by));
    fields.push_back(std::move(text));
    if (ended_by == ',') continue;
    if (ended_by != kEnd) end_line(ended_by);
    return true;
  }
}

}  // namespace slipway::steps
