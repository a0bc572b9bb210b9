#include "slipway/ml/trainer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ml/support/files.h"
#include "ml/support/tiny_model.h"
#include "ml/train/checkpoint.h"
#include "slipway/ml/loaded_model.h"
#include "support/temp_folder.h"

namespace slipway::ml {
namespace {

using testing::bytes_of;
using testing::fixture;
using testing::golden;
using testing::json_lines;
using testing::write_text;

class StillClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return {}; }
  [[nodiscard]] MonoInstant monotonic() const override { return {}; }
};

// One training of a tiny model, with the parts a test wants to change.
struct Job {
  explicit Job(const std::string& model_name = "tiny-gemma2")
      : loaded(load_model(fixture("models/" + model_name + "-fp32")).value()) {}

  void use_data(const std::string& lines, const DatasetRules& rules) {
    write_text(folder.path() / "data.jsonl", lines);
    const auto texts = read_text_samples(folder.path() / "data.jsonl", rules).value();
    samples = tokenize_samples(texts, loaded.tokenizer, loaded.text_end, rules).value().samples;
  }
  void use_fresh_adapter(double dropout) {
    config = {
        .base_model = "base", .rank = 4, .alpha = 8, .dropout = dropout, .target_modules = {"q_proj", "down_proj"}};
    lora = make_lora(config, loaded.model.config()).value();
    initialise(lora, 1);
  }

  Result<TrainSummary> run(int threads = 1) {
    Compute compute({.threads = threads, .isa = {}});
    const TrainContext context{.clock = clock,
                               .stop_requested = [this] { return reports.size() >= stop_after_reports; },
                               .started =
                                   [this](std::int64_t step, std::string_view note) {
                                     started = {step, std::string(note)};
                                   },
                               .report = [this](const StepReport& report) { reports.push_back(report); },
                               .checkpointed = {},
                               .evaluation = evaluation,
                               .evaluated = [this](const EvalReport& report) { evaluations.push_back(report); }};
    return train(loaded.model, compute, lora, samples, settings,
                 {.folder = folder.path(), .resume = resume, .fingerprint = fingerprint, .config = config}, context);
  }
  std::vector<float> adapter_values() {
    std::vector<float> all;
    for (const auto& parameter : lora.parameters())
      all.insert(all.end(), parameter.values.begin(), parameter.values.end());
    return all;
  }

  test::TempFolder folder;
  StillClock clock;
  LoadedModel loaded;
  AdapterConfig config;
  Lora lora;
  std::vector<Sample> samples;
  std::vector<Sample> evaluation;
  TrainSettings settings;
  Resume resume = Resume::Always;
  Value fingerprint = Value::Object{{"data", "a"}};
  std::size_t stop_after_reports = std::numeric_limits<std::size_t>::max();
  std::vector<StepReport> reports;
  std::vector<EvalReport> evaluations;
  std::pair<std::int64_t, std::string> started{-1, ""};
};

// ---- the curves of transformers 4.46.1

struct Curve {
  std::string model;
  std::string name;
};
class CurveTest : public ::testing::TestWithParam<Curve> {
 protected:
  std::string file(const std::string& name) const { return golden(GetParam().model, GetParam().name + "/" + name); }
};

double relative(const std::vector<float>& got, const std::vector<float>& want) {
  double difference = 0;
  double size = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    difference += std::pow(static_cast<double>(got[i]) - want[i], 2);
    size += std::pow(static_cast<double>(want[i]), 2);
  }
  return std::sqrt(difference / size);
}

void minus(std::vector<float>& values, const std::vector<float>& other) {
  for (std::size_t i = 0; i < values.size(); ++i) values[i] -= other[i];
}

