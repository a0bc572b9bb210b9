#include "slipway/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>

#include "slipway/base/time.h"
#include "slipway/base/value.h"

namespace slipway {
namespace {

constexpr std::array<spdlog::level::level_enum, 4> kLevels{spdlog::level::debug, spdlog::level::info,
                                                           spdlog::level::warn, spdlog::level::err};
constexpr std::array<std::string_view, 4> kNames{"debug", "info", "warn", "error"};

// Values with spaces or quotes are quoted, so that a line splits back into its fields.
std::string quoted_if_needed(const std::string& text) {
  const bool plain = !text.empty() && text.find_first_of(" \"=\n\t") == std::string::npos;
  return plain ? text : Value(text).dump();
}

}  // namespace

struct Logger::Sink {
  std::shared_ptr<spdlog::logger> out;
  LogFormat format;
};

Logger Logger::to_stderr(LogLevel level, LogFormat format) {
  auto out = std::make_shared<spdlog::logger>("slipway", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  out->set_pattern("%v");
  out->set_level(kLevels[static_cast<std::size_t>(level)]);
  out->flush_on(spdlog::level::debug);
  Logger logger;
  logger.sink_ = std::make_shared<Sink>(Sink{std::move(out), format});
  return logger;
}

Logger Logger::with(Fields fields) const {
  Logger copy = *this;
  for (const auto& [name, text] : fields) copy.bound_.emplace_back(name, text);
  return copy;
}

void Logger::write(LogLevel level, std::string_view message, Fields fields) const {
  const auto index = static_cast<std::size_t>(level);
  if (!sink_ || !sink_->out->should_log(kLevels[index])) return;
  const std::string at = to_rfc3339(SystemClock().now());
  if (sink_->format == LogFormat::Json) {
    Value line = Value::Object{{"time", at}, {"level", kNames[index]}, {"msg", message}};
    for (const auto& [name, text] : bound_) line[name] = text;
    for (const auto& [name, text] : fields) line[name] = text;
    sink_->out->log(kLevels[index], "{}", line.dump());
    return;
  }
  std::string line = at + " " + std::string(kNames[index]) + " " + std::string(message);
  for (const auto& [name, text] : bound_) line += " " + name + "=" + quoted_if_needed(text);
  for (const auto& [name, text] : fields) line += " " + std::string(name) + "=" + quoted_if_needed(text);
  sink_->out->log(kLevels[index], "{}", line);
}

}  // namespace slipway
