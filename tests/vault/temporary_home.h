// A folder that is removed with everything in it.
#pragma once

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace slipway::vault {

class TemporaryHome {
 public:
  TemporaryHome() {
    std::string pattern = (std::filesystem::temp_directory_path() / "slipway-vault-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryHome() { std::filesystem::remove_all(path_); }
  TemporaryHome(const TemporaryHome&) = delete;
  TemporaryHome& operator=(const TemporaryHome&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::string read(const char* name) const {
    std::ifstream in(path_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const char* name, const std::string& bytes, mode_t mode) const {
    std::filesystem::remove(path_ / name);
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    ::chmod((path_ / name).c_str(), mode);
  }
  [[nodiscard]] mode_t mode(const char* name) const {
    struct stat info {};
    ::stat((path_ / name).c_str(), &info);
    return info.st_mode & 0777U;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace slipway::vault
