// The safetensors format: u64 LE header length N, N bytes of JSON {name: {dtype, shape, data_offsets}}, then the data
// of the tensors without holes.
//
//   | N: u64 | {"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}   | data |
//                                                                    padded with blanks to a multiple of 8 ^
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "slipway/ml/tensor.h"

namespace slipway::ml {

// Larger headers are refused; the largest models have about 10 MiB.
inline constexpr std::size_t kSafetensorsHeaderBytesMax = 32U << 20U;

using SafetensorsMetadata = std::map<std::string, std::string>;

// A mapped file. Nothing is read of the data until it is used; the pages are the kernel's to take back. Whoever cuts
// the file short while it is mapped kills the process (SIGBUS), as for every mapped file.
class SafetensorsFile final : public TensorSource {
 public:
  // The whole header is checked before any tensor is looked at: unique names, known dtypes, shape times dtype = bytes,
  // offsets in range, without overlap or hole, covering the file. Errors: NotFound, Io, Corrupt, TooLarge, Unsupported
  // (a dtype), each naming the file and the tensor.
  [[nodiscard]] static Result<SafetensorsFile> open(const std::filesystem::path& file);

  SafetensorsFile(SafetensorsFile&&) noexcept;
  SafetensorsFile& operator=(SafetensorsFile&&) noexcept;
  ~SafetensorsFile() override;

  [[nodiscard]] Result<TensorView> find(std::string_view name) const override;
  // In the order of their bytes.
  [[nodiscard]] const std::vector<std::string>& names() const;
  [[nodiscard]] const SafetensorsMetadata& metadata() const;

 private:
  struct State;
  explicit SafetensorsFile(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct TensorSpec {
  std::string name;
  Dtype dtype = Dtype::F32;
  std::vector<std::int64_t> shape;

  // Shape times dtype; asserts that it does not overflow.
  [[nodiscard]] std::size_t byte_count() const;
};

// Writes a file whose tensors are declared first and then given piece by piece, in that order. The file appears under
// its name only when finish() succeeded: complete and synced.
class SafetensorsWriter {
 public:
  // transformers refuses a file without metadata format=pt, so that is the default. Names must be unique.
  [[nodiscard]] static Result<SafetensorsWriter> create(const std::filesystem::path& file,
                                                        const std::vector<TensorSpec>& tensors,
                                                        const SafetensorsMetadata& metadata = {{"format", "pt"}});

  SafetensorsWriter(SafetensorsWriter&&) noexcept;
  SafetensorsWriter& operator=(SafetensorsWriter&&) noexcept;
  ~SafetensorsWriter();  // removes what was not finished

  // The next bytes of the data, any number up to what is declared.
  [[nodiscard]] Result<void> write(std::span<const std::byte> bytes);
  // Every declared byte must have been written.
  [[nodiscard]] Result<void> finish();

 private:
  struct State;
  explicit SafetensorsWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Tensors that are in memory, written at once. Each of `data` is as long as its spec says.
[[nodiscard]] Result<void> write_safetensors(const std::filesystem::path& file, const std::vector<TensorSpec>& tensors,
                                             const std::vector<std::span<const std::byte>>& data);

}  // namespace slipway::ml
