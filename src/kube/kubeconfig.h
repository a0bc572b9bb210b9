// One kubeconfig file or several, merged, as places in parsed text: what load_config looks its entries up in.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "slipway/base/result.h"
#include "slipway/text/node.h"

namespace slipway::kube {

// A value of a kubeconfig with the file it stands in, for reading and for errors.
class Field {
 public:
  Field(std::shared_ptr<const std::filesystem::path> file, const text::Node* node, std::string what)
      : file_(std::move(file)), node_(node), what_(std::move(what)) {}

  // The member `key`; one that is absent or null reads as empty.
  [[nodiscard]] Field operator[](std::string_view key) const;
  [[nodiscard]] bool present() const { return node_ != nullptr && node_->kind != text::NodeKind::Null; }
  [[nodiscard]] const text::Node* node() const { return node_; }

  [[nodiscard]] Result<std::string> text() const;
  [[nodiscard]] Result<bool> boolean() const;
  [[nodiscard]] Result<std::vector<Field>> list() const;
  // A file name, made absolute by the folder of the kubeconfig.
  [[nodiscard]] Result<std::filesystem::path> path() const;

  // "/home/a/.kube/config:12:5: user `x`: token-file <message>".
  [[nodiscard]] Error error(ErrorCode code, std::string_view message, std::string help) const;

 private:
  std::shared_ptr<const std::filesystem::path> file_;
  const text::Node* node_;
  std::string what_;  // "user `x`: exec.command"
};

class Kubeconfig {
 public:
  // Files that do not exist are passed over; NotFound if that is all of them.
  [[nodiscard]] static Result<Kubeconfig> read(const std::vector<std::filesystem::path>& files);

  // The first file that says it; empty if none does.
  [[nodiscard]] Result<std::string> current_context() const;
  // kind is "context", "cluster" or "user". The first file that has the name decides the whole entry. NotFound names
  // what there is.
  [[nodiscard]] Result<Field> entry(std::string_view kind, std::string_view name) const;
  // "/home/a/.kube/config", or several with colons between.
  [[nodiscard]] std::string names() const;

 private:
  struct File {
    std::shared_ptr<const std::filesystem::path> path;
    std::shared_ptr<const text::Node> root;
  };
  std::vector<File> files_;
};

}  // namespace slipway::kube
