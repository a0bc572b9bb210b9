#include "kube/kubeconfig.h"

#include "slipway/base/file.h"

namespace slipway::kube {
namespace {

constexpr std::size_t kBytesMax = 8U << 20U;

std::string place(const std::filesystem::path& file, const text::Node* node) {
  std::string out = file.string();
  if (node != nullptr && node->span.known())
    out += ":" + std::to_string(node->span.line) + ":" + std::to_string(node->span.column);
  return out;
}

Result<text::Node> parse(const std::filesystem::path& file, std::string bytes) {
  auto parsed = text::parse_yaml({file.string(), std::move(bytes)}, {.bytes_max = kBytesMax});
  for (const Diagnostic& problem : parsed.diagnostics.items())
    if (problem.severity == Severity::Error)
      return Error{ErrorCode::InvalidArgument,
                   file.string() + ":" + std::to_string(problem.span.line) + ":" + std::to_string(problem.span.column) +
                       ": " + problem.message,
                   problem.help};
  SLIPWAY_ASSERT(parsed.value.has_value());
  if (parsed.value->kind != text::NodeKind::Map && parsed.value->kind != text::NodeKind::Null)
    return Error{ErrorCode::InvalidArgument, file.string() + ": a kubeconfig is a map, this is not",
                 "make one with `kubectl config view --flatten --minify`"};
  return *std::move(parsed.value);
}

}  // namespace

Field Field::operator[](std::string_view key) const {
  const bool nested = what_.find(": ") != std::string::npos;
  return {file_, node_ == nullptr ? nullptr : node_->find(key), what_ + (nested ? "." : ": ") + std::string(key)};
}

Error Field::error(ErrorCode code, std::string_view message, std::string help) const {
  return {code, place(*file_, node_) + ": " + what_ + " " + std::string(message), std::move(help)};
}

Result<std::string> Field::text() const {
  if (!present()) return std::string();
  if (!node_->is_scalar()) return error(ErrorCode::InvalidArgument, "must be text", {});
  return node_->scalar;
}

Result<bool> Field::boolean() const {
  if (!present()) return false;
  if (node_->kind != text::NodeKind::Boolean)
    return error(ErrorCode::InvalidArgument, "must be true or false", "write it without quotes");
  return node_->boolean;
}

Result<std::vector<Field>> Field::list() const {
  std::vector<Field> out;
  if (!present()) return out;
  if (node_->kind != text::NodeKind::List) return error(ErrorCode::InvalidArgument, "must be a list", {});
  for (std::size_t i = 0; i < node_->items.size(); ++i)
    out.emplace_back(file_, &node_->items[i], what_ + "[" + std::to_string(i) + "]");
  return out;
}

Result<std::filesystem::path> Field::path() const {
  SLIPWAY_TRY_ASSIGN(const std::string name, text());
  if (name.empty()) return std::filesystem::path();
  return (file_->parent_path() / name).lexically_normal();
}

Result<Kubeconfig> Kubeconfig::read(const std::vector<std::filesystem::path>& files) {
  Kubeconfig config;
  std::string tried;
  for (const auto& file : files) {
    tried += (tried.empty() ? "" : ", ") + file.string();
    auto bytes = read_whole_file(file, kBytesMax);
    if (!bytes && bytes.error().code == ErrorCode::NotFound) continue;
    if (!bytes) return bytes.error();
    SLIPWAY_TRY_ASSIGN(text::Node root, parse(file, *std::move(bytes)));
    config.files_.push_back({std::make_shared<const std::filesystem::path>(std::filesystem::absolute(file)),
                             std::make_shared<const text::Node>(std::move(root))});
  }
  if (config.files_.empty())
    return Error{ErrorCode::NotFound, "kubeconfig " + tried + " does not exist", "set KUBECONFIG to one that does"};
  return config;
}

Result<std::string> Kubeconfig::current_context() const {
  for (const File& file : files_) {
    const Field field(file.path, file.root->find("current-context"), "current-context");
    SLIPWAY_TRY_ASSIGN(std::string name, field.text());
    if (!name.empty()) return name;
  }
  return std::string();
}

Result<Field> Kubeconfig::entry(std::string_view kind, std::string_view name) const {
  const std::string section = std::string(kind) + "s";
  std::string known;
  for (const File& file : files_) {
    SLIPWAY_TRY_ASSIGN(const auto items, Field(file.path, file.root->find(section), section).list());
    for (const Field& item : items) {
      SLIPWAY_TRY_ASSIGN(const std::string own, item["name"].text());
      if (own != name) {
        known += (known.empty() ? "`" : ", `") + own + "`";
        continue;
      }
      const text::Node* node = item.node()->find(kind);
      return Field(file.path, node == nullptr ? item.node() : node, std::string(kind) + " `" + own + "`");
    }
  }
  return Error{ErrorCode::NotFound, names() + ": there is no " + std::string(kind) + " `" + std::string(name) + "`",
               known.empty() ? "the file has no " + section : "it has " + known};
}

std::string Kubeconfig::names() const {
  std::string out;
  for (const File& file : files_) out += (out.empty() ? "" : ":") + file.path->string();
  return out;
}

}  // namespace slipway::kube
