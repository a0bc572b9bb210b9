#include "slipway/base/text_diff.h"

#include <gtest/gtest.h>

#include <vector>

#include "slipway/base/rng.h"

namespace slipway {
namespace {

std::string diff(const std::string& a, const std::string& b) { return unified_diff(a, b, {"a", "b"}); }

// Carries the diff out on `before`, as patch would; nothing around the hunks is checked but what they say.
std::string patched(const std::string& before, const std::string& diff) {
  std::vector<std::string> lines, out;
  const auto split = [](const std::string& text, std::vector<std::string>& into) {
    for (std::size_t at = 0; at < text.size();) {
      const auto end = text.find('\n', at);
      into.push_back(text.substr(at, end - at));
      at = end + 1;
    }
  };
  split(before, lines);
  std::vector<std::string> script;
  split(diff, script);
  std::size_t at = 0;
  for (std::size_t i = 2; i < script.size(); ++i) {
    const std::string& line = script[i];
    if (line[0] == '@') {
      const auto begin = static_cast<std::size_t>(std::stoi(line.substr(4)));
      const bool empty = line.substr(0, line.find(" +")).find(",0") != std::string::npos;
      for (const std::size_t up_to = empty ? begin : begin - 1; at < up_to; ++at) out.push_back(lines[at]);
    } else if (line[0] == '+') {
      out.push_back(line.substr(1));
    } else {
      EXPECT_EQ(lines.at(at), line.substr(1));
      if (line[0] == ' ') out.push_back(lines[at]);
      ++at;
    }
  }
  for (; at < lines.size(); ++at) out.push_back(lines[at]);
  std::string text;
  for (const auto& line : out) text += line + "\n";
  return text;
}

TEST(UnifiedDiff, IsTheFormatOfDiff) {
  EXPECT_EQ(diff("a\nb\n", "a\nb\n"), "");
  EXPECT_EQ(diff("1\n2\n3\n4\n5\n6\n7\n8\n", "1\n2\n3\n4\nx\n6\n7\n8\n"),
            "--- a\n+++ b\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n");
  EXPECT_EQ(diff("", "a\n"), "--- a\n+++ b\n@@ -0,0 +1 @@\n+a\n");
  EXPECT_EQ(diff("a\nb\n", ""), "--- a\n+++ b\n@@ -1,2 +0,0 @@\n-a\n-b\n");
}

TEST(UnifiedDiff, ChangesFarApartHaveHunksOfTheirOwn) {
  std::string a, b;
  for (int i = 0; i < 30; ++i) {
    a += std::to_string(i) + "\n";
    b += (i == 2 || i == 25 ? "x" : std::to_string(i)) + "\n";
  }
  const std::string text = diff(a, b);
  EXPECT_NE(text.find("@@ -1,6 +1,6 @@"), std::string::npos) << text;
  EXPECT_NE(text.find("@@ -23,7 +23,7 @@"), std::string::npos) << text;
}

TEST(UnifiedDiff, LeadsFromOneTextToTheOther) {
  Rng rng(3);
  for (int round = 0; round < 300; ++round) {
    std::string a, b;
    for (std::uint64_t n = rng.below(25); n > 0; --n) a += std::to_string(rng.below(6)) + "\n";
    for (std::uint64_t n = rng.below(25); n > 0; --n) b += std::to_string(rng.below(6)) + "\n";
    if (a == b) continue;
    EXPECT_EQ(patched(a, diff(a, b)), b) << a << "--\n" << b;
  }
}

TEST(UnifiedDiff, TextsThatShareNothingAreReplaced) {
  std::string a, b;
  for (int i = 0; i < 3'000; ++i) {
    a += "a" + std::to_string(i) + "\n";
    b += "b" + std::to_string(i) + "\n";
  }
  EXPECT_EQ(patched(a, diff(a, b)), b);
}

}  // namespace
}  // namespace slipway
