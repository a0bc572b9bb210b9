#include "slipway/ml/tokenizer.h"

#include <gtest/gtest.h>

#include "ml/io/fixtures.h"
#include "ml/io/split_pattern.h"
#include "slipway/base/rng.h"

namespace slipway::ml {
namespace {

// A tokenizer with the given parts and a vocabulary of letters.
std::string spec(std::string_view parts) {
  return R"({"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"c":3,"abc":4,"?":5},"merges":["a b",["ab","c"]],"unk_token":"?"})" +
         std::string(parts) + "}";
}
Tokenizer make(std::string_view parts) {
  auto tokenizer = Tokenizer::parse(spec(parts));
  if (!tokenizer) ADD_FAILURE() << tokenizer.error().message;
  return *std::move(tokenizer);
}
using Ids = std::vector<TokenId>;

TEST(Tokenizer, MergesByRank) {
  const Tokenizer tokenizer = make("");
  EXPECT_EQ(tokenizer.encode("abcab", SpecialTokens::Add), (Ids{4, 2}));
  EXPECT_EQ(tokenizer.encode("a?zb", SpecialTokens::Add), (Ids{0, 5, 5, 1}));
  EXPECT_EQ(tokenizer.size(), 6U);
  EXPECT_EQ(tokenizer.token(4), "abc");
  EXPECT_EQ(tokenizer.find("ab"), 2);
  EXPECT_EQ(tokenizer.token(6), std::nullopt);
  EXPECT_EQ(tokenizer.token(-1), std::nullopt);
}

TEST(Tokenizer, ReadsEscapesAndAnyOrderOfMembers) {
  const auto tokenizer = Tokenizer::parse(
      R"({ "model" : {"merges":[ "a b" , ["\"" ,"\u00e9"]],"type":"BPE", "vocab" : { "a":0,"b" :1 , "ab": 2,
      "\"":3,"\u00e9":4,"\"\u00e9":5,"]},{":6 } },"added_tokens":[]})");
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ(tokenizer->encode("ab\"\u00e9", SpecialTokens::Add), (Ids{2, 5}));
  EXPECT_EQ(tokenizer->find("]},{"), 6);
}

TEST(Tokenizer, AddedTokensHonourTheirFlags) {
  const Tokenizer tokenizer = make(R"(,"added_tokens":[
    {"id":6,"content":"<x>","special":true},{"id":7,"content":"cab","single_word":true},
    {"id":8,"content":"<s>","lstrip":true,"rstrip":true},{"id":9,"content":"<x><x>","normalized":false}])");
  EXPECT_EQ(tokenizer.encode("a<x>b", SpecialTokens::Add), (Ids{0, 6, 1}));
  EXPECT_EQ(tokenizer.encode("<x><x><x>", SpecialTokens::Add), (Ids{9, 6}));
  EXPECT_EQ(tokenizer.encode("cab", SpecialTokens::Add), (Ids{7}));
  EXPECT_EQ(tokenizer.encode("cabc", SpecialTokens::Add), (Ids{3, 4}));
  EXPECT_EQ(tokenizer.encode("a \t<s>\n b", SpecialTokens::Add), (Ids{0, 8, 1}));
  EXPECT_TRUE(tokenizer.is_special(6));
  EXPECT_FALSE(tokenizer.is_special(7));
  EXPECT_EQ(tokenizer.decode(Ids{0, 6, 1}, true), "a b");  // without a decoder tokens are joined by blanks
}

TEST(Tokenizer, AnAddedTokenWhoseBlanksAreTakenIsNone) {
  const Tokenizer tokenizer = make(R"(,"added_tokens":[{"id":6,"content":"<x>","lstrip":true,"rstrip":true},
                                                       {"id":7,"content":"  ","lstrip":true,"rstrip":true}])");
  EXPECT_EQ(tokenizer.encode("a<x>  b", SpecialTokens::Add), (Ids{0, 6, 1}));
  EXPECT_EQ(tokenizer.encode("a    b", SpecialTokens::Add), (Ids{0, 7, 1}));
  EXPECT_EQ(tokenizer.encode("<x>     ", SpecialTokens::Add), (Ids{6}));
}

