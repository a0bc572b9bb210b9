#include "slipway/ml/safetensors.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "ml/io/fixtures.h"
#include "ml/io/safetensors_header.h"
#include "support/files.h"
#include "support/temp_folder.h"

namespace slipway::ml {
namespace {

using test::spill;
using test::TempFolder;

std::string with_length(std::string_view json, std::string_view data) {
  std::string out;
  for (unsigned shift = 0; shift < 64; shift += 8) out += static_cast<char>((json.size() >> shift) & 0xFFU);
  return out + std::string(json) + std::string(data);
}

TEST(Safetensors, WritesWhatItReads) {
  const TempFolder folder;
  const std::array<float, 6> floats = {1, 2, 3, 4, 5, -6};
  const std::array<std::uint8_t, 3> bytes = {7, 8, 9};
  ASSERT_TRUE(write_safetensors(folder / "t.safetensors",
                                {{"b", Dtype::F32, {2, 3}}, {"empty", Dtype::F32, {0, 4}}, {"a", Dtype::U8, {3}}},
                                {std::as_bytes(std::span(floats)), {}, std::as_bytes(std::span(bytes))}));
  const auto file = SafetensorsFile::open(folder / "t.safetensors");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->names(), (std::vector<std::string>{"b", "empty", "a"}));
  EXPECT_EQ(file->metadata(), (SafetensorsMetadata{{"format", "pt"}}));
  const auto b = file->find("b");
  ASSERT_TRUE(b);
  EXPECT_EQ(b->shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(0, std::memcmp(b->bytes.data(), floats.data(), sizeof floats));
  EXPECT_EQ(file->find("a")->bytes.size(), 3U);
  const auto none = file->find("c");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::NotFound);
  EXPECT_NE(none.error().message.find("`c`"), std::string::npos);
}

TEST(Safetensors, HeaderIsPaddedAndSaysPt) {
  const std::string header = format_header({{"w", Dtype::BF16, {2, 3}}}, {{"format", "pt"}});
  EXPECT_EQ(header.size() % 8, 0U);
  EXPECT_NE(header.find(R"("w":{"data_offsets":[0,12],"dtype":"BF16","shape":[2,3]})"), std::string::npos);
  EXPECT_NE(header.find(R"("__metadata__":{"format":"pt"})"), std::string::npos);
}

TEST(Safetensors, AppearsOnlyWhenComplete) {
  const TempFolder folder;
  {
    auto writer = SafetensorsWriter::create(folder / "t.safetensors", {{"a", Dtype::U8, {4}}});
    ASSERT_TRUE(writer);
    const std::array<std::byte, 2> half{};
    ASSERT_TRUE(writer->write(half));
    EXPECT_FALSE(std::filesystem::exists(folder / "t.safetensors"));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Safetensors, ReadsTheFixtures) {
  for (const std::string& name : kTinyModels) {
    const auto file = SafetensorsFile::open(model_fixture(name, "bf16") / "model.safetensors");
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->metadata().at("format"), "pt");
    EXPECT_EQ(file->find("model.embed_tokens.weight")->dtype, Dtype::BF16);
  }
}

struct Hostile {
  const char* what;
  std::string bytes;
  ErrorCode code;
  std::string says;
};

class HostileSafetensors : public testing::TestWithParam<Hostile> {};

TEST_P(HostileSafetensors, IsRefused) {
  const TempFolder folder;
  spill(folder / "t.safetensors", GetParam().bytes);
  const auto file = SafetensorsFile::open(folder / "t.safetensors");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, GetParam().code) << file.error().message;
  EXPECT_NE(file.error().message.find("t.safetensors"), std::string::npos);
  EXPECT_NE(file.error().message.find(GetParam().says), std::string::npos) << file.error().message;
}

std::string tensor(std::string_view name, std::string_view dtype, std::string_view shape, std::string_view offsets) {
  return "\"" + std::string(name) + R"(":{"dtype":")" + std::string(dtype) + R"(","shape":)" + std::string(shape) +
         R"(,"data_offsets":)" + std::string(offsets) + "}";
}
std::string file_of(const std::string& entries, std::size_t data) {
  return with_length("{" + entries + "}", std::string(data, 'x'));
}

