#include "slipway/steps/fetch.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "support/files.h"
#include "support/temp_folder.h"

namespace slipway::steps {
namespace {

using test::slurp;
using test::spill;
using test::TempFolder;

TEST(Fetch, CopiesAFileByPathAndByUri) {
  const TempFolder folder;
  spill(folder / "a b%.txt", "text");
  const auto plain = fetch({.uri = (folder / "a b%.txt").string(), .destination = folder / "deep/er/x.txt"});
  ASSERT_TRUE(plain) << plain.error().message;
  EXPECT_EQ(slurp(folder / "deep/er/x.txt"), "text");
  EXPECT_EQ(to_value(*plain).dump(), R"({"bytes":4,"files":1,"path":")" + (folder / "deep/er/x.txt").string() + "\"}");
  for (const std::string prefix : {"file://", "file://localhost"}) {
    const auto uri = fetch({.uri = prefix + folder.path().string() + "/a%20b%25.txt", .destination = folder / "out/"});
    ASSERT_TRUE(uri) << uri.error().message;
    EXPECT_EQ(uri->path, folder / "out/a b%.txt");
  }
  EXPECT_EQ(slurp(folder / "out/a b%.txt"), "text");
}

TEST(Fetch, ReplacesAndLeavesNothingBehind) {
  const TempFolder folder;
  spill(folder / "a", "new");
  spill(folder / "b", "old");
  ASSERT_TRUE(fetch({.uri = (folder / "a").string(), .destination = folder / "b"}));
  EXPECT_EQ(slurp(folder / "b"), "new");
  EXPECT_FALSE(std::filesystem::exists(folder / "b.partial"));
}

TEST(Fetch, CopiesAFolderWithAllInIt) {
  const TempFolder folder;
  spill(folder / "model/config.json", "{}");
  spill(folder / "model/sub/w", std::string(3'000'000, 'w'));
  std::filesystem::create_symlink("config.json", folder / "model/link.json");
  const auto report = fetch({.uri = (folder / "model").string(), .destination = folder / "copy"});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->files, 3);
  EXPECT_EQ(report->byte_count, 3'000'004);
  EXPECT_EQ(slurp(folder / "copy/sub/w"), slurp(folder / "model/sub/w"));
  EXPECT_FALSE(std::filesystem::is_symlink(folder / "copy/link.json"));
}

TEST(Fetch, RefusesWithACure) {
  const TempFolder folder;
  spill(folder / "d/a", "a");
  ASSERT_EQ(0, ::mkfifo((folder / "pipe").c_str(), 0600));
  struct Row {
    std::string uri;
    std::filesystem::path destination;
    ErrorCode code;
    std::string says;
  };
  using enum ErrorCode;
  for (const Row& row : std::vector<Row>{
           {"gs://bucket/x", folder / "o", Unsupported, "gs://"},
           {"https://example.org/x", folder / "o", Unsupported, "https://"},
           {"file://host/x", folder / "o", InvalidArgument, "names a host"},
           {"file:///x%2", folder / "o", InvalidArgument, "encodes nothing"},
           {"file:///x%00y", folder / "o", InvalidArgument, "encodes nothing"},
           {"", folder / "o", InvalidArgument, "a source and a destination"},
           {(folder / "none").string(), folder / "o", NotFound, "none"},
           {(folder / "pipe").string(), folder / "o", InvalidArgument, "neither a file nor a folder"},
           {(folder / "d").string(), folder / "d/inner", InvalidArgument, "lies inside"},
           {(folder / "d/a").string(), folder / "d/a", InvalidArgument, "onto itself"},
       }) {
    const auto report = fetch({.uri = row.uri, .destination = row.destination});
    ASSERT_FALSE(report) << row.uri;
    EXPECT_EQ(report.error().code, row.code) << report.error().message;
    EXPECT_NE(report.error().message.find(row.says), std::string::npos) << report.error().message;
    EXPECT_FALSE(std::filesystem::exists(folder / "o"));
  }
  EXPECT_NE(fetch({.uri = "s3://b/x", .destination = "o"}).error().help.find("file://"), std::string::npos);
  EXPECT_EQ(slurp(folder / "d/a"), "a");
}

}  // namespace
}  // namespace slipway::steps
