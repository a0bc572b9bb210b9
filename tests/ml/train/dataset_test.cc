#include "slipway/ml/dataset.h"

#include <gtest/gtest.h>

#include "ml/support/files.h"
#include "ml/support/tiny_model.h"
#include "support/temp_folder.h"

namespace slipway::ml {
namespace {

using testing::fixture;
using testing::write_text;

constexpr TokenId kBos = 2;
constexpr TokenId kEos = 1;

class DatasetTest : public ::testing::Test {
 protected:
  Result<Dataset> load(const std::string& lines, const DatasetRules& rules = {}) {
    write_text(folder_.path() / "d.jsonl", lines);
    SLIPWAY_TRY_ASSIGN(const auto texts, read_text_samples(folder_.path() / "d.jsonl", rules, model_));
    return tokenize_samples(texts, tokenizer_, kEos, rules);
  }
  // The text of the tokens that are learned.
  std::string learned(const Sample& sample) {
    std::vector<TokenId> ids;
    for (std::size_t i = 0; i < sample.ids.size(); ++i)
      if (sample.labels[i] != kIgnoreLabel) ids.push_back(sample.labels[i]);
    return tokenizer_.decode(ids, false);
  }

  test::TempFolder folder_;
  std::filesystem::path model_ = fixture("models/tiny-gemma2-fp32");
  Tokenizer tokenizer_ = Tokenizer::load(fixture("models/tiny-gemma2-fp32")).value();
};

TEST_F(DatasetTest, TextIsLearnedWholeBetweenBosAndEos) {
  const auto dataset = load(R"({"text":"Hello there"})");
  ASSERT_TRUE(dataset) << dataset.error().message;
  const Sample& sample = dataset->samples.at(0);
  EXPECT_EQ(sample.ids.front(), kBos);
  EXPECT_EQ(sample.ids.back(), kEos);
  EXPECT_EQ(sample.labels.back(), kEos) << "the end is learned";
  EXPECT_EQ(sample.label_count(), std::ssize(sample.ids) - 1) << "nothing predicts the first token";
}

TEST_F(DatasetTest, HfTakesTextAsItIs) {
  const auto dataset = load(R"({"text":"Hello there<eos>"})", {.compat = Compat::Hf});
  const Sample& sample = dataset->samples.at(0);
  EXPECT_NE(sample.ids.front(), kBos);
  EXPECT_EQ(sample.ids.back(), kEos) << "written in the text";
  EXPECT_EQ(sample.labels.back(), kIgnoreLabel) << "pad = eos is masked";
}

TEST_F(DatasetTest, HfEndsALonePromptWithNewlineAndEos) {
  const auto dataset = load(R"({"prompt":"Hello"})", {.compat = Compat::Hf});
  EXPECT_EQ(tokenizer_.decode(dataset->samples.at(0).ids, false), "Hello\n<eos>");
}

TEST_F(DatasetTest, CompletionIsLearnedWithItsEnd) {
  const auto dataset = load(R"({"prompt":"Say it:","completion":" loud"})");
  EXPECT_EQ(learned(dataset->samples.at(0)), " loud<eos>");
}

TEST_F(DatasetTest, ATokenAcrossTheBorderIsLearned) {
  // One token stands for the run of line breaks that prompt and completion share.
  const auto whole = tokenizer_.encode("a\n\nb", SpecialTokens::Omit);
  const auto dataset = load(R"({"prompt":"a\n","completion":"\nb"})");
  const Sample& sample = dataset->samples.at(0);
  EXPECT_EQ(std::vector(sample.ids.begin() + 1, sample.ids.end() - 1), whole) << "tokenised as one text";
  EXPECT_NE(learned(sample).find("\nb"), std::string::npos);
}

TEST_F(DatasetTest, TemplateIsFoundInTheTextItsLastOccurrenceCounts) {
  const auto dataset = load(R"({"text":"Answer: no. Answer: yes"})", {.response_template = "Answer:"});
  EXPECT_EQ(learned(dataset->samples.at(0)), " yes<eos>");
}

TEST_F(DatasetTest, HfFindsTheTemplateAmongTokens) {
  const DatasetRules rules{.compat = Compat::Hf, .response_template = "<start_of_turn>model"};
  const auto dataset =
      load(R"({"prompt":"<start_of_turn>user\nHi<end_of_turn><start_of_turn>model\nYo<end_of_turn>"})", rules);
  EXPECT_EQ(learned(dataset->samples.at(0)), "\nYo<end_of_turn>\n");
}

TEST_F(DatasetTest, InstructionGetsTheAlpacaPrompt) {
  const auto dataset = load(R"({"instruction":"Add","input":"1 2","output":"3"})"
                            "\n"
                            R"({"instruction":"Add","input":"","output":"3"})");
  EXPECT_EQ(learned(dataset->samples.at(0)), "3<eos>");
  const std::string first = tokenizer_.decode(dataset->samples.at(0).ids, true);
  EXPECT_NE(first.find("### Instruction:\nAdd\n\n### Input:\n1 2\n\n### Response:\n3"), std::string::npos) << first;
  EXPECT_EQ(tokenizer_.decode(dataset->samples.at(1).ids, true).find("### Input"), std::string::npos);
}

constexpr const char* kConversation =
    R"({"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yo"},)"
    R"({"role":"user","content":"Well?"},{"role":"assistant","content":"Fine"}]})";

TEST_F(DatasetTest, OfAConversationTheLastAnswerIsLearned) {
  const auto dataset = load(kConversation);
  ASSERT_TRUE(dataset) << dataset.error().message;
  const Sample& sample = dataset->samples.at(0);
  EXPECT_EQ(tokenizer_.decode(sample.ids, false),
            "<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\nYo<end_of_turn>\n"
            "<start_of_turn>user\nWell?<end_of_turn>\n<start_of_turn>model\nFine<end_of_turn>\n");
  EXPECT_EQ(learned(sample), "Fine<end_of_turn>\n");
}

TEST_F(DatasetTest, AConversationNeedsATemplate) {
  model_ = folder_.path();
  const auto dataset = load(kConversation);
  ASSERT_FALSE(dataset);
  EXPECT_EQ(dataset.error().code, ErrorCode::NotFound);
}

TEST_F(DatasetTest, LongSamplesLoseTheirTailAndAreCounted) {
  const auto dataset = load(R"({"text":"one two three four five six seven"})", {.max_seq_length = 5});
  EXPECT_EQ(dataset->samples.at(0).ids.size(), 5U);
  EXPECT_EQ(dataset->truncated, 1);
}

std::string lines_with_one_bad(int good) {
  std::string lines = "{\"text\":\"nothing here\"}\n";
  for (int i = 0; i < good; ++i) lines += "{\"text\":\"Answer: yes\"}\n";
  return lines;
}

TEST_F(DatasetTest, CompletionsAloneOrEverything) {
  const std::string pair = R"({"prompt":"Hello","completion":" there"})";
  EXPECT_EQ(learned(load(pair, {.completion_only = true})->samples.at(0)), " there<eos>");
  const auto whole = load(pair, {.completion_only = false});
  EXPECT_EQ(whole->labels, std::ssize(whole->samples.at(0).ids) - 1);
  const auto text = load(R"({"text":"Hello there"})", {.completion_only = true});
  ASSERT_FALSE(text);
  EXPECT_NE(text.error().message.find("d.jsonl:1: nothing says where the completion begins"), std::string::npos);
  EXPECT_NE(text.error().help.find("--response-template"), std::string::npos);
  const auto marked = load(R"({"text":"Q: Hello A: there"})", {.response_template = "A:", .completion_only = true});
  EXPECT_EQ(learned(marked->samples.at(0)), " there<eos>");
}

// Ids of all blocks, one behind the other.
std::vector<TokenId> all_ids(const Dataset& dataset) {
  std::vector<TokenId> ids;
  for (const auto& block : dataset.samples) ids.insert(ids.end(), block.ids.begin(), block.ids.end());
  return ids;
}

TEST_F(DatasetTest, PackingFillsBlocks) {
  const std::string lines = R"({"text":"Hello there, you two"}
{"text":"And a second sample, which is rather longer than the first"}
{"text":"End"})";
  const auto apart = load(lines);
  const auto blocks = load(lines, {.max_seq_length = 8, .packing = true});
  ASSERT_TRUE(blocks) << blocks.error().message;
  EXPECT_EQ(blocks->truncated, 0);
  EXPECT_EQ(blocks->tokens, apart->tokens);
  EXPECT_EQ(all_ids(*blocks), all_ids(*apart)) << "nothing is lost, the last block is shorter";
  for (std::size_t i = 0; i + 1 < blocks->samples.size(); ++i) EXPECT_EQ(blocks->samples[i].ids.size(), 8U);
  std::int64_t first_tokens = 0;
  for (const auto& block : blocks->samples)
    for (std::size_t i = 0; i < block.ids.size(); ++i)
      if (block.ids[i] == kBos) first_tokens += block.labels[i] == kIgnoreLabel ? 1 : 0;
  EXPECT_EQ(first_tokens, 3) << "no sample is learned from the one before it";
}

TEST_F(DatasetTest, HfPacksWithEosBetweenAndDropsTheRest) {
  const std::string lines = "{\"text\":\"Hello there\"}\n{\"text\":\"Hello there\"}";
  const auto apart = load(lines, {.compat = Compat::Hf});
  const auto one = std::ssize(apart->samples.at(0).ids);
  const auto blocks = load(lines, {.compat = Compat::Hf, .max_seq_length = one + 2, .packing = true});
  ASSERT_TRUE(blocks) << blocks.error().message;
  ASSERT_EQ(blocks->samples.size(), 1U) << "the second is not full";
  const Sample& block = blocks->samples[0];
  const auto end = static_cast<std::size_t>(one);
  EXPECT_EQ(block.ids[end], kEos);
  EXPECT_EQ(block.labels[end], kIgnoreLabel);
  EXPECT_EQ(block.labels[end + 1], block.ids[end + 1]) << "transformers learns it";
  const auto none = load(lines, {.compat = Compat::Hf, .max_seq_length = 100, .packing = true});
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("do not fill one block of 100 tokens"), std::string::npos);
}

