#include "slipway/ml/merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <unordered_map>

#include "ml/io/half.h"
#include "slipway/base/file.h"
#include "slipway/ml/bf16.h"
#include "slipway/ml/model_folder.h"

namespace slipway::ml {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBlockElements = 256U << 10U;  // of a tensor, at a time
constexpr std::size_t kConfigBytesMax = 16U << 20U;

bool is_float(Dtype dtype) {
  return dtype == Dtype::F64 || dtype == Dtype::F32 || dtype == Dtype::F16 || dtype == Dtype::BF16;
}

// "model.layers.3.mlp.up_proj.weight" -> its pair.
std::unordered_map<std::string, const LoraPair*> pairs_by_tensor(const Lora& lora) {
  std::unordered_map<std::string, const LoraPair*> pairs;
  for (std::int64_t layer = 0; layer < lora.layers(); ++layer)
    for (const auto& row : kLinears.rows())
      if (const LoraPair* pair = lora.find(layer, row.value); pair != nullptr)
        pairs.emplace(linear_path(layer, row.value) + ".weight", pair);
  return pairs;
}

// Finite, but rounded to infinity.
bool beyond_half(float value) { return std::isfinite(value) && std::abs(value) >= 65520; }

// `values` to the bytes of `dtype`, one rounding.
void encode(std::span<const float> values, Dtype dtype, std::vector<std::byte>& out) {
  out.resize(values.size() * byte_size(dtype));
  if (dtype == Dtype::F32) {
    std::memcpy(out.data(), values.data(), out.size());
  } else if (dtype == Dtype::BF16) {
    narrow(values, {reinterpret_cast<Bf16*>(out.data()), values.size()});
  } else {
    SLIPWAY_ASSERT(dtype == Dtype::F16);
    auto* halves = reinterpret_cast<std::uint16_t*>(out.data());
    for (std::size_t i = 0; i < values.size(); ++i) halves[i] = float_to_half(values[i]);
  }
}

class Merger {
 public:
  Merger(const FolderTensors& base, const Lora& lora, const MergeOptions& options)
      : base_(base), pairs_(pairs_by_tensor(lora)), options_(options) {}

  [[nodiscard]] Result<std::vector<TensorSpec>> specs() const;
  [[nodiscard]] Result<void> write(const TensorSpec& spec, FolderWriter& writer);
  [[nodiscard]] const MergeReport& report() const { return report_; }

 private:
  [[nodiscard]] Result<void> write_blocks(const TensorSpec& spec, const TensorView& from, const LoraPair* pair,
                                          FolderWriter& writer);
  void add_delta(const LoraPair& pair, std::int64_t first_row, std::int64_t rows, std::span<float> block);

  const FolderTensors& base_;
  std::unordered_map<std::string, const LoraPair*> pairs_;
  const MergeOptions& options_;
  MergeReport report_;
  std::vector<float> delta_;
};

Result<std::vector<TensorSpec>> Merger::specs() const {
  std::vector<TensorSpec> specs;
  std::size_t targets = 0;
  for (const std::string& name : base_.names()) {
    SLIPWAY_TRY_ASSIGN(const TensorView tensor, base_.find(name));
    const bool target = pairs_.contains(name);
    targets += target ? 1 : 0;
    // fp64 weights exist in no released model; as a target they become what one rounding can reach.
    const Dtype kept = target && tensor.dtype == Dtype::F64 ? Dtype::F32 : tensor.dtype;
    specs.push_back({name, options_.dtype && is_float(tensor.dtype) ? *options_.dtype : kept, tensor.shape});
  }
  if (targets != pairs_.size())
    return Error{ErrorCode::Corrupt,
                 fmt::format("the base model has {} of the {} weights the adapter changes", targets, pairs_.size()),
                 "is the adapter made for this base model?"};
  return specs;
}

Result<void> Merger::write(const TensorSpec& spec, FolderWriter& writer) {
  SLIPWAY_TRY_ASSIGN(const TensorView from, base_.find(spec.name));
  const auto it = pairs_.find(spec.name);
  const LoraPair* pair = it == pairs_.end() ? nullptr : it->second;
  ++report_.tensors;
  report_.merged += pair != nullptr ? 1 : 0;
  report_.byte_count += spec.byte_count();
  if (pair == nullptr && from.dtype == spec.dtype) return writer.write(from.bytes);
  return write_blocks(spec, from, pair, writer);
}

Result<void> Merger::write_blocks(const TensorSpec& spec, const TensorView& from, const LoraPair* pair,
                                  FolderWriter& writer) {
  if (pair != nullptr && spec.shape != std::vector<std::int64_t>{pair->b.rows(), pair->a.cols()})
    return Error{ErrorCode::Corrupt, fmt::format("tensor `{}` has not the shape the adapter changes", spec.name), {}};
  const std::size_t width = byte_size(from.dtype);
  const std::size_t elements = from.bytes.size() / width;
  const std::size_t row = pair != nullptr ? static_cast<std::size_t>(pair->a.cols()) : 1;
  const std::size_t block = std::max<std::size_t>(1, kBlockElements / row) * row;
  std::vector<float> values;
  std::vector<std::byte> bytes;
  for (std::size_t at = 0; at < elements; at += block) {
    const std::size_t count = std::min(block, elements - at);
    values.resize(count);
    SLIPWAY_TRY(
        widen({from.dtype, {static_cast<std::int64_t>(count)}, from.bytes.subspan(at * width, count * width)}, values));
    if (pair != nullptr)
      add_delta(*pair, static_cast<std::int64_t>(at / row), static_cast<std::int64_t>(count / row), values);
    if (pair != nullptr && !std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); }))
      return Error{ErrorCode::Corrupt, fmt::format("merging `{}` gives a number that is not finite", spec.name),
                   "the adapter or the base model is damaged; look at the loss of the training"};
    if (spec.dtype == Dtype::F16 && std::ranges::any_of(values, beyond_half))
      return Error{ErrorCode::Unsupported, fmt::format("`{}` has numbers that fp16 cannot hold", spec.name),
                   "write the merged model as bf16 or fp32"};
    encode(values, spec.dtype, bytes);
    SLIPWAY_TRY(writer.write(bytes));
  }
  return {};
}

