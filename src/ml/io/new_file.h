// A file that appears under its name only when it is complete and on disk.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

#include "slipway/base/result.h"

namespace slipway::ml {

class NewFile {
 public:
  // Writes to FILE.partial until commit().
  [[nodiscard]] static Result<NewFile> create(const std::filesystem::path& file);
  NewFile(NewFile&& other) noexcept;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile();

  [[nodiscard]] Result<void> write(std::span<const std::byte> bytes);
  [[nodiscard]] Result<void> write(std::string_view text) {
    return write(std::as_bytes(std::span(text.data(), text.size())));
  }
  // Syncs the file, renames it, syncs the folder.
  [[nodiscard]] Result<void> commit();

 private:
  NewFile(std::filesystem::path file, int fd) : file_(std::move(file)), fd_(fd) {}
  [[nodiscard]] std::filesystem::path partial() const { return file_.string() + ".partial"; }

  std::filesystem::path file_;
  int fd_;  // -1: committed or moved away
};

}  // namespace slipway::ml