TEST_F(DatasetTest, SamplesWithoutLabelsAreSkippedAndCounted) {
  const auto dataset = load(lines_with_one_bad(19), {.response_template = "Answer:"});
  ASSERT_TRUE(dataset);
  EXPECT_EQ(dataset->samples.size(), 19U);
  EXPECT_EQ(dataset->without_labels, 1);
}

TEST_F(DatasetTest, HfKeepsThemInTheirPlace) {
  const auto dataset = load(lines_with_one_bad(19), {.compat = Compat::Hf, .response_template = "Answer:"});
  ASSERT_TRUE(dataset);
  EXPECT_EQ(dataset->samples.size(), 20U);
  EXPECT_EQ(dataset->samples[0].label_count(), 0);
}

TEST_F(DatasetTest, TooManyAreAnErrorThatShowsOne) {
  const auto dataset = load(lines_with_one_bad(5), {.response_template = "Answer:"});
  ASSERT_FALSE(dataset);
  EXPECT_EQ(dataset.error().code, ErrorCode::InvalidArgument);
  EXPECT_NE(dataset.error().message.find("d.jsonl:1: nothing here"), std::string::npos) << dataset.error().message;
}

TEST_F(DatasetTest, AChatTemplatesBosIsNotDoubled) {
  const auto dataset = load(R"({"text":"<bos>Hello"})");
  EXPECT_EQ(dataset->samples.at(0).ids[0], kBos);
  EXPECT_NE(dataset->samples.at(0).ids[1], kBos);
}