TEST_P(CurveTest, IsReproduced) {
  const Value plan = parse_json(bytes_of(file("case.json"))).value();
  Job job(GetParam().model);
  const bool text = GetParam().name == "train_text";
  DatasetRules rules{.compat = Compat::Hf, .max_seq_length = plan.get_int("max_seq_length")};
  if (!text) rules.response_template = plan.get_string("response_template");
  std::string lines;
  for (const auto& row : json_lines(file("order.jsonl")))
    lines += Value(Value::Object{{text ? "text" : "prompt", row.get_string("prompt")}}).dump() + "\n";
  job.use_data(lines, rules);
  Adapter first = read_adapter(file("init"), job.loaded.model.config()).value();
  job.config = first.config;
  job.lora = first.lora.clone();
  const std::vector<float> begin = job.adapter_values();
  job.settings = {.max_steps = plan.get_int("global_steps"),
                  .accumulation = static_cast<int>(plan.get_int("ga")),
                  .learning_rate = plan.find("lr")->as_double(),
                  .warmup_ratio = plan.find("warmup")->as_double(),
                  .weight_decay = plan.find("wd")->as_double(),
                  .max_grad_norm = plan.find("clip")->as_double(),
                  .shuffle = false,
                  .compat = Compat::Hf};
  const auto summary = job.run();
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_EQ(summary->end, TrainEnd::Completed);

  const auto wanted = json_lines(file("metrics.jsonl"));
  ASSERT_EQ(job.reports.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const double norm = wanted[i].find("grad_norm")->as_double();
    EXPECT_NEAR(job.reports[i].loss, wanted[i].find("loss")->as_double(), 5e-5 * 14) << "step " << i + 1;
    EXPECT_NEAR(job.reports[i].grad_norm, norm, 2e-4 * norm) << "step " << i + 1;
    // That version logs the rate of the step to come.
    if (i == 0) continue;
    EXPECT_NEAR(job.reports[i].learning_rate, wanted[i - 1].find("learning_rate_logged")->as_double(), 1e-12);
  }
  Adapter last = read_adapter(file("final"), job.loaded.model.config()).value();
  auto moved = job.adapter_values();
  job.lora = last.lora.clone();
  auto moved_there = job.adapter_values();
  minus(moved, begin);
  minus(moved_there, begin);
  EXPECT_LT(relative(moved, moved_there), 2e-3);
}

INSTANTIATE_TEST_SUITE_P(Goldens, CurveTest,
                         ::testing::Values(Curve{"tiny-gemma2", "train_ref"}, Curve{"tiny-gemma2", "train_hot"},
                                           Curve{"tiny-gemma2", "train_text"}, Curve{"tiny-llama", "train_ref"},
                                           Curve{"tiny-llama", "train_hot"}, Curve{"tiny-llama", "train_text"},
                                           Curve{"tiny-qwen2", "train_ref"}, Curve{"tiny-qwen2", "train_hot"},
                                           Curve{"tiny-qwen2", "train_text"}),
                         [](const auto& row) { return row.param.model.substr(5) + "_" + row.param.name.substr(6); });

// ---- what must not change a result

class TrainerTest : public ::testing::Test {
 protected:
  // 14 steps: 2 epochs of 7 (a short last step), shuffled, with dropout.
  static void prepare(Job& job) {
    std::string lines;
    for (int i = 0; i < 26; ++i)
      lines += R"({"text":"Question )" + std::string(static_cast<std::size_t>(i % 7), 'x') + " " +
               std::to_string(i * i) + R"( Answer: number )" + std::to_string(i % 3) + "\"}\n";
    job.use_data(lines, {.response_template = "Answer:"});
    job.use_fresh_adapter(0.1);
    job.settings.epochs = 2;
    job.settings.accumulation = 4;
    job.settings.learning_rate = 1e-2;
    job.settings.save_steps = 5;
  }
};

TEST_F(TrainerTest, LossFalls) {
  Job job;
  prepare(job);
  job.settings.epochs = 6;
  ASSERT_TRUE(job.run());
  EXPECT_LT(job.reports.back().loss, 0.7 * job.reports.front().loss);
}

TEST_F(TrainerTest, ThreadsChangeNothing) {
  Job one;
  Job three;
  prepare(one);
  prepare(three);
  ASSERT_TRUE(one.run(1));
  ASSERT_TRUE(three.run(3));
  EXPECT_EQ(one.adapter_values(), three.adapter_values());
}

