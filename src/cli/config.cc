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

// Settings of one file into `values`, where they are not set yet; its problems rendered.
std::string read_config(const std::string& path, const std::string& text,
                        std::map<std::string, Resolved, std::less<>>& values,
                        std::map<std::string, NotifyTarget, std::less<>>& targets) {
  const SourceText source{path, text};
  auto parsed = text::parse_yaml(source);
  if (parsed.value && parsed.value->kind != text::NodeKind::Map && parsed.value->kind != text::NodeKind::Null)
    parsed.diagnostics.error("wrong-type", parsed.value->span, "a config file is a map of settings",
                             "write `listen: 127.0.0.1:8480`");
  if (parsed.value) {
    for (const auto& entry : parsed.value->entries) {
      if (entry.key == "notify") {
        read_notify_targets(entry.value, path, targets, parsed.diagnostics);
      } else if (find_setting(entry.key) == nullptr) {
        const auto near = nearest(entry.key, setting_names());
        parsed.diagnostics.error("unknown-key", entry.key_span, "`" + entry.key + "` is no setting",
                                 near ? "did you mean `" + *near + "`?" : "`slipway config list` shows all");
      } else if (!entry.value.is_scalar()) {
        parsed.diagnostics.error("wrong-type", entry.value.span, "`" + entry.key + "` takes one value", "");
      } else {
        values.emplace(entry.key, Resolved{entry.value.scalar, path + ":" + std::to_string(entry.key_span.line)});
      }
    }
  }
  std::string problems;
  for (const Diagnostic& diagnostic : parsed.diagnostics.items())
    problems += (problems.empty() ? "" : "\n") + render(diagnostic, source);
  return problems;
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
  for (const std::string& path : config_files(env)) {
    const auto text = read_whole_file(path, kFileBytesMax);
    if (!text && text.error().code == ErrorCode::NotFound) continue;
    if (!text) return text.error();
    const auto found = read_config(path, *text, config.values_, config.targets_);
    if (!found.empty()) problems += (problems.empty() ? "" : "\n") + found;
  }
  if (!problems.empty()) return Error{ErrorCode::InvalidArgument, "the configuration has mistakes\n" + problems, {}};
  return config;
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
