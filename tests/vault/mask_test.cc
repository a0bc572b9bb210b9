#include "slipway/vault/mask.h"

#include <gmock/gmock.h>

#include "vault/sodium.h"

namespace slipway::vault {
namespace {

std::string mask(const std::vector<Secret>& secrets, std::string_view text) {
  Masker masker(secrets);
  const auto settled = masker.feed(text);
  return settled + masker.finish();
}

struct Row {
  std::vector<std::string> secrets;
  std::string text;
  std::string want;
};

class MaskTest : public ::testing::TestWithParam<Row> {};

// Every split of the text into two writes, and single bytes, must give the same as one write.
TEST_P(MaskTest, IsTheSameForEverySplit) {
  std::vector<Secret> secrets;
  for (const auto& text : GetParam().secrets) secrets.emplace_back(text);
  const std::string& text = GetParam().text;
  EXPECT_EQ(mask(secrets, text), GetParam().want);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Masker masker(secrets);
    auto out = masker.feed(std::string_view(text).substr(0, cut));
    out += masker.feed(std::string_view(text).substr(cut));
    out += masker.finish();
    EXPECT_EQ(out, GetParam().want) << "cut at " << cut;
  }
  Masker masker(secrets);
  std::string out;
  for (const char c : text) out += masker.feed(std::string_view(&c, 1));
  EXPECT_EQ(out + masker.finish(), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, MaskTest,
    ::testing::Values(
        Row{{}, "nothing to hide", "nothing to hide"}, Row{{"hunter22"}, "password hunter22.", "password ***."},
        Row{{"hunter22"}, "hunter22hunter22", "******"}, Row{{"hunter22"}, "hunter2", "hunter2"},
        Row{{"hunter22"}, "hunthunter22", "hunt***"}, Row{{"short"}, "too short to mask", "too short to mask"},
        Row{{"aaaaaab"}, "aaaaaaaaaab", "aaaa***"}, Row{{"abcdefgh", "efghijkl"}, "<abcdefghijkl>", "<***>"},
        Row{{"abcabcabc"}, "abcabcabcabc", "***"},
        Row{{"secret", "secret-longer"}, "secret-longer secret-long", "*** ***-long"},
        Row{{"say \"hi\"\n"}, R"({"a":"say \"hi\"\n"})", R"({"a":"***"})"},
        Row{{"p@ss/word"}, "https://u:p%40ss%2Fword@host", "https://u:***@host"},
        Row{{std::string("nul\0byte", 8)}, std::string("<nul\0byte>", 10), "<***>"}));

TEST(Mask, FindsTheSecretInsideBase64AtEveryAlignment) {
  const std::string value = "s3cr3t/value?";
  for (const auto alphabet : {Base64::Standard, Base64::Url}) {
    for (const char* before : {"", "u", "us", "use"}) {
      for (const char* after : {"", "\n", "ab"}) {
        const auto text = to_base64(before + value + after, alphabet);
        const auto masked = mask({Secret(value)}, text);
        EXPECT_THAT(masked, ::testing::HasSubstr("***")) << text;
        // What remains are the characters that share bits with the neighbours, at most two on each side and theirs.
        EXPECT_LE(masked.size(), 3 + to_base64(before, alphabet).size() + to_base64(after, alphabet).size() + 4)
            << text;
      }
    }
  }
}

}  // namespace
}  // namespace slipway::vault
