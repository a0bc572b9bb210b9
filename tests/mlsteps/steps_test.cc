// Steps that need no training, and what they have in common.
#include <cmath>

#include "mlsteps/json_lines.h"
#include "mlsteps/memory_plan.h"
#include "mlsteps/progress.h"
#include "mlsteps/run_folder.h"
#include "mlsteps/step_fixture.h"
#include "slipway/mlsteps/evaluate.h"
#include "slipway/mlsteps/generate.h"
#include "slipway/mlsteps/inspect.h"
#include "slipway/mlsteps/merge.h"
#include "slipway/mlsteps/tokenize.h"

namespace slipway::mlsteps {
namespace {

using ml::testing::json_lines;

using StepsTest = StepTest;

ml::StepReport report_of_step_12() {
  return {.step = 12,
          .steps = 50,
          .epoch = 0.24,
          .loss = 1.2341,
          .grad_norm = 0.8,
          .learning_rate = 1.9e-3,
          .tokens_per_second = 2310.4,
          .eta_s = 11.96,
          .tokens = 5000};
}

TEST(Progress, ForPeople) {
  EXPECT_EQ(progress_for_people(report_of_step_12()),
            "step 12/50 loss 1.234 lr 1.9e-03 grad_norm 0.8 2,310 tok/s eta 12s");
  auto report = report_of_step_12();
  report.tokens_per_second = 1234567;
  report.eta_s = 3 * 3600 + 125;
  EXPECT_EQ(progress_for_people(report), "step 12/50 loss 1.234 lr 1.9e-03 grad_norm 0.8 1,234,567 tok/s eta 3h2m");
  report.tokens_per_second = 999;
  report.eta_s = 61;
  EXPECT_EQ(progress_for_people(report), "step 12/50 loss 1.234 lr 1.9e-03 grad_norm 0.8 999 tok/s eta 1m1s");
}

TEST(Progress, ForMachines) {
  EXPECT_EQ(progress_for_machines(report_of_step_12()),
            R"(progress {"step":12,"steps":50,"loss":1.2341,"eta_s":12.0})");
}

TEST(MemoryPlan, KeepsWhatFitsAndRefusesWhatCannot) {
  constexpr std::size_t kMib = 1U << 20U;
  const MemoryNeed need{
      .weights = 1000 * kMib, .adapter = 100 * kMib, .activations = 800 * kMib, .activations_least = 50 * kMib};
  const auto roomy = plan_memory(need, 4000 * kMib);
  ASSERT_TRUE(roomy);
  EXPECT_EQ(roomy->activation_bytes_max, 800 * kMib);
  EXPECT_EQ(roomy->summary, "memory: weights 1000 MiB, adapter 100 MiB, logits 0 MiB, activations 800 MiB");
  const auto tight = plan_memory(need, 1428 * kMib);
  ASSERT_TRUE(tight);
  EXPECT_EQ(tight->activation_bytes_max, 200 * kMib);
  EXPECT_NE(tight->summary.find("computed twice"), std::string::npos);
  const auto none = plan_memory(need, 1277 * kMib);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message, "this training needs 1278 MiB of memory and 1277 MiB are left");
}

TEST_F(StepsTest, FailureLeavesItsReason) {
  EXPECT_EQ(fail(io(), Error{ErrorCode::Corrupt, "tensor x is torn", "fetch it again"}), kStepInvalid);
  EXPECT_EQ(outputs().dump(), R"({"_error":{"class":"corrupt","message":"tensor x is torn"}})");
  EXPECT_EQ(err_.str(), "slipway: tensor x is torn\nhelp: fetch it again\n");
  EXPECT_EQ(fail(io(), Error{ErrorCode::Io, "disk is full", {}}), kStepInternal);
  env_.clear();
  EXPECT_EQ(fail(io(), Error{ErrorCode::NotFound, "no model", {}}), kStepInvalid) << "without an orchestrator too";
}

TEST_F(StepsTest, RunFolderForgetsAnOldStatus) {
  {
    auto folder = RunFolder::open(path("run"), clock_).value();
    folder.log("hello");
    ASSERT_TRUE(folder.add(report_of_step_12()));
    ASSERT_TRUE(folder.write_status(true, "completed"));
  }
  EXPECT_EQ(read("run/status.txt"), "SUCCESS\ncompleted\n");
  auto folder = RunFolder::open(path("run"), clock_).value();
  EXPECT_FALSE(exists("run/status.txt"));
  ASSERT_TRUE(folder.keep_metrics_to(11));
  EXPECT_EQ(read("run/metrics.jsonl"), "");
  ASSERT_TRUE(folder.add(report_of_step_12()));
  EXPECT_EQ(json_lines(path("run/metrics.jsonl")).at(0).get_int("step"), 12);
  ASSERT_TRUE(folder.write_status(false, "why"));
  EXPECT_EQ(read("run/status.txt"), "FAILED\nwhy\n");
  EXPECT_NE(read("run/process.log").find(" hello\n"), std::string::npos);
}

TEST_F(StepsTest, RunFolderNeedsAFolder) {
  write("file", "x");
  EXPECT_FALSE(RunFolder::open(path("file"), clock_));
}

TEST_F(StepsTest, JsonLinesNameFileAndLine) {
  write("in.jsonl", "{\"a\":1}\n\n[2]\n");
  const auto lines = read_json_lines(path("in.jsonl"));
  ASSERT_FALSE(lines);
  EXPECT_EQ(lines.error().message, "in.jsonl:3 is no JSON object");
  write("in.jsonl", "{\"a\":1}\n\n{\"a\":2}");
  const auto good = read_json_lines(path("in.jsonl"));
  ASSERT_TRUE(good);
  ASSERT_EQ(good->size(), 2U);
  EXPECT_EQ((*good)[1].where, "in.jsonl:3");
}

TEST_F(StepsTest, TokenizeThereAndBack) {
  write("in.jsonl", "{\"text\":\"Hello\"}\n{\"text\":\"Hello\",\"add_special_tokens\":false}\n");
  TokenizeOptions options{fixture("models/tiny-gemma2-fp32/tokenizer.json"), path("in.jsonl"), path("ids.jsonl"),
                          false};
  ASSERT_EQ(run_tokenize(options, io()), kStepOk) << err_.str();
  const auto ids = json_lines(path("ids.jsonl"));
  EXPECT_EQ(ids[0].find("ids")->as_array().size(), ids[1].find("ids")->as_array().size() + 1) << "bos";
  options.input = path("ids.jsonl");
  options.output = path("texts.jsonl");
  options.decode = true;
  ASSERT_EQ(run_tokenize(options, io()), kStepOk) << err_.str();
  const auto texts = json_lines(path("texts.jsonl"));
  EXPECT_EQ(texts[0].get_string("text"), "<bos>Hello");
  EXPECT_EQ(texts[1].get_string("text"), "Hello");
}

TEST_F(StepsTest, TokenizeShowsOneText) {
  TokenizeOptions options{.tokenizer = fixture("models/tiny-gemma2-fp32"), .text = "Hello"};
  ASSERT_EQ(run_tokenize(options, io()), kStepOk) << err_.str();
  const Value shown = parse_json(out_.str()).value();
  EXPECT_EQ(shown.find("tokens")->as_array().at(0).as_string(), "<bos>");
  EXPECT_EQ(shown.find("ids")->as_array().size(), shown.find("tokens")->as_array().size());
  options.input = path("in.jsonl");
  EXPECT_EQ(run_tokenize(options, io()), kStepUsage) << "one or the other";
}

TEST_F(StepsTest, TokenizeNamesTheBadLine) {
  write("in.jsonl", "{\"text\":\"Hello\"}\n{\"txt\":\"Hello\"}\n");
  const TokenizeOptions options{fixture("models/tiny-gemma2-fp32"), path("in.jsonl"), path("ids.jsonl"), false};
  EXPECT_EQ(run_tokenize(options, io()), kStepInvalid);
  EXPECT_NE(err_.str().find("in.jsonl:2: `text`"), std::string::npos) << err_.str();
  EXPECT_FALSE(exists("ids.jsonl"));
}

class ModelStepTest : public StepTest {
 protected:
  std::string model_ = fixture("models/tiny-gemma2-fp32");
};

TEST_F(ModelStepTest, GenerateDrawsNextTokens) {
  write("in.jsonl", "{\"prompt_ids\":[2,9]}\n");
  GenerateOptions options{.model = model_,
                          .adapter = {},
                          .input = path("in.jsonl"),
                          .output = path("o.jsonl"),
                          .prompt = {},
                          .params = {},
                          .compute = {.threads = 1}};
  options.params.n = 50;
  options.params.max_tokens = 1;
  ASSERT_EQ(run_generate(options, io()), kStepOk) << err_.str();
  EXPECT_EQ(json_lines(path("o.jsonl")).at(0).find("ids")->as_array().size(), 50U);
  options.params.max_tokens = 3;
  options.params.n = 2;
  ASSERT_EQ(run_generate(options, io()), kStepOk) << err_.str();
  EXPECT_EQ(json_lines(path("o.jsonl")).at(0).find("samples")->as_array().size(), 2U);
}

TEST_F(ModelStepTest, GenerateChecksItsInput) {
  GenerateOptions options{
      .model = model_, .adapter = {}, .input = {}, .output = {}, .prompt = {}, .params = {}, .compute = {.threads = 1}};
  EXPECT_EQ(run_generate(options, io()), kStepUsage) << "neither prompt nor input";
  options.input = path("in.jsonl");
  EXPECT_EQ(run_generate(options, io()), kStepUsage) << "no output";
  options.output = path("o.jsonl");
  write("in.jsonl", "{\"prompt_ids\":[2,518]}\n");
  EXPECT_EQ(run_generate(options, io()), kStepInvalid) << "518 is beyond the vocabulary";
  EXPECT_NE(err_.str().find("in.jsonl:1: `prompt_ids` holds 518"), std::string::npos) << err_.str();
  write("in.jsonl", "{\"prompt_ids\":[]}\n");
  EXPECT_EQ(run_generate(options, io()), kStepInvalid) << "empty";
  options.params.top_p = 0;
  EXPECT_EQ(run_generate(options, io()), kStepUsage);
}

TEST_F(ModelStepTest, GenerateOnePromptToStdout) {
  GenerateOptions options{.model = model_,
                          .adapter = {},
                          .input = {},
                          .output = {},
                          .prompt = "The",
                          .params = {},
                          .compute = {.threads = 1}};
  options.params.temperature = 0;
  options.params.max_tokens = 3;
  ASSERT_EQ(run_generate(options, io()), kStepOk) << err_.str();
  EXPECT_FALSE(out_.str().empty());
}

TEST_F(ModelStepTest, GenerateChatsByTheTemplate) {
  const std::string chat = R"({"messages":[{"role":"user","content":"Hi"}]})";
  const std::string text = R"({"prompt":"<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n"})";
  write("in.jsonl", chat + "\n" + text + "\n");
  GenerateOptions options{
      .model = model_, .input = path("in.jsonl"), .output = path("o.jsonl"), .compute = {.threads = 1}};
  options.params = {.temperature = 0, .max_tokens = 9, .ignore_eos = true};
  ASSERT_EQ(run_generate(options, io()), kStepOk) << err_.str();
  const auto lines = json_lines(path("o.jsonl"));
  EXPECT_EQ(lines.at(0), lines.at(1));
  GenerateOptions typed{
      .model = model_, .prompt = "Hi", .chat = true, .params = options.params, .compute = {.threads = 1}};
  ASSERT_EQ(run_generate(typed, io()), kStepOk) << err_.str();
  EXPECT_EQ(out_.str(), lines.at(0).get_string("text") + "\n") << "piece by piece it is the same";
  write("in.jsonl", R"({"messages":[{"role":"user"}]})");
  EXPECT_EQ(run_generate(options, io()), kStepInvalid);
  EXPECT_NE(err_.str().find("in.jsonl:1: `messages` must hold"), std::string::npos) << err_.str();
}

// The answer of a chat ends in special tokens that no generated text shows; the model's own text is the right answer.
TEST_F(ModelStepTest, EvaluateKnowsTheAnswerOfAChat) {
  GenerateOptions ask{.model = model_, .prompt = "Hi", .chat = true, .compute = {.threads = 1}};
  ask.params = {.temperature = 0, .max_tokens = 9};
  ASSERT_EQ(run_generate(ask, io()), kStepOk) << err_.str();
  const std::string answer = out_.str().substr(0, out_.str().size() - 1);
  const Value line =
      Value::Object{{"messages", Value::Array{Value::Object{{"role", "user"}, {"content", "Hi"}},
                                              Value::Object{{"role", "assistant"}, {"content", answer}}}}};
  write("d.jsonl", line.dump() + "\n" + R"({"prompt":"a:","completion":"\u0001"})" + "\n");
  out_.str({});
  const EvaluateOptions options{.model = model_,
                                .data = path("d.jsonl"),
                                .metric = EvaluateMetric::All,
                                .output = path("o.jsonl"),
                                .max_new_tokens = 9,
                                .compute = {.threads = 1}};
  ASSERT_EQ(run_evaluate(options, io()), kStepOk) << err_.str();
  EXPECT_EQ(outputs().find("accuracy")->as_double(), 0.5) << read("o.jsonl");
  const auto lines = json_lines(path("o.jsonl"));
  EXPECT_TRUE(lines.at(0).find("correct")->as_bool());
  EXPECT_FALSE(lines.at(1).find("correct")->as_bool());
  EXPECT_NEAR(outputs().find("perplexity")->as_double(), std::exp(outputs().find("loss")->as_double()), 1e-9);
}

TEST_F(ModelStepTest, PerplexityIsThatOfEvalLoss) {
  write("d.jsonl", "{\"text\":\"Answer: yes\"}\n{\"text\":\"no marker\"}\n{\"prompt\":\"a\",\"completion\":\"bc\"}\n");
  EvaluateOptions options{.model = model_,
                          .data = path("d.jsonl"),
                          .answer_marker = "",
                          .metric = EvaluateMetric::Perplexity,
                          .compute = {.threads = 1}};
  ASSERT_EQ(run_evaluate(options, io()), kStepOk) << err_.str();
  const InspectOptions inspect{
      .model = model_, .input = path("d.jsonl"), .output = path("l.jsonl"), .compute = {.threads = 1}};
  ASSERT_EQ(run_eval_loss(inspect, io()), kStepOk) << err_.str();
  double sum = 0;
  std::int64_t labels = 0;
  for (const auto& line : json_lines(path("l.jsonl"))) {
    sum += line.find("loss_sum")->as_double();
    labels += line.get_int("labels");
  }
  EXPECT_EQ(outputs().get_int("tokens"), labels);
  EXPECT_NEAR(outputs().find("loss")->as_double(), sum / static_cast<double>(labels), 1e-6);
  EXPECT_EQ(outputs().find("accuracy"), nullptr);
  options.answer_marker = "Answer:";
  ASSERT_EQ(run_evaluate(options, io()), kStepOk) << err_.str();
  EXPECT_LT(outputs().get_int("tokens"), labels) << "of the marked line its answer alone";
  options.accuracy_min = 0.5;
  EXPECT_EQ(run_evaluate(options, io()), kStepUsage);
}

TEST_F(ModelStepTest, PriceOfInt8CanBeMeasured) {
  write("d.jsonl", "{\"text\":\"Hello there, how are you\"}\n");
  EvaluateOptions options{
      .model = model_, .data = path("d.jsonl"), .metric = EvaluateMetric::Perplexity, .compute = {.threads = 1}};
  ASSERT_EQ(run_evaluate(options, io()), kStepOk) << err_.str();
  const double stored = outputs().find("loss")->as_double();
  options.weights = ml::WeightForm::Int8;
  ASSERT_EQ(run_evaluate(options, io()), kStepOk) << err_.str();
  const double bytes = outputs().find("loss")->as_double();
  EXPECT_NE(bytes, stored);
  EXPECT_NEAR(bytes, stored, 0.05 * stored);
}

TEST_F(ModelStepTest, EvaluateNeedsAMarkerOrAPair) {
  write("d.jsonl", "{\"text\":\"Question: a\"}\n");
  EvaluateOptions options{
      .model = model_, .adapter = {}, .baseline = {}, .data = path("d.jsonl"), .labels = {}, .compute = {.threads = 1}};
  EXPECT_EQ(run_evaluate(options, io()), kStepInvalid);
  EXPECT_NE(err_.str().find("d.jsonl:1: `Answer:` is not in the text"), std::string::npos) << err_.str();
  write("d.jsonl", "{\"prompt\":\"a:\",\"completion\":\" maybe\"}\n");
  options.labels = {"yes", "no"};
  EXPECT_EQ(run_evaluate(options, io()), kStepInvalid);
  EXPECT_NE(err_.str().find("the answer `maybe` is no label"), std::string::npos) << err_.str();
}

TEST_F(ModelStepTest, EvaluateFailsBelowTheMinimum) {
  write("d.jsonl", "{\"prompt\":\"a:\",\"completion\":\" yes\"}\n");
  const EvaluateOptions options{.model = model_,
                                .adapter = {},
                                .baseline = {},
                                .data = path("d.jsonl"),
                                .labels = {},
                                .accuracy_min = 0.5,
                                .compute = {.threads = 1}};
  EXPECT_EQ(run_evaluate(options, io()), kStepFailed);
  EXPECT_EQ(failure_class(), "check");
  EXPECT_NE(out_.str().find(R"("accuracy":0)"), std::string::npos) << out_.str();
}

TEST_F(ModelStepTest, EvalLossHasALinePerLine) {
  write("d.jsonl", "{\"text\":\"Answer: yes\"}\n{\"text\":\"no marker\"}\n");
  const InspectOptions options{.model = model_,
                               .adapter = {},
                               .input = path("d.jsonl"),
                               .output = path("o.jsonl"),
                               .rules = {.response_template = "Answer:"},
                               .compute = {.threads = 1}};
  ASSERT_EQ(run_eval_loss(options, io()), kStepOk) << err_.str();
  const auto lines = json_lines(path("o.jsonl"));
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_GT(lines[0].get_int("labels"), 0);
  EXPECT_EQ(lines[1].get_int("labels"), 0);
  EXPECT_GT(lines[1].get_int("tokens"), 0);
}

TEST_F(ModelStepTest, GradientsNeedAnAdapter) {
  write("d.jsonl", "{\"text\":\"Answer: yes\"}\n");
  const InspectOptions options{.model = model_,
                               .adapter = {},
                               .input = path("d.jsonl"),
                               .output = path("g.safetensors"),
                               .rules = {},
                               .compute = {.threads = 1}};
  EXPECT_EQ(run_gradients(options, io()), kStepInvalid);
  EXPECT_NE(err_.str().find("--adapter"), std::string::npos);
}

TEST_F(ModelStepTest, MergeRefusesAnUnknownDtype) {
  const MergeStepOptions options{model_, fixture("goldens/tiny-gemma2/adapter0"), path("m"), "int3"};
  EXPECT_EQ(run_merge(options, io()), kStepInvalid);
  EXPECT_NE(err_.str().find("`int3`"), std::string::npos);
}

}  // namespace
}  // namespace slipway::mlsteps