TEST_F(DatasetTest, AFolderIsReadInNameOrder) {
  write_text(folder_.path() / "b.jsonl", "{\"text\":\"second\"}\n");
  write_text(folder_.path() / "a.jsonl", "{\"text\":\"first\"}\n\n");
  write_text(folder_.path() / "c.txt", "not read\n");
  const auto texts = read_text_samples(folder_.path(), {});
  ASSERT_TRUE(texts);
  ASSERT_EQ(texts->size(), 2U);
  EXPECT_EQ((*texts)[0].text, "first");
  EXPECT_EQ((*texts)[1].where, "b.jsonl:1");
}

struct BadLine {
  std::string line;
  std::string message;
};
class BadLineTest : public DatasetTest, public ::testing::WithParamInterface<BadLine> {};
TEST_P(BadLineTest, IsNamed) {
  const auto dataset = load("{\"text\":\"fine\"}\n" + GetParam().line + "\n");
  ASSERT_FALSE(dataset);
  EXPECT_NE(dataset.error().message.find("d.jsonl:2: "), std::string::npos) << dataset.error().message;
  EXPECT_NE(dataset.error().message.find(GetParam().message), std::string::npos) << dataset.error().message;
}
INSTANTIATE_TEST_SUITE_P(Rows, BadLineTest,
                         ::testing::Values(BadLine{"{\"text\":", "byte"}, BadLine{"[1]", "array, not an object"},
                                           BadLine{"{\"txt\":\"a\"}", "none of the known fields"},
                                           BadLine{"{\"text\":5}", "`text` is integer, not text"},
                                           BadLine{"{\"messages\":5}", "must be a list"},
                                           BadLine{R"({"messages":[{"role":"user"}]})", "`role` and `content`"},
                                           BadLine{R"({"messages":[{"role":"user","content":"a"}]})", "assistant"},
                                           BadLine{"{\"instruction\":\"a\"}", "`output` is missing"}));

TEST_F(DatasetTest, EmptyAndMissingFilesAreErrors) {
  EXPECT_FALSE(load("\n\n"));
  EXPECT_EQ(read_text_samples(folder_.path() / "none.jsonl", {}).error().code, ErrorCode::NotFound);
  EXPECT_EQ(read_text_samples(folder_.path() / "empty", {}).error().code, ErrorCode::NotFound);
}

}  // namespace
}  // namespace slipway::ml
