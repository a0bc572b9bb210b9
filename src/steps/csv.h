// CSV as the C parser of pandas reads it: comma, quotes doubled inside quotes, line breaks inside quotes kept, blank
// lines skipped, text after a closing quote taken as it is.
#pragma once

#include <cstdint>
#include <istream>
#include <string>
#include <vector>

#include "slipway/base/result.h"

namespace slipway::steps {

class CsvReader {
 public:
  // `name` is how errors cite the file. A byte order mark is skipped.
  CsvReader(std::istream& in, std::string name);

  // The next record; false at the end. Corrupt: a quote that is never closed, bytes that are no UTF-8, a NUL.
  [[nodiscard]] Result<bool> next(std::vector<std::string>& fields);
  // The line of the file where the last record began, from 1.
  [[nodiscard]] std::int64_t line() const { return record_line_; }

 private:
  static constexpr int kEnd = -1;

  int take();
  [[nodiscard]] int peek();
  // After \r or \n was taken: the \n of a \r\n.
  void end_line(int c);
  bool skip_blank_lines();
  Result<std::string> field(int& ended_by);
  Result<std::string> quoted();
  [[nodiscard]] Error error(std::int64_t line, std::size_t column, std::string problem, std::string help) const;

  std::streambuf& in_;
  std::string name_;
  std::string pushed_back_;  // blanks that turned out not to be a blank line, last first
  std::int64_t line_ = 1;
  std::int64_t record_line_ = 0;
  std::size_t column_ = 0;
};

}  // namespace slipway::steps
