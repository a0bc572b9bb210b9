// All tensors of the safetensors files of a test, read into memory: small, and independent of the reader under test
// elsewhere.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "slipway/base/value.h"
#include "slipway/ml/bf16.h"
#include "slipway/ml/tensor.h"

namespace slipway::ml::testing {

class SafetensorsTensors : public TensorSource {
 public:
  explicit SafetensorsTensors(const std::vector<std::string>& paths) {
    for (const auto& path : paths) read(path);
  }

  [[nodiscard]] Result<TensorView> find(std::string_view name) const override {
    const auto it = tensors_.find(name);
    if (it == tensors_.end()) return Error{ErrorCode::NotFound, "no tensor " + std::string(name), {}};
    return it->second;
  }

  // The tensor's values as fp32.
  [[nodiscard]] std::vector<float> floats(const std::string& name) const {
    const auto view = find(name).value();
    std::vector<float> values(view.bytes.size() / byte_size(view.dtype));
    EXPECT_TRUE(widen(view, values)) << name;
    return values;
  }

  [[nodiscard]] std::vector<std::int32_t> ints(const std::string& name) const {
    const auto view = find(name).value();
    std::vector<std::int32_t> values(view.bytes.size() / sizeof(std::int32_t));
    std::memcpy(values.data(), view.bytes.data(), view.bytes.size());
    return values;
  }

  [[nodiscard]] const std::map<std::string, TensorView, std::less<>>& all() const { return tensors_; }

 private:
  void read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    ASSERT_GT(text.size(), 8U) << path;
    auto& bytes = files_.emplace_back(text.size());
    std::memcpy(bytes.data(), text.data(), text.size());
    std::uint64_t header = 0;
    std::memcpy(&header, bytes.data(), sizeof header);
    const auto parsed = parse_json(std::string_view(text).substr(8, header));
    ASSERT_TRUE(parsed) << path;
    for (const auto& [name, entry] : parsed->as_object()) {
      if (name == "__metadata__") continue;
      TensorView view{kDtypes.parse(entry.get_string("dtype")).value(), {}, {}};
      for (const auto& size : entry.find("shape")->as_array()) view.shape.push_back(size.as_int());
      const auto& range = entry.find("data_offsets")->as_array();
      const auto first = static_cast<std::size_t>(range[0].as_int()),
                 last = static_cast<std::size_t>(range[1].as_int());
      view.bytes = std::span<const std::byte>(bytes).subspan(8 + header + first, last - first);
      tensors_.emplace(name, view);
    }
  }

  std::vector<std::vector<std::byte>> files_;
  std::map<std::string, TensorView, std::less<>> tensors_;
};

}  // namespace slipway::ml::testing
