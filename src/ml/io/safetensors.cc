#include "slipway/ml/safetensors.h"

#include <fmt/format.h>

#include <unordered_map>

#include "ml/io/mapped_file.h"
#include "ml/io/new_file.h"
#include "ml/io/safetensors_header.h"

namespace slipway::ml {
namespace {

constexpr std::size_t kLengthBytes = 8;

std::uint64_t little_endian(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = kLengthBytes; i-- > 0;) value = (value << 8U) | std::to_integer<std::uint64_t>(bytes[i]);
  return value;
}

// Where the data begins, after checking that the header is in the file and not unreasonable.
Result<std::size_t> data_offset(std::span<const std::byte> bytes) {
  if (bytes.size() < kLengthBytes)
    return Error{ErrorCode::Corrupt, fmt::format("{} bytes are too few for a safetensors file", bytes.size()), {}};
  const std::uint64_t length = little_endian(bytes);
  if (length > bytes.size() - kLengthBytes)
    return Error{ErrorCode::Corrupt, fmt::format("the header has {} bytes, the file {}", length, bytes.size()),
                 "the file is cut short, or no safetensors file at all: fetch it again"};
  if (length > kSafetensorsHeaderBytesMax)
    return Error{ErrorCode::TooLarge,
                 fmt::format("a header of {} bytes, the limit is {}", length, kSafetensorsHeaderBytesMax),
                 {}};
  return kLengthBytes + static_cast<std::size_t>(length);
}

}  // namespace

struct SafetensorsFile::State {
  std::string name;  // of the file, for errors
  MappedFile file;
  std::span<const std::byte> data;
  SafetensorsHeader header;
  std::vector<std::string> names;
  std::unordered_map<std::string_view, std::size_t> by_name;  // keys live in `names`
};

SafetensorsFile::SafetensorsFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
SafetensorsFile::SafetensorsFile(SafetensorsFile&&) noexcept = default;
SafetensorsFile& SafetensorsFile::operator=(SafetensorsFile&&) noexcept = default;
SafetensorsFile::~SafetensorsFile() = default;

Result<SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& file) {
  SLIPWAY_TRY_ASSIGN(MappedFile mapped, MappedFile::open(file));
  const auto bytes = mapped.bytes();
  const auto offset = data_offset(bytes);
  if (!offset) return offset.error().in(file.string());
  const std::string_view json(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, *offset - kLengthBytes);
  auto header = parse_header(json, bytes.size() - *offset);
  if (!header) return header.error().in(file.string());
  auto state = std::make_unique<State>(
      State{file.string(), std::move(mapped), bytes.subspan(*offset), *std::move(header), {}, {}});
  for (const TensorEntry& entry : state->header.tensors) state->names.push_back(entry.spec.name);
  for (std::size_t i = 0; i < state->names.size(); ++i) state->by_name.emplace(state->names[i], i);
  return SafetensorsFile(std::move(state));
}

Result<TensorView> SafetensorsFile::find(std::string_view name) const {
  const auto it = state_->by_name.find(name);
  if (it == state_->by_name.end())
    return Error{ErrorCode::NotFound, fmt::format("{} has no tensor `{}`", state_->name, name), {}};
  const TensorEntry& entry = state_->header.tensors[it->second];
  return TensorView{entry.spec.dtype, entry.spec.shape, state_->data.subspan(entry.begin, entry.end - entry.begin)};
}

const std::vector<std::string>& SafetensorsFile::names() const { return state_->names; }
const SafetensorsMetadata& SafetensorsFile::metadata() const { return state_->header.metadata; }

struct SafetensorsWriter::State {
  NewFile file;
  std::size_t left;  // declared bytes that are still to come
};

SafetensorsWriter::SafetensorsWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
SafetensorsWriter::SafetensorsWriter(SafetensorsWriter&&) noexcept = default;
SafetensorsWriter& SafetensorsWriter::operator=(SafetensorsWriter&&) noexcept = default;
SafetensorsWriter::~SafetensorsWriter() = default;

Result<SafetensorsWriter> SafetensorsWriter::create(const std::filesystem::path& file,
                                                    const std::vector<TensorSpec>& tensors,
                                                    const SafetensorsMetadata& metadata) {
  SLIPWAY_TRY_ASSIGN(NewFile out, NewFile::create(file));
  std::size_t bytes = 0;
  for (const TensorSpec& tensor : tensors) bytes += tensor.byte_count();
  SLIPWAY_TRY(out.write(std::string_view(format_header(tensors, metadata))));
  return SafetensorsWriter(std::make_unique<State>(State{std::move(out), bytes}));
}

Result<void> SafetensorsWriter::write(std::span<const std::byte> bytes) {
  SLIPWAY_ASSERT(bytes.size() <= state_->left);
  state_->left -= bytes.size();
  return state_->file.write(bytes);
}

Result<void> SafetensorsWriter::finish() {
  SLIPWAY_ASSERT(state_->left == 0);
  return state_->file.commit();
}

Result<void> write_safetensors(const std::filesystem::path& file, const std::vector<TensorSpec>& tensors,
                               const std::vector<std::span<const std::byte>>& data) {
  SLIPWAY_ASSERT(tensors.size() == data.size());
  SLIPWAY_TRY_ASSIGN(SafetensorsWriter writer, SafetensorsWriter::create(file, tensors));
  for (const auto bytes : data) SLIPWAY_TRY(writer.write(bytes));
  return writer.finish();
}

}  // namespace slipway::ml