// Ids and texts are those of tokenizers 0.21.4.
TEST(Tokenizer, Metaspace) {
  const auto with = [](const std::string& scheme) {
    const std::string spec = R"({"type":"Metaspace","replacement":"_",)" + scheme + "}";
    return Tokenizer::parse(R"({"added_tokens":[{"id":6,"content":"<x>","special":true}],"pre_tokenizer":)" + spec +
                            R"(,"decoder":)" + spec + R"(,"model":{"type":"BPE","unk_token":"a","merges":["a _","_ a",
        "a b","_ ab"],"vocab":{"a":0,"b":1,"_":2,"_a":3,"ab":4,"_ab":5,"a_":8}}})");
  };
  struct Row {
    std::string scheme;
    std::vector<Ids> ids;
    std::string decoded;  // the second
  };
  const std::vector<std::string> texts = {"ab a", "<x>ab  b", " a<x>", "a a", "_ab"};
  for (const Row& row :
       {Row{R"("prepend_scheme":"always")", {{3, 1, 3}, {6, 3, 1, 2, 2, 1}, {3, 6}, {3, 3}, {3, 1}}, "<x> ab  b"},
        Row{R"("prepend_scheme":"first")", {{3, 1, 3}, {6, 4, 2, 2, 1}, {3, 6}, {3, 3}, {3, 1}}, "<x>ab  b"},
        Row{R"("prepend_scheme":"never")", {{4, 3}, {6, 4, 2, 2, 1}, {3, 6}, {0, 3}, {3, 1}}, "<x>ab  b"},
        Row{R"("add_prefix_space":false)", {{4, 3}, {6, 4, 2, 2, 1}, {3, 6}, {0, 3}, {3, 1}}, "<x>ab  b"},
        Row{R"("split":false)", {{3, 1, 3}, {6, 3, 1, 2, 2, 1}, {3, 6}, {2, 8, 0}, {3, 1}}, "<x> ab  b"}}) {
    const auto tokenizer = with(row.scheme);
    ASSERT_TRUE(tokenizer) << tokenizer.error().message;
    for (std::size_t i = 0; i < texts.size(); ++i)
      EXPECT_EQ(tokenizer->encode(texts[i], SpecialTokens::Add), row.ids[i]) << row.scheme << ": " << texts[i];
    EXPECT_EQ(tokenizer->decode(row.ids[1], false), row.decoded) << row.scheme;
  }
  EXPECT_EQ(with(R"("prepend_scheme":"never")")->decode(Ids{3, 1, 3}, false), " ab a");
  EXPECT_EQ(with(R"("prepend_scheme":"always")")->decode(Ids{3, 1, 3}, false), "ab a");
  EXPECT_FALSE(with(R"("prepend_scheme":"often")"));
}

TEST(Tokenizer, SpansNameTheBytesOfTheText) {
  const Tokenizer tokenizer = make(R"(,"normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"c"},
    {"type":"Replace","pattern":{"String":" "},"content":"ab"}]},
    "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"?"}},{"Sequence":{"id":"A"}}],
    "special_tokens":{"?":{"ids":[5]}}})");
  const Encoding encoding = tokenizer.encode_with_spans("b c", SpecialTokens::Add);
  EXPECT_EQ(encoding.ids, (Ids{5, 3, 1, 4}));  // ? c b abc
  EXPECT_EQ(encoding.spans, (std::vector<ByteSpan>{{0, 0}, {0, 0}, {0, 1}, {1, 3}}));
}

TEST(Tokenizer, InvalidUtf8CountsAsReplacement) {
  auto tokenizer = Tokenizer::load(model_fixture("tiny-qwen2", "fp32"));
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->encode("a\xff"
                              "b",
                              SpecialTokens::Omit),
            tokenizer->encode("a\uFFFD"
                              "b",
                              SpecialTokens::Omit));
}