// block[i] += scale * sum_k B[first_row + i, k] A[k]
void Merger::add_delta(const LoraPair& pair, std::int64_t first_row, std::int64_t rows, std::span<float> block) {
  const std::int64_t cols = pair.a.cols();
  delta_.resize(static_cast<std::size_t>(cols));
  float largest = 0;
  for (std::int64_t i = 0; i < rows; ++i) {
    std::fill(delta_.begin(), delta_.end(), 0.0F);
    const float* b = pair.b.row(first_row + i);
    for (std::int64_t k = 0; k < pair.a.rows(); ++k) {
      const float* a = pair.a.row(k);
      for (std::int64_t j = 0; j < cols; ++j) delta_[static_cast<std::size_t>(j)] += b[k] * a[j];
    }
    float* out = block.data() + i * cols;
    for (std::int64_t j = 0; j < cols; ++j) {
      const float change = pair.scale * delta_[static_cast<std::size_t>(j)];
      largest = std::max(largest, std::abs(change));
      out[j] += change;
    }
  }
  report_.delta_max = std::max(report_.delta_max, static_cast<double>(largest));
}

std::string_view torch_name(Dtype dtype) {
  if (dtype == Dtype::BF16) return "bfloat16";
  return dtype == Dtype::F16 ? "float16" : "float32";
}

// The text of config.json with its dtype replaced in place; everything else stays as it was written.
std::string with_dtype(std::string text, Dtype dtype) {
  for (const std::string_view key : {"\"torch_dtype\"", "\"dtype\""}) {
    const std::size_t found = text.find(key);
    if (found == std::string::npos) continue;
    const std::size_t open = text.find_first_not_of(": \t\r\n", found + key.size());
    if (open == std::string::npos || text[open] != '"') continue;
    const std::size_t close = text.find('"', open + 1);
    if (close != std::string::npos) text.replace(open + 1, close - open - 1, torch_name(dtype));
  }
  return text;
}

Result<void> check_options(const fs::path& model_folder, const fs::path& output, const MergeOptions& options) {
  std::error_code error;
  if (fs::equivalent(model_folder, output, error))
    return Error{ErrorCode::InvalidArgument, fmt::format("the output {} is the base model itself", output.string()),
                 "choose another folder"};
  const bool known =
      !options.dtype || *options.dtype == Dtype::F32 || *options.dtype == Dtype::BF16 || *options.dtype == Dtype::F16;
  if (!known)
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("weights cannot be written as {}", kDtypes.text(*options.dtype)),
                 "choose BF16, F16 or F32"};
  return {};
}

}  // namespace

Result<MergeReport> merge_lora(const fs::path& model_folder, const Lora& lora, const fs::path& output,
                               const MergeOptions& options) {
  SLIPWAY_TRY(check_options(model_folder, output, options));
  SLIPWAY_TRY_ASSIGN(std::string config, read_whole_file(model_folder / "config.json", kConfigBytesMax));
  SLIPWAY_TRY_ASSIGN(const FolderTensors base, FolderTensors::open(model_folder));
  Merger merger(base, lora, options);
  SLIPWAY_TRY_ASSIGN(const std::vector<TensorSpec> specs, merger.specs());
  SLIPWAY_TRY_ASSIGN(FolderWriter writer, FolderWriter::create(output, specs, options.shard_bytes_max));
  for (const TensorSpec& spec : specs) SLIPWAY_TRY(merger.write(spec, writer));
  SLIPWAY_TRY(writer.finish());
  SLIPWAY_TRY(copy_side_files(model_folder, output));
  if (options.dtype) config = with_dtype(std::move(config), *options.dtype);
  SLIPWAY_TRY(write_whole_file(output / "config.json", config));
  return merger.report();
}

Result<MergeReport> merge_adapter(const fs::path& model_folder, const fs::path& adapter_folder, const fs::path& output,
                                  const MergeOptions& options) {
  SLIPWAY_TRY_ASSIGN(const ModelConfig model, read_model_config(model_folder));
  SLIPWAY_TRY_ASSIGN(const Adapter adapter, read_adapter(adapter_folder, model));
  return merge_lora(model_folder, adapter.lora, output, options);
}

}  // namespace slipway::ml
