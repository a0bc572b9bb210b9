// A home of a test's own, and its private files.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "support/temp_folder.h"

namespace slipway::vault {

class TemporaryHome {
 public:
  [[nodiscard]] const std::filesystem::path& path() const { return folder_.path(); }
  [[nodiscard]] std::string read(const char* name) const {
    std::ifstream in(folder_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const char* name, const std::string& bytes, mode_t mode) const {
    std::filesystem::remove(folder_ / name);
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    ::chmod((folder_ / name).c_str(), mode);
  }
  [[nodiscard]] mode_t mode(const char* name) const {
    struct stat info {};
    ::stat((folder_ / name).c_str(), &info);
    return info.st_mode & 0777U;
  }

 private:
  test::TempFolder folder_;
};

}  // namespace slipway::vault
