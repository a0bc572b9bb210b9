// A model as Hugging Face keeps it: a folder with config.json, weights in one or more safetensors files, tokenizer
// files.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "slipway/base/value.h"
#include "slipway/ml/model_config.h"
#include "slipway/ml/safetensors.h"
#include "slipway/ml/tensor.h"

namespace slipway::ml {

// config.json (and generation_config.json, or null) as ModelConfig. Fields of transformers 4 and 5 are read. Errors
// name the field: Corrupt if one is missing or has no sense, Unsupported for a model this build cannot run.
[[nodiscard]] Result<ModelConfig> parse_model_config(const Value& config, const Value& generation_config);
// The same from FOLDER, the error naming the file.
[[nodiscard]] Result<ModelConfig> read_model_config(const std::filesystem::path& folder);

// The weights of a folder: model.safetensors, or the files that model.safetensors.index.json lists. Immutable.
class FolderTensors final : public TensorSource {
 public:
  [[nodiscard]] static Result<FolderTensors> open(const std::filesystem::path& folder);

  [[nodiscard]] Result<TensorView> find(std::string_view name) const override;
  // File by file, in the order of their bytes.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] std::size_t byte_count() const;

 private:
  Result<void> open_shards(const std::filesystem::path& folder, const Value& weight_map);

  std::filesystem::path folder_;
  std::vector<SafetensorsFile> files_;
  std::vector<std::string> names_;
  std::map<std::string, std::size_t, std::less<>> file_of_;  // index into files_
};

// Writes tensors as a folder's weights, one file after another, each at most `shard_bytes_max` long (or one tensor).
// Names are given in advance; with one file there is no index. Weights that the folder held before are removed.
class FolderWriter {
 public:
  static constexpr std::size_t kShardBytesMax = 5'000'000'000;

  [[nodiscard]] static Result<FolderWriter> create(const std::filesystem::path& folder, std::vector<TensorSpec> tensors,
                                                   std::size_t shard_bytes_max = kShardBytesMax);

  // The next bytes of the current tensor; tensors follow one another in the order given.
  [[nodiscard]] Result<void> write(std::span<const std::byte> bytes);
  // Closes the last file and writes the index.
  [[nodiscard]] Result<void> finish();

 private:
  struct Shard {
    std::string file;
    std::vector<TensorSpec> tensors;
    std::size_t bytes = 0;
  };
  FolderWriter() = default;
  Result<void> next_shard();

  std::filesystem::path folder_;
  std::vector<Shard> shards_;
  std::size_t opened_ = 0;  // shards begun
  std::size_t left_ = 0;    // bytes the open shard still wants
  std::unique_ptr<SafetensorsWriter> writer_;
};

// Copies everything of a model folder but weights and config.json: tokenizer, generation_config.json, licence.
[[nodiscard]] Result<void> copy_side_files(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace slipway::ml
