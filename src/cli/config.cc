#include "cli/config.h"

#include <algorithm>
#include <cctype>

#include "cli/notify_config.h"
#include "cli/session.h"
#include "slipway/base/assert.h"
#include "slipway/base/file.h"
#include "slipway/text/node.h"

namespace slipway::cli {
namespace {

const Setting* find_setting(std::string_view name) {
  const auto* it = std::find_if(kSettings.begin(), kSettings.end(), [&](const Setting& s) { return s.name == name; });
  return it == kSettings.end() ? nullptr : it;
}

std::string env_name(std::string_view name) {
  std::string out = "SLIPWAY_";
  for (const char c : name) out += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

std::string get(const std::map<std::string, std::string>& env, const std::string& name) {
  const auto it = env.find(name);
  return it == env.end() ? std::string() : it->second;
}

std::vector<std::string> setting_names() {
  std::vector<std::string> names;
  for (const Setting& setting : kSettings) names.emplace_back(setting.name);
  return names;
}

bool is_number_up_to(const std::string& text, unsigned long limit) {
  return !text.empty() && text.size() <= 7 && text.find_first_not_of("0123456789") == std::string::npos &&
         std::stoul(text) <= limit;
}

// HOST:PORT, where a host of the sixth version stands in brackets or not.
bool is_address(const std::string& text) {
  const auto colon = text.rfind(':');
  return colon != std::string::npos && colon > 0 && is_number_up_to(text.substr(colon + 1), 65'535);
}

bool is_one_of(const std::string& text, const std::vector<std::string>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

// What is wrong with a value, and its cure; nullopt if nothing is.
std::optional<std::pair<std::string, std::string>> problem_of(std::string_view name, const std::string& value) {
  const auto wrong = [&](const std::string& what, const std::string& cure) {
    return std::pair("`" + value + "` is no " + what + " for `" + std::string(name) + "`", cure);
  };
  if (name == "listen" && !is_address(value)) return wrong("HOST:PORT", "write 127.0.0.1:8480");
  if (name == "slots" && !is_number_up_to(value, 10'000))
    return wrong("number up to 10000", "write 0 for one per core");
  if (name == "retention_runs" && !is_number_up_to(value, 9'999'999))
    return wrong("number up to 9999999", "write 0 for no bound");
  if (name == "retention_age" && !parse_duration(value)) return wrong("duration", "write 90d; 0s = no bound");
  if (name == "executor" && !is_one_of(value, {"local", "kubernetes"}))
    return wrong("executor", "write local or kubernetes");
  if (name == "kube_root" && !is_one_of(value, {"true", "false"})) return wrong("boolean", "write true or false");
  if (name == "log_level" && !is_one_of(value, {"debug", "info", "warn", "error"}))
    return wrong("level", "write debug, info, warn or error");
  if (name == "log_format" && !is_one_of(value, {"text", "json"})) return wrong("format", "write text or json");
  if (value.empty()) return std::pair("`" + std::string(name) + "` has no value", std::string("leave it out"));
  return std::nullopt;
}

// Settings of one file into `values`, where they are not set yet. Values are judged by whoever uses them.
Diagnostics read_config(const SourceText& source, std::map<std::string, Resolved, std::less<>>& values,
                        std::map<std::string, NotifyTarget, std::less<>>& targets) {
  auto parsed = text::parse_yaml(source);
  Diagnostics& out = parsed.diagnostics;
  if (parsed.value && parsed.value->kind != text::NodeKind::Map && parsed.value->kind != text::NodeKind::Null)
    out.error("wrong-type", parsed.value->span, "a config file is a map of settings", "write `listen: 127.0.0.1:8480`");
  if (!parsed.value) return out;
  for (const auto& entry : parsed.value->entries) {
    if (entry.key == "notify") {
      read_notify_targets(entry.value, source.name, targets, out);
    } else if (find_setting(entry.key) == nullptr) {
      const auto near = nearest(entry.key, setting_names());
      out.error("unknown-key", entry.key_span, "`" + entry.key + "` is no setting",
                near ? "did you mean `" + *near + "`?" : "`slipway config list` shows all");
    } else if (!entry.value.is_scalar()) {
      out.error("wrong-type", entry.value.span, "`" + entry.key + "` takes one value", "");
    } else {
      values.emplace(entry.key, Resolved{entry.value.scalar, source.name + ":" + std::to_string(entry.key_span.line)});
    }
  }
  return out;
}

// The files that exist, in falling precedence.
Result<std::vector<SourceText>> read_files(const std::map<std::string, std::string>& env) {
  std::vector<SourceText> files;
  for (const std::string& path : config_files(env)) {
    auto text = read_whole_file(path, kFileBytesMax);
    if (!text && text.error().code == ErrorCode::NotFound) continue;
    if (!text) return text.error();
    files.push_back({path, *std::move(text)});
  }
  return files;
}

}  // namespace

std::vector<std::string> config_files(const std::map<std::string, std::string>& env) {
  const std::string home =
      get(env, "XDG_CONFIG_HOME").empty() ? get(env, "HOME") + "/.config" : get(env, "XDG_CONFIG_HOME");
  return {"slipway.yaml", home + "/slipway/config.yaml", "/etc/slipway/config.yaml"};
}

Result<Config> Config::load(const std::map<std::string, std::string>& env) {
  Config config;
  for (const Setting& setting : kSettings)
    if (const auto value = slipway::cli::get(env, env_name(setting.name)); !value.empty())
      config.values_.emplace(setting.name, Resolved{value, env_name(setting.name)});
  std::string problems;
  SLIPWAY_TRY_ASSIGN(const auto files, read_files(env));
  for (const SourceText& source : files) {
    const Diagnostics found = read_config(source, config.values_, config.targets_);
    for (const Diagnostic& diagnostic : found.items())
      problems += (problems.empty() ? "" : "\n") + render(diagnostic, source);
  }
  if (!problems.empty()) return Error{ErrorCode::InvalidArgument, "the configuration has mistakes\n" + problems, {}};
  return config;
}

Result<std::vector<ConfigFile>> check_config_files(const std::map<std::string, std::string>& env) {
  SLIPWAY_TRY_ASSIGN(auto files, read_files(env));
  std::vector<ConfigFile> checked;
  for (SourceText& source : files) {
    std::map<std::string, Resolved, std::less<>> values;
    std::map<std::string, NotifyTarget, std::less<>> targets;
    Diagnostics problems = read_config(source, values, targets);
    const auto parsed = text::parse_yaml(source);
    for (const auto& [name, resolved] : values)
      if (const auto problem = problem_of(name, resolved.value))
        problems.error("wrong-value", parsed.value->find(name)->span, problem->first, problem->second);
    problems.sort();
    checked.push_back({std::move(source), std::move(problems)});
  }
  return checked;
}

Resolved Config::get(std::string_view name, const std::string& flag) const {
  if (!flag.empty()) return {flag, "flag"};
  const auto it = values_.find(name);
  if (it != values_.end()) return it->second;
  const Setting* setting = find_setting(name);
  SLIPWAY_ASSERT(setting != nullptr);
  return {std::string(setting->fallback), "default"};
}

}  // namespace slipway::cli