TEST(Tokenizer, RefusesWhatItDoesNotKnow) {
  struct Row {
    std::string json;
    ErrorCode code;
    std::string says;
  };
  const std::vector<Row> rows = {
      {"{", ErrorCode::Corrupt, "not valid JSON"},
      {"{}", ErrorCode::Corrupt, "no `model`"},
      {R"({"model":{"type":"WordPiece"}})", ErrorCode::Unsupported, "WordPiece"},
      {R"({"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}})", ErrorCode::Corrupt, "names a token"},
      {R"({"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}})", ErrorCode::Corrupt, "id -1"},
      {R"({"model":{"type":"BPE","vocab":{"a":0,"a":1},"merges":[]}})", ErrorCode::Corrupt, "repeats `a`"},
      {R"({"model":{"type":"BPE","vocab":{"a":"0"},"merges":[]}})", ErrorCode::Corrupt,
       "no object of ids (its byte 5)"},
      {R"({"model":{"type":"BPE","vocab":{"a":1.5},"merges":[]}})", ErrorCode::Corrupt, "no object of ids"},
      {R"({"model":{"type":"BPE","vocab":{"a":1,},"merges":[]}})", ErrorCode::Corrupt, "no object of ids"},
      {R"({"model":{"type":"BPE","vocab":["a"],"merges":[]}})", ErrorCode::Corrupt, "no object of ids"},
      {R"({"model":{"type":"BPE","vocab":{"\ud800":0},"merges":[]}})", ErrorCode::Corrupt, "no object of ids"},
      {R"({"model":{"type":"BPE","merges":[]}})", ErrorCode::Corrupt, "vocab is missing"},
      {R"({"model":{"type":"BPE","vocab":{"a":0},"merges":{}}})", ErrorCode::Corrupt, "merges is no list"},
      {R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[["a"]]}})", ErrorCode::Corrupt, "no pair"},
      {R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[5]}})", ErrorCode::Corrupt, "no pair"},
      {R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[]}} x)", ErrorCode::Corrupt, "not valid JSON"},
      {R"({"model":5})", ErrorCode::Corrupt, "no `model`"},
      {R"({"model":{"type":"BPE","vocab":{"a":2000000000},"merges":[]}})", ErrorCode::Corrupt, "far beyond"},
      {R"({"model":{"type":"BPE","vocab":{"a":0},"merges":["ab"]}})", ErrorCode::Corrupt, "no pair"},
      {R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[],"unk_token":"u"}})", ErrorCode::Corrupt, "unk_token"},
      {R"({"model":{"type":"BPE","vocab":{},"merges":[],"dropout":0.1}})", ErrorCode::Unsupported, "dropout"},
      {spec(R"(,"normalizer":{"type":"BertNormalizer"})"), ErrorCode::Unsupported, "BertNormalizer"},
      {spec(R"(,"normalizer":{"type":"Replace","pattern":{"Regex":"a+"},"content":""})"), ErrorCode::Unsupported, "a+"},
      {spec(R"(,"pre_tokenizer":{"type":"BertPreTokenizer"})"), ErrorCode::Unsupported, "BertPreTokenizer"},
      {spec(R"(,"pre_tokenizer":{"type":"Split","pattern":{"Regex":"x+"},"behavior":"Isolated"})"),
       ErrorCode::Unsupported, "x+"},
      {spec(R"(,"pre_tokenizer":{"type":"Split","pattern":{"String":"x"},"behavior":"Odd"})"), ErrorCode::Corrupt,
       "behavior"},
      {spec(R"(,"decoder":{"type":"CTC"})"), ErrorCode::Unsupported, "CTC"},
      {spec(R"(,"post_processor":{"type":"BertProcessing"})"), ErrorCode::Unsupported, "BertProcessing"},
      {spec(R"(,"post_processor":{"type":"TemplateProcessing","single":[]})"), ErrorCode::Corrupt,
       "leaves the text out"},
      {spec(R"(,"added_tokens":[{"id":7}])"), ErrorCode::Corrupt, "content"},
      {spec(R"(,"added_tokens":[{"id":99999999,"content":"<x>"}])"), ErrorCode::Corrupt, "far beyond"},
  };
  for (const Row& row : rows) {
    const auto tokenizer = Tokenizer::parse(row.json);
    ASSERT_FALSE(tokenizer) << row.json;
    EXPECT_EQ(tokenizer.error().code, row.code) << row.json;
    EXPECT_NE(tokenizer.error().message.find(row.says), std::string::npos) << tokenizer.error().message;
  }
  const auto absent = Tokenizer::load(fixture("models/none"));
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, ErrorCode::NotFound);
  EXPECT_NE(absent.error().message.find("models/none"), std::string::npos);
}

