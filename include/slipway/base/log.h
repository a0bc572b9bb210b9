// Structured log lines to stderr. A Logger is a cheap value with bound fields; there is no global one.
// Info is for state changes an operator acts on, never per poll. Messages: lower case, subject first, no full stop.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace slipway {

enum class LogLevel : unsigned char { Debug, Info, Warn, Error };
enum class LogFormat : unsigned char { Text, Json };

// Thread-safe; copies share the sink.
class Logger {
 public:
  using Field = std::pair<std::string_view, std::string>;
  using Fields = std::initializer_list<Field>;

  // Discards everything: the default for tests.
  Logger() = default;
  // Writes lines at or above `level` to stderr.
  static Logger to_stderr(LogLevel level, LogFormat format);

  // The same sink with further fields bound, e.g. {{"run", id}}.
  [[nodiscard]] Logger with(Fields fields) const;

  void debug(std::string_view message, Fields fields = {}) const { write(LogLevel::Debug, message, fields); }
  void info(std::string_view message, Fields fields = {}) const { write(LogLevel::Info, message, fields); }
  void warn(std::string_view message, Fields fields = {}) const { write(LogLevel::Warn, message, fields); }
  void error(std::string_view message, Fields fields = {}) const { write(LogLevel::Error, message, fields); }

 private:
  struct Sink;
  void write(LogLevel level, std::string_view message, Fields fields) const;

  std::shared_ptr<Sink> sink_;
  std::vector<std::pair<std::string, std::string>> bound_;
};

}  // namespace slipway
