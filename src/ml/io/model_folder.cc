#include "slipway/ml/model_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "ml/io/json_file.h"
#include "slipway/base/file.h"

namespace slipway::ml {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSingleFile = "model.safetensors";
constexpr std::string_view kIndexFile = "model.safetensors.index.json";
constexpr std::size_t kIndexBytesMax = 256U << 20U;
constexpr std::size_t kSideFileBytesMax = 512U << 20U;
constexpr std::string_view kSideFiles[] = {"generation_config.json",
                                           "tokenizer.json",
                                           "tokenizer_config.json",
                                           "special_tokens_map.json",
                                           "tokenizer.model",
                                           "added_tokens.json",
                                           "vocab.json",
                                           "merges.txt",
                                           "chat_template.jinja",
                                           "LICENSE",
                                           "LICENSE.txt",
                                           "NOTICE"};

// A file of the same folder, so that an index cannot point elsewhere.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name.find('/') == std::string_view::npos && name != "." && name != "..";
}

Result<void> remove_old_weights(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> old;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    const bool weights = name.starts_with("model") && (name.ends_with(".safetensors") || name.ends_with(".partial"));
    if (weights || name == kIndexFile || name == "config.json") old.push_back(entry.path());
  }
  for (const fs::path& file : old)
    if (!error) fs::remove(file, error);
  if (error) return errno_error("clearing " + folder.string(), error.value());
  return {};
}

}  // namespace

Result<FolderTensors> FolderTensors::open(const fs::path& folder) {
  FolderTensors tensors;
  tensors.folder_ = folder;
  std::error_code ignored;
  if (fs::exists(folder / kIndexFile, ignored)) {
    SLIPWAY_TRY_ASSIGN(const Value index, read_json_file(folder / kIndexFile, kIndexBytesMax));
    const Value* weight_map = index.find("weight_map");
    auto opened = tensors.open_shards(folder, weight_map != nullptr ? *weight_map : Value());
    if (!opened) return opened.error().in((folder / kIndexFile).string());
    return tensors;
  }
  auto file = SafetensorsFile::open(folder / kSingleFile);
  if (!file && file.error().code == ErrorCode::NotFound)
    return Error{ErrorCode::NotFound, fmt::format("{} has no {} and no {}", folder.string(), kSingleFile, kIndexFile),
                 "weights must be safetensors; other formats are not read"};
  if (!file) return file.error();
  for (const std::string& name : file->names()) {
    tensors.names_.push_back(name);
    tensors.file_of_.emplace(name, 0);
  }
  tensors.files_.push_back(*std::move(file));
  return tensors;
}

Result<void> FolderTensors::open_shards(const fs::path& folder, const Value& weight_map) {
  if (!weight_map.is_object()) return Error{ErrorCode::Corrupt, "`weight_map` is missing", {}};
  std::map<std::string, std::size_t> number_of;  // file name -> index into files_
  for (const auto& [tensor, file] : weight_map.as_object()) {
    if (!file.is_string() || !is_plain_name(file.as_string()))
      return Error{
          ErrorCode::Corrupt, fmt::format("`{}` is in {}, which is no file of the folder", tensor, file.dump()), {}};
    number_of.emplace(file.as_string(), 0);
  }
  for (auto& [file, number] : number_of) {
    number = files_.size();
    SLIPWAY_TRY_ASSIGN(SafetensorsFile shard, SafetensorsFile::open(folder / file));
    files_.push_back(std::move(shard));
  }
  for (const auto& [tensor, file] : weight_map.as_object()) file_of_.emplace(tensor, number_of[file.as_string()]);
  for (std::size_t i = 0; i < files_.size(); ++i)
    for (const std::string& name : files_[i].names())
      if (const auto it = file_of_.find(name); it != file_of_.end() && it->second == i) names_.push_back(name);
  if (names_.size() != file_of_.size())
    return Error{ErrorCode::Corrupt,
                 fmt::format("lists {} tensors, its files hold {} of them", file_of_.size(), names_.size()),
                 "a file of the model is from another download: fetch them again"};
  return {};
}

Result<TensorView> FolderTensors::find(std::string_view name) const {
  const auto it = file_of_.find(name);
  if (it == file_of_.end())
    return Error{ErrorCode::NotFound, fmt::format("{} has no tensor `{}`", folder_.string(), name), {}};
  return files_[it->second].find(name);
}

std::size_t FolderTensors::byte_count() const {
  std::size_t bytes = 0;
  for (const std::string& name : names_) bytes += find(name)->bytes.size();
  return bytes;
}

Result<FolderWriter> FolderWriter::create(const fs::path& folder, std::vector<TensorSpec> tensors,
                                          std::size_t shard_bytes_max) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return errno_error("creating " + folder.string(), error.value());
  SLIPWAY_TRY(remove_old_weights(folder));
  FolderWriter writer;
  writer.folder_ = folder;
  for (TensorSpec& tensor : tensors) {
    const std::size_t bytes = tensor.byte_count();
    if (writer.shards_.empty() ||
        (writer.shards_.back().bytes > 0 && writer.shards_.back().bytes + bytes > shard_bytes_max))
      writer.shards_.emplace_back();
    writer.shards_.back().bytes += bytes;
    writer.shards_.back().tensors.push_back(std::move(tensor));
  }
  const std::size_t count = writer.shards_.size();
  for (std::size_t i = 0; i < count; ++i)
    writer.shards_[i].file =
        count == 1 ? std::string(kSingleFile) : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, count);
  return writer;
}

Result<void> FolderWriter::next_shard() {
  if (writer_ != nullptr) SLIPWAY_TRY(writer_->finish());
  writer_.reset();
  SLIPWAY_ASSERT(opened_ < shards_.size());
  const Shard& shard = shards_[opened_++];
  SLIPWAY_TRY_ASSIGN(SafetensorsWriter writer, SafetensorsWriter::create(folder_ / shard.file, shard.tensors));
  writer_ = std::make_unique<SafetensorsWriter>(std::move(writer));
  left_ = shard.bytes;
  return {};
}

Result<void> FolderWriter::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (left_ == 0) SLIPWAY_TRY(next_shard());
    const auto part = bytes.first(std::min(bytes.size(), left_));
    SLIPWAY_TRY(writer_->write(part));
    left_ -= part.size();
    bytes = bytes.subspan(part.size());
  }
  return {};
}

Result<void> FolderWriter::finish() {
  while (opened_ < shards_.size()) SLIPWAY_TRY(next_shard());  // a last file of empty tensors only
  SLIPWAY_ASSERT(left_ == 0);
  if (writer_ != nullptr) SLIPWAY_TRY(writer_->finish());
  writer_.reset();
  if (shards_.size() < 2) return {};
  Value index;
  std::uint64_t total = 0;
  for (const Shard& shard : shards_) {
    total += shard.bytes;
    for (const TensorSpec& tensor : shard.tensors) index["weight_map"][tensor.name] = shard.file;
  }
  index["metadata"]["total_size"] = total;
  return write_whole_file(folder_ / kIndexFile, index.dump_pretty() + "\n");
}

Result<void> copy_side_files(const fs::path& from, const fs::path& to) {
  for (const std::string_view name : kSideFiles) {
    std::error_code error;
    if (!fs::is_regular_file(from / name, error)) continue;
    SLIPWAY_TRY_ASSIGN(const std::string bytes, read_whole_file(from / name, kSideFileBytesMax));
    SLIPWAY_TRY(write_whole_file(to / name, bytes));
  }
  return {};
}

}  // namespace slipway::ml