TEST_F(TrainerTest, RecomputedActivationsChangeNothing) {
  Job kept;
  Job recomputed;
  prepare(kept);
  prepare(recomputed);
  recomputed.settings.activation_bytes_max = 0;
  ASSERT_TRUE(kept.run());
  ASSERT_TRUE(recomputed.run());
  EXPECT_EQ(kept.adapter_values(), recomputed.adapter_values());
}

TEST_F(TrainerTest, SmallerPassesGiveTheSameUpToRounding) {
  Job one_pass;
  Job many;
  prepare(one_pass);
  prepare(many);
  many.settings.tokens_per_pass = 1;
  ASSERT_TRUE(one_pass.run());
  ASSERT_TRUE(many.run());
  EXPECT_LT(relative(many.adapter_values(), one_pass.adapter_values()), 1e-3);
}

// Interrupted after any number of reports and resumed by a new process: every byte is that of the run without a break.
TEST_F(TrainerTest, ResumeIsBitExact) {
  Job whole;
  prepare(whole);
  whole.settings.logging_steps = 3;
  ASSERT_TRUE(whole.run());
  for (const std::size_t reports : {0U, 1U, 3U}) {
    Job broken;
    prepare(broken);
    broken.settings.logging_steps = 3;
    broken.stop_after_reports = reports;
    const auto first = broken.run();
    ASSERT_TRUE(first) << first.error().message;
    EXPECT_EQ(first->end, TrainEnd::Interrupted);
    EXPECT_EQ(newest_checkpoint(broken.folder.path()), first->step);

    broken.use_fresh_adapter(0.1);  // what a new process would start from
    broken.stop_after_reports = std::numeric_limits<std::size_t>::max();
    const auto second = broken.run();
    ASSERT_TRUE(second) << second.error().message;
    EXPECT_EQ(second->end, TrainEnd::Completed);
    EXPECT_EQ(broken.started.first, first->step);
    EXPECT_EQ(broken.started.second, "") << "same kernel";
    EXPECT_EQ(broken.adapter_values(), whole.adapter_values());
    for (const char* name : {"adapter_model.safetensors", "optimizer.safetensors", "trainer_state.json"})
      EXPECT_EQ(bytes_of(broken.folder.path() / ("checkpoint-14/" + std::string(name))),
                bytes_of(whole.folder.path() / ("checkpoint-14/" + std::string(name))))
          << name;
    ASSERT_EQ(broken.reports.size(), whole.reports.size());
    for (std::size_t i = 0; i < whole.reports.size(); ++i)
      EXPECT_EQ(broken.reports[i].loss, whole.reports[i].loss) << i;
  }
}

TEST_F(TrainerTest, EvaluationMeasuresWithoutDropoutAndChangesNothing) {
  Job plain;
  Job measured;
  prepare(plain);
  prepare(measured);
  measured.evaluation.assign(measured.samples.begin(), measured.samples.begin() + 9);
  measured.settings.eval_steps = 6;
  measured.settings.tokens_per_pass = 60;  // several passes
  plain.settings.tokens_per_pass = 60;
  ASSERT_TRUE(plain.run());
  const auto summary = measured.run();
  ASSERT_TRUE(summary);
  EXPECT_EQ(measured.adapter_values(), plain.adapter_values());
  ASSERT_EQ(measured.evaluations.size(), 3U);
  EXPECT_EQ(measured.evaluations[0].step, 6);
  EXPECT_EQ(measured.evaluations[1].step, 12);
  EXPECT_EQ(measured.evaluations[2].step, 14) << "and at the end";
  const EvalReport& last = measured.evaluations[2];
  EXPECT_EQ(last.samples, 9);
  EXPECT_EQ(summary->eval_loss, last.loss);
  std::vector<Sequence> batch;
  for (const auto& sample : measured.evaluation) batch.push_back({.ids = sample.ids, .labels = sample.labels});
  Compute compute({.threads = 1});
  const LossSum whole = measured.loaded.model.loss(compute, batch, &measured.lora);
  EXPECT_EQ(last.labels, whole.label_count);
  EXPECT_NEAR(last.loss, whole.loss_sum / static_cast<double>(whole.label_count), 1e-5);
}