INSTANTIATE_TEST_SUITE_P(
    All, HostileSafetensors,
    testing::Values(
        Hostile{"Empty", "", ErrorCode::Corrupt, "0 bytes are too few"},
        Hostile{"Short", "abc", ErrorCode::Corrupt, "too few"},
        Hostile{"HugeLength", std::string(7, '\xff') + "\x7f{}", ErrorCode::Corrupt, "the header has"},
        Hostile{"LengthBeyondFile", std::string("\x03\0\0\0\0\0\0\0{}", 10), ErrorCode::Corrupt, "the header has 3"},
        Hostile{"NoObject", with_length("[]", ""), ErrorCode::Corrupt, "no JSON object"},
        Hostile{"BadJson", with_length("{\"a\":", ""), ErrorCode::Corrupt, "not valid JSON"},
        Hostile{"Deep", with_length("{\"a\":" + std::string(3000, '[') + std::string(3000, ']') + "}", ""),
                ErrorCode::Corrupt, "nested deeper"},
        Hostile{"TrailingJson", with_length("{}{}", ""), ErrorCode::Corrupt, "not valid JSON"},
        Hostile{"Duplicate", file_of(tensor("a", "U8", "[1]", "[0,1]") + "," + tensor("a", "U8", "[1]", "[0,1]"), 1),
                ErrorCode::Corrupt, "repeated"},
        Hostile{"UnknownDtype", file_of(tensor("a", "F8_E4M3", "[1]", "[0,1]"), 1), ErrorCode::Unsupported, "F8_E4M3"},
        Hostile{"NoDtype", file_of(R"("a":{"shape":[],"data_offsets":[0,0]})", 0), ErrorCode::Corrupt, "no dtype"},
        Hostile{"NegativeExtent", file_of(tensor("a", "U8", "[-1]", "[0,1]"), 1), ErrorCode::Corrupt, "do not fit"},
        Hostile{"FractionalExtent", file_of(tensor("a", "U8", "[1.5]", "[0,1]"), 1), ErrorCode::Corrupt, "valid shape"},
        Hostile{"OverflowingShape", file_of(tensor("a", "F32", "[4611686018427387904,4]", "[0,0]"), 0),
                ErrorCode::Corrupt, "do not fit"},
        Hostile{"ManyAxes", file_of(tensor("a", "U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]"), 1), ErrorCode::Corrupt,
                "valid shape"},
        Hostile{"TooFewBytes", file_of(tensor("a", "F32", "[2]", "[0,4]"), 4), ErrorCode::Corrupt, "do not fit"},
        Hostile{"BeyondTheEnd", file_of(tensor("a", "U8", "[9]", "[0,9]"), 8), ErrorCode::Corrupt, "cut short"},
        Hostile{"NegativeOffset", file_of(tensor("a", "U8", "[2]", "[-1,1]"), 1), ErrorCode::Corrupt, "lies at"},
        Hostile{"BackwardOffsets", file_of(tensor("a", "U8", "[0]", "[1,0]"), 1), ErrorCode::Corrupt, "lies at"},
        Hostile{"HugeOffset", file_of(tensor("a", "U8", "[1]", "[0,18446744073709551615]"), 1), ErrorCode::Corrupt,
                "data_offsets"},
        Hostile{"Hole", file_of(tensor("a", "U8", "[1]", "[0,1]") + "," + tensor("b", "U8", "[1]", "[2,3]"), 3),
                ErrorCode::Corrupt, "hole"},
        Hostile{"HoleAtStart", file_of(tensor("a", "U8", "[1]", "[1,2]"), 2), ErrorCode::Corrupt, "hole"},
        Hostile{"Overlap", file_of(tensor("a", "U8", "[2]", "[0,2]") + "," + tensor("b", "U8", "[2]", "[1,3]"), 3),
                ErrorCode::Corrupt, "overlaps"},
        Hostile{"Tail", file_of(tensor("a", "U8", "[1]", "[0,1]"), 3), ErrorCode::Corrupt, "2 bytes at the end"},
        Hostile{"BadMetadata", with_length(R"({"__metadata__":{"a":1}})", ""), ErrorCode::Corrupt, "no text"},
        Hostile{"EntryNoObject", with_length(R"({"a":5})", ""), ErrorCode::Corrupt, "no dtype"}),
    [](const auto& tested) { return tested.param.what; });

TEST(Safetensors, RefusesAHeaderBeyondTheLimitUnread) {
  const TempFolder folder;
  const std::uint64_t length = kSafetensorsHeaderBytesMax + 1;
  std::string bytes;
  for (unsigned shift = 0; shift < 64; shift += 8) bytes += static_cast<char>((length >> shift) & 0xFFU);
  spill(folder / "t.safetensors", bytes);
  std::filesystem::resize_file(folder / "t.safetensors", length + 8);  // sparse
  const auto file = SafetensorsFile::open(folder / "t.safetensors");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::TooLarge);
}

TEST(Safetensors, MissingFilesAndFoldersAreErrors) {
  const TempFolder folder;
  EXPECT_EQ(SafetensorsFile::open(folder / "none").error().code, ErrorCode::NotFound);
  EXPECT_EQ(SafetensorsFile::open(folder.path()).error().code, ErrorCode::Io);
  EXPECT_FALSE(SafetensorsWriter::create(folder / "none/t", {}));
}

}  // namespace
}  // namespace slipway::ml
