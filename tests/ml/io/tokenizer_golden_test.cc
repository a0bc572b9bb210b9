// What HF tokenizers 0.20.3 made of 200 nasty texts per family.
#include <gtest/gtest.h>

#include "ml/io/fixtures.h"
#include "slipway/ml/tokenizer.h"

namespace slipway::ml {
namespace {

std::vector<TokenId> ids_of(const Value& list) {
  std::vector<TokenId> ids;
  for (const Value& id : list.as_array()) ids.push_back(static_cast<TokenId>(id.as_int()));
  return ids;
}

class TokenizerGolden : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    auto loaded = Tokenizer::load(model_fixture(GetParam(), "fp32"));
    ASSERT_TRUE(loaded) << loaded.error().message;
    tokenizer_.emplace(*std::move(loaded));
    rows_ = json_lines(golden(GetParam(), "tokenizer.jsonl"));
    ASSERT_EQ(rows_.size(), 200U);
  }
  std::optional<Tokenizer> tokenizer_;
  std::vector<Value> rows_;
};

TEST_P(TokenizerGolden, EncodesWithAndWithoutSpecials) {
  for (const Value& row : rows_) {
    const std::string& text = row.find("text")->as_string();
    EXPECT_EQ(tokenizer_->encode(text, SpecialTokens::Add), ids_of(*row.find("ids"))) << row.dump();
    EXPECT_EQ(tokenizer_->encode(text, SpecialTokens::Omit), ids_of(*row.find("ids_nospecial"))) << row.dump();
  }
}

TEST_P(TokenizerGolden, EncodesChats) {
  for (const Value& row : json_lines(golden(GetParam(), "chat.jsonl"))) {
    if (row.find("text")->is_null()) continue;
    EXPECT_EQ(tokenizer_->encode(row.find("text")->as_string(), SpecialTokens::Omit), ids_of(*row.find("ids")));
  }
}

TEST_P(TokenizerGolden, Decodes) {
  for (const Value& row : rows_) {
    EXPECT_EQ(tokenizer_->decode(ids_of(*row.find("ids_nospecial")), false), row.find("decoded")->as_string());
    EXPECT_EQ(tokenizer_->decode(ids_of(*row.find("ids")), true), row.find("decoded_skip")->as_string());
  }
}

TEST_P(TokenizerGolden, SpansCoverTheText) {
  for (const Value& row : rows_) {
    const std::string& text = row.find("text")->as_string();
    const Encoding encoding = tokenizer_->encode_with_spans(text, SpecialTokens::Omit);
    ASSERT_EQ(encoding.ids.size(), encoding.spans.size());
    std::uint32_t covered = 0;
    for (const ByteSpan span : encoding.spans) {
      EXPECT_LE(span.begin, covered) << row.dump();
      covered = std::max(covered, span.end);
    }
    EXPECT_EQ(covered, text.size()) << row.dump();
  }
}

INSTANTIATE_TEST_SUITE_P(Tiny, TokenizerGolden, testing::ValuesIn(kTinyModels),
                         [](const auto& tested) { return tested.param.substr(5); });

}  // namespace
}  // namespace slipway::ml