TEST_F(TrainerTest, HfTellsTheMeanOfBatches) {
  Job job;
  prepare(job);
  job.settings.max_steps = 1;
  job.settings.learning_rate = 0;
  job.settings.compat = Compat::Hf;
  job.settings.eval_batch_size = 2;
  job.evaluation.assign(job.samples.begin(), job.samples.begin() + 3);
  ASSERT_TRUE(job.run());
  Compute compute({.threads = 1});
  std::vector<double> means;
  for (const auto& [first, count] : {std::pair<std::size_t, std::size_t>{0, 2}, {2, 1}}) {
    LossSum sum;
    for (std::size_t i = first; i < first + count; ++i) {
      const Sequence one{.ids = job.evaluation[i].ids, .labels = job.evaluation[i].labels};
      const LossSum loss = job.loaded.model.loss(compute, {&one, 1}, &job.lora);
      sum.loss_sum += loss.loss_sum;
      sum.label_count += loss.label_count;
    }
    means.push_back(sum.loss_sum / static_cast<double>(sum.label_count));
  }
  ASSERT_EQ(job.evaluations.size(), 1U);
  EXPECT_NEAR(job.evaluations[0].loss, (2 * means[0] + means[1]) / 3, 1e-5);
}

TEST_F(TrainerTest, AnInterruptedEvaluationIsMadeAgain) {
  Job whole;
  Job broken;
  for (Job* job : {&whole, &broken}) {
    prepare(*job);
    job->evaluation.assign(job->samples.begin(), job->samples.begin() + 3);
    job->settings.eval_steps = 5;
  }
  ASSERT_TRUE(whole.run());
  broken.stop_after_reports = 5;  // the evaluation after step 5 is asked first
  ASSERT_TRUE(broken.run());
  EXPECT_TRUE(broken.evaluations.empty());
  EXPECT_EQ(newest_checkpoint(broken.folder.path()), 5);
  broken.use_fresh_adapter(0.1);
  broken.stop_after_reports = std::numeric_limits<std::size_t>::max();
  ASSERT_TRUE(broken.run());
  ASSERT_EQ(broken.evaluations.size(), whole.evaluations.size());
  for (std::size_t i = 0; i < whole.evaluations.size(); ++i)
    EXPECT_EQ(broken.evaluations[i].loss, whole.evaluations[i].loss) << i;
}

TEST_F(TrainerTest, SavesAfterEachEpoch) {
  Job job;
  prepare(job);
  job.settings.save_steps = 0;
  job.settings.save_each_epoch = true;
  ASSERT_TRUE(job.run());
  EXPECT_TRUE(std::filesystem::exists(job.folder.path() / "checkpoint-7/complete"));
  EXPECT_TRUE(std::filesystem::exists(job.folder.path() / "checkpoint-14/complete"));
}

TEST_F(TrainerTest, NonFiniteEndsItAndLeavesTheLastGoodCheckpoint) {
  Job job;
  prepare(job);
  job.settings.learning_rate = 1e30;  // overflows in the second step
  job.settings.max_grad_norm = 0;
  job.settings.warmup_ratio = 0;
  job.settings.save_steps = 1;
  const auto summary = job.run();
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->end, TrainEnd::NonFinite);
  EXPECT_LT(summary->step, 14);
  EXPECT_EQ(newest_checkpoint(job.folder.path()), summary->step);
}

TEST_F(TrainerTest, ANotANumberInTheAdapterFailsTheFirstStep) {
  Job job;
  prepare(job);
  job.lora.parameters()[1].values[0] = std::numeric_limits<float>::quiet_NaN();
  const auto summary = job.run();
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->end, TrainEnd::NonFinite);
  EXPECT_EQ(summary->step, 0);
  EXPECT_TRUE(job.reports.empty());
}

TEST_F(TrainerTest, AStepWithoutLabelsChangesNothing) {
  Job job;
  prepare(job);
  job.settings.shuffle = false;
  job.settings.max_steps = 3;
  job.settings.warmup_ratio = 0;
  for (std::size_t i = 8; i < 12; ++i)
    std::fill(job.samples[i].labels.begin(), job.samples[i].labels.end(), kIgnoreLabel);
  ASSERT_TRUE(job.run());
  const auto after_three = job.adapter_values();
  EXPECT_EQ(job.reports[2].loss, 0);
  EXPECT_EQ(job.reports[2].grad_norm, 0);

  Job two;
  prepare(two);
  two.settings = job.settings;
  two.stop_after_reports = 2;
  ASSERT_TRUE(two.run());
  EXPECT_EQ(two.adapter_values(), after_three);
}