TEST(Tokenizer, StripAndFallbackStages) {
  const Tokenizer tokenizer = make(R"(,"decoder":{"type":"Sequence","decoders":[
    {"type":"Replace","pattern":{"String":"b"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},
    {"type":"Strip","content":" ","start":1,"stop":1}]},
    "added_tokens":[{"id":6,"content":"<0xC3>"},{"id":7,"content":"<0xA9>"}])");
  EXPECT_EQ(tokenizer.decode(Ids{1, 1, 0, 1, 1}, false), " a ");
  EXPECT_EQ(tokenizer.decode(Ids{1}, false), "");
  EXPECT_EQ(tokenizer.decode(Ids{0, 6, 7, 0}, false), "aéa");
  EXPECT_EQ(tokenizer.decode(Ids{7, 6, 0, 6}, false), "\uFFFD\uFFFDa\uFFFD");
}

// Whatever a model emits, the pieces of a stream are the text, and each ends at the end of a code point.
class StreamTest : public testing::TestWithParam<std::string> {};

TEST_P(StreamTest, PiecesMakeTheText) {
  auto tokenizer = Tokenizer::load(model_fixture(GetParam(), "fp32"));
  ASSERT_TRUE(tokenizer);
  Rng rng(7);
  for (int round = 0; round < 300; ++round) {
    Ids ids(1 + rng.below(30));
    for (TokenId& id : ids) id = static_cast<TokenId>(rng.below(tokenizer->size() + 8));
    StreamDecoder stream(*tokenizer, true);
    std::string text;
    for (const TokenId id : ids) {
      const std::string piece = stream.push(id);
      EXPECT_TRUE(Value(piece).dump().size() >= piece.size());
      text += piece;
    }
    text += stream.finish();
    ASSERT_EQ(text, tokenizer->decode(ids, true));
  }
}

TEST_P(StreamTest, RoundTripsRandomText) {
  auto tokenizer = Tokenizer::load(model_fixture(GetParam(), "fp32"));
  ASSERT_TRUE(tokenizer);
  Rng rng(11);
  const std::vector<std::string> alphabet = {"a", "B", " ",  "  ", "\n", "7",  "12", "'s",
                                             "'", "é", "中", "😀",  "!",  "\t", "_"};
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (std::uint64_t n = rng.below(40); n > 0; --n) text += alphabet[rng.below(alphabet.size())];
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text, SpecialTokens::Omit), false), text);
  }
}

INSTANTIATE_TEST_SUITE_P(Tiny, StreamTest, testing::ValuesIn(kTinyModels),
                         [](const auto& tested) { return tested.param.substr(5); });

TEST(SplitRegex, CutsAsTheExpressionsDo) {
  struct Row {
    SplitRegex regex;
    std::string text;
    std::vector<std::string> words;
  };
  using enum SplitRegex;
  for (const Row& row : std::vector<Row>{
           {Words3, "I'll 12345 go", {"I", "'ll", " ", "123", "45", " go"}},
           {Words1, "x12", {"x", "1", "2"}},
           {Words3, "I'LL", {"I", "'LL"}},
           {Gpt2, "I'LL", {"I", "'", "LL"}},
           {Words3, "a  b", {"a", " ", " b"}},
           {Words3, "a \n\n  b", {"a", " \n\n", " ", " b"}},
           {Gpt2, "a \n\n  b", {"a", " \n\n ", " b"}},
           {Words3, "!!\r\n.", {"!!\r\n", "."}},
           {Words3, " ?a", {" ?", "a"}},
           {Words3, "?abc", {"?abc"}},
           {Words3, "end  ", {"end", "  "}},
           {Gpt2, " 2024x", {" 2024", "x"}},
       }) {
    std::vector<std::string> words;
    for (const ByteSpan match : matches(row.regex, row.text))
      words.push_back(row.text.substr(match.begin, match.end - match.begin));
    EXPECT_EQ(words, row.words) << row.text;
  }
}

}  // namespace
}  // namespace slipway::ml