TEST_F(TrainerTest, RotationKeepsTheNewest) {
  Job job;
  prepare(job);
  job.settings.save_steps = 2;
  job.settings.save_total_limit = 3;
  ASSERT_TRUE(job.run());
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(job.folder.path()))
    if (entry.is_directory()) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"checkpoint-10", "checkpoint-12", "checkpoint-14"}));
}

TEST_F(TrainerTest, ATornCheckpointIsNotResumedFrom) {
  Job job;
  prepare(job);
  ASSERT_TRUE(job.run());
  EXPECT_EQ(newest_checkpoint(job.folder.path()), 14);
  std::filesystem::remove(job.folder.path() / "checkpoint-14/complete");
  std::filesystem::create_directories(job.folder.path() / "checkpoint-99x");
  std::filesystem::create_directories(job.folder.path() / ".tmp-checkpoint-20");
  EXPECT_EQ(newest_checkpoint(job.folder.path()), 10);
}

TEST_F(TrainerTest, AnotherTrainingsCheckpointIsRefused) {
  Job job;
  prepare(job);
  ASSERT_TRUE(job.run());
  job.fingerprint = Value::Object{{"data", "b"}};
  const auto summary = job.run();
  ASSERT_FALSE(summary);
  EXPECT_EQ(summary.error().code, ErrorCode::Conflict);
  EXPECT_NE(summary.error().message.find("`data`"), std::string::npos) << summary.error().message;
}

TEST_F(TrainerTest, OrReplacedIfNobodyInsists) {
  Job job;
  prepare(job);
  job.settings.save_steps = 2;
  ASSERT_TRUE(job.run());
  const auto values = job.adapter_values();
  job.fingerprint = Value::Object{{"data", "b"}};
  job.resume = Resume::Auto;
  job.use_fresh_adapter(0.1);
  job.stop_after_reports = job.reports.size() + 3;
  ASSERT_TRUE(job.run());
  EXPECT_EQ(job.started.first, 0);
  EXPECT_EQ(job.started.second, "removed the checkpoints of another training: `data` differ");
  EXPECT_EQ(newest_checkpoint(job.folder.path()), 3) << "no higher number of the old training is left";
  job.stop_after_reports = std::numeric_limits<std::size_t>::max();
  ASSERT_TRUE(job.run());
  EXPECT_EQ(job.started.first, 3);
  EXPECT_EQ(job.adapter_values(), values);
}

TEST_F(TrainerTest, NeverStartsOver) {
  Job job;
  prepare(job);
  ASSERT_TRUE(job.run());
  job.use_fresh_adapter(0.1);
  job.resume = Resume::Never;
  const auto again = job.run();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->resumed_from, 0);
}

TEST_F(TrainerTest, ResumingAFinishedTrainingTakesNoStep) {
  Job job;
  prepare(job);
  ASSERT_TRUE(job.run());
  const auto values = job.adapter_values();
  job.use_fresh_adapter(0.1);
  const auto again = job.run();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->end, TrainEnd::Completed);
  EXPECT_EQ(again->resumed_from, 14);
  EXPECT_EQ(job.adapter_values(), values);
}

TEST(Initialise, IsUniformAndRepresentableInBf16) {
  Job job;
  job.use_fresh_adapter(0);
  for (const auto& parameter : job.lora.parameters()) {
    const bool is_a = parameter.path.ends_with(".lora_A");
    const float bound = 1.0F / std::sqrt(static_cast<float>(parameter.cols));
    bool moved = false;
    for (const float value : parameter.values) {
      EXPECT_LE(std::abs(value), bound * 1.01F);
      EXPECT_EQ(to_float(to_bf16(value)), value);
      moved |= value != 0;
    }
    EXPECT_EQ(moved, is_a) << parameter.path;
  }
}

}  // namespace
}  // namespace slipway::ml
