#include "slipway/mlsteps/train.h"

#include <signal.h>
#include <unistd.h>

#include <cmath>
#include <cstring>

#include "mlsteps/step_fixture.h"
#include "objects/fake_storage.h"
#include "slipway/ml/model_folder.h"
#include "slipway/ml/safetensors.h"
#include "slipway/mlsteps/evaluate.h"
#include "slipway/mlsteps/generate.h"
#include "slipway/mlsteps/inspect.h"
#include "slipway/mlsteps/merge.h"
#include "slipway/mlsteps/stop_signals.h"

namespace slipway::mlsteps {
namespace {

using ml::testing::json_lines;

class TrainTest : public StepTest {
 protected:
  TrainTest() {
    std::string lines;
    for (int i = 0; i < 24; ++i) lines += question(i, i % 2 == 0 ? " yes" : " no") + "\n";
    write("train.jsonl", lines);
    options_.model = fixture("models/tiny-gemma2-fp32");
    options_.data = path("train.jsonl");
    options_.output = path("out");
    options_.compute.threads = 1;
    options_.settings.accumulation = 4;
    options_.settings.epochs = 2;  // 12 steps
    options_.settings.learning_rate = 2e-2;
  }
  // What a model of random weights can learn in seconds: the answer follows the last word.
  static std::string question(int i, const std::string& answer) {
    const std::string text = "Item " + std::to_string(i) + (i % 2 == 0 ? " good" : " bad") + "\nAnswer:" + answer;
    return Value(Value::Object{{answer.empty() ? "prompt" : "text", text}}).dump();
  }
  int train() { return run_train(options_, io()); }

  TrainOptions options_;
};

TEST_F(TrainTest, LeavesACompleteFolder) {
  ASSERT_EQ(train(), kStepOk) << err_.str();
  for (const char* file : {"adapter/adapter_config.json", "adapter/adapter_model.safetensors", "checkpoint-12/complete",
                           "final_model/config.json", "final_model/model.safetensors", "final_model/tokenizer.json",
                           "config.json", "process.log", "metrics.jsonl"})
    EXPECT_TRUE(exists("out/" + std::string(file))) << file;
  EXPECT_FALSE(exists("out/adapter_model.safetensors")) << "only transformers leaves one there";
  EXPECT_EQ(read("out/status.txt").rfind("SUCCESS\ncompleted: 12 steps", 0), 0U) << read("out/status.txt");
  const auto metrics = json_lines(path("out/metrics.jsonl"));
  ASSERT_EQ(metrics.size(), 12U);
  for (const char* name : {"step", "loss", "grad_norm", "learning_rate", "tokens_per_second", "eta_s"})
    EXPECT_NE(metrics[0].find(name), nullptr) << name;
  const Value config = parse_json(read("out/config.json")).value();
  EXPECT_EQ(config.get_int("lora_r"), 8);
  EXPECT_EQ(config.get_int("samples"), 24);
}

TEST_F(TrainTest, OutputsAreForTheNextTask) {
  ASSERT_EQ(train(), kStepOk);
  EXPECT_EQ(outputs().get_string("model"), path("out/final_model"));
  EXPECT_EQ(outputs().get_string("adapter"), path("out/adapter"));
  EXPECT_EQ(outputs().get_int("steps"), 12);
  EXPECT_GT(outputs().find("loss")->as_double(), 0);
  EXPECT_GT(outputs().find("tokens_per_second")->as_double(), 0);
}

TEST_F(TrainTest, PeopleAndTheOrchestratorSeeProgress) {
  options_.settings.logging_steps = 6;
  ASSERT_EQ(train(), kStepOk);
  EXPECT_NE(err_.str().find("step 6/12 loss "), std::string::npos) << err_.str();
  EXPECT_EQ(out_.str(), "");
  env_["SLIPWAY_ATTEMPT_ID"] = "run/task/1";
  options_.output = path("again");
  ASSERT_EQ(train(), kStepOk);
  EXPECT_EQ(out_.str().rfind(R"(progress {"step":6,"steps":12,"loss":)", 0), 0U) << out_.str();
  EXPECT_NE(out_.str().find(R"("eta_s":0.0})"), std::string::npos) << out_.str();
}

TEST_F(TrainTest, EvaluatesAlongTheWayAndDrawsTheCurve) {
  write("eval.jsonl", question(30, " yes") + "\n" + question(31, " no") + "\n");
  options_.eval_data = "file://" + path("eval.jsonl");
  options_.settings.eval_steps = 5;
  ASSERT_EQ(train(), kStepOk) << err_.str();
  std::vector<std::int64_t> steps;
  for (const auto& line : json_lines(path("out/metrics.jsonl")))
    if (line.find("eval_loss") != nullptr) steps.push_back(line.get_int("step"));
  EXPECT_EQ(steps, (std::vector<std::int64_t>{5, 10, 12}));
  EXPECT_GT(outputs().find("eval_loss")->as_double(), 0);
  EXPECT_NE(err_.str().find("evaluation after step 5: loss "), std::string::npos) << err_.str();
  const std::string svg = read("out/loss.svg");
  EXPECT_NE(svg.find("class=\"training\""), std::string::npos);
  EXPECT_NE(svg.find("<title>step 10: "), std::string::npos);
}

// A bucket in this process.
class BucketTrainTest : public TrainTest {
 protected:
  BucketTrainTest() {
    env_["STORAGE_EMULATOR_HOST"] = storage_.host();
    storage_.objects["data/sets/train.jsonl"] = read("train.jsonl");
    for (const char* file : {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
                             "tokenizer_config.json", "special_tokens_map.json"})
      storage_.objects["data/base/" + std::string(file)] =
          ml::testing::bytes_of(fixture("models/tiny-gemma2-fp32/") + file);
    options_.settings.max_steps = 3;
  }
  objects::FakeStorage storage_;
};

TEST_F(BucketTrainTest, EverythingComesFromABucketAndGoesThere) {
  options_.model = "gs://data/base";
  options_.data = "gs://data/sets/train.jsonl";
  options_.upload = "gs://runs/first";
  options_.upload_model = "gs://data/fine_tuned_model";
  ASSERT_EQ(train(), kStepOk) << err_.str();
  EXPECT_EQ(storage_.objects.at("data/fine_tuned_model/model.safetensors"), read("out/final_model/model.safetensors"));
  EXPECT_TRUE(storage_.objects.contains("data/fine_tuned_model/tokenizer.json"));
  EXPECT_TRUE(storage_.objects.contains("runs/first/adapter/adapter_model.safetensors"));
  EXPECT_EQ(storage_.order.back(), "runs/first/status.txt");
  for (const auto& [name, bytes] : storage_.objects) EXPECT_EQ(name.find(".inputs"), std::string::npos) << name;
  EXPECT_NE(read("out/adapter/adapter_config.json").find("gs://data/base"), std::string::npos);
}

// What a machine sent before it was lost lets another one end with the same adapter.
TEST_F(BucketTrainTest, GoesOnFromACheckpointInTheBucket) {
  options_.upload = "gs://runs/first";
  options_.settings.max_steps = 4;
  options_.settings.save_steps = 1;
  options_.settings.save_total_limit = 2;
  options_.settings.logging_steps = 1;
  options_.merge = false;
  std::map<std::string, std::string> left;
  stop_ = [&] {
    const std::scoped_lock lock(storage_.mutex);
    if (left.empty() && storage_.objects.contains("runs/first/checkpoint-2/complete")) left = storage_.objects;
    return false;
  };
  ASSERT_EQ(train(), kStepOk) << err_.str();
  const std::string adapter = read("out/adapter/adapter_model.safetensors");
  EXPECT_FALSE(storage_.objects.contains("runs/first/checkpoint-2/complete")) << "kept no longer";
  EXPECT_FALSE(storage_.objects.contains("runs/first/checkpoint-2/adapter_model.safetensors"));
  EXPECT_TRUE(storage_.objects.contains("runs/first/checkpoint-4/complete"));
  ASSERT_FALSE(left.empty());

  storage_.objects = left;
  storage_.objects["runs/first/checkpoint-3/adapter_config.json"] = "a half of one, without its marker";
  options_.output = path("elsewhere");
  err_.str("");
  EXPECT_EQ(checkpoint_folder(options_, io()).value(), options_.output);
  EXPECT_TRUE(exists("elsewhere/checkpoint-2/complete"));
  ASSERT_EQ(train(), kStepOk) << err_.str();
  EXPECT_NE(err_.str().find("resumed from checkpoint-2"), std::string::npos) << err_.str();
  EXPECT_EQ(read("elsewhere/adapter/adapter_model.safetensors"), adapter);
  EXPECT_EQ(json_lines(path("elsewhere/metrics.jsonl")).size(), 4U);
}

TEST_F(BucketTrainTest, AnothersCheckpointInTheBucketIsReplaced) {
  options_.upload = "gs://runs/first";
  options_.settings.save_steps = 2;
  options_.settings.max_steps = 4;
  options_.merge = false;
  ASSERT_EQ(train(), kStepOk) << err_.str();
  options_.settings.learning_rate = 1e-5;
  options_.settings.max_steps = 2;
  options_.output = path("elsewhere");
  ASSERT_EQ(train(), kStepOk) << err_.str();
  EXPECT_FALSE(storage_.objects.contains("runs/first/checkpoint-4/complete"));
  EXPECT_TRUE(storage_.objects.contains("runs/first/checkpoint-2/complete"));
}

// A hub in this process that has the base model.
TEST_F(TrainTest, TheModelMayBeOnAHub) {
  const auto file = [](const std::string& name) {
    return ml::testing::bytes_of(fixture("models/tiny-gemma2-fp32/") + name);
  };
  auto hub = http::Server::start(
      {},
      [&](const http::Request& request) -> http::Response {
        if (request.path == "/api/models/org/tiny/revision/main")
          return {.body = R"({"sha":"c0","siblings":[{"rfilename":"config.json"},{"rfilename":"model.safetensors"},)"
                          R"({"rfilename":"tokenizer.json"},{"rfilename":"tokenizer_config.json"}]})"};
        const std::string root = "/org/tiny/resolve/c0/";
        if (!request.path.starts_with(root)) return {.status = 401};
        return {.body = file(request.path.substr(root.size()))};
      },
      Logger());
  ASSERT_TRUE(hub);
  env_["HF_ENDPOINT"] = "http://127.0.0.1:" + std::to_string((*hub)->port());
  options_.model = "org/tiny";
  options_.settings.max_steps = 2;
  ASSERT_EQ(train(), kStepOk) << err_.str();
  EXPECT_NE(read("out/adapter/adapter_config.json").find("\"org/tiny\""), std::string::npos);
  options_.model = "org/absent";
  EXPECT_EQ(train(), kStepInvalid);
  EXPECT_NE(err_.str().find("there is no folder org/absent"), std::string::npos) << err_.str();
  EXPECT_NE(err_.str().find("HF_TOKEN"), std::string::npos) << err_.str();
}

TEST_F(BucketTrainTest, AFailedTrainingIsSentToo) {
  options_.data = "gs://data/none.jsonl";
  options_.upload = "gs://runs/first";
  options_.upload_model = "gs://data/fine_tuned_model";
  EXPECT_EQ(train(), kStepInvalid);
  EXPECT_NE(err_.str().find("gs://data/none.jsonl does not exist"), std::string::npos) << err_.str();
  EXPECT_EQ(storage_.objects.at("runs/first/status.txt").rfind("FAILED\n", 0), 0U);
  EXPECT_FALSE(storage_.objects.contains("data/fine_tuned_model/config.json"));
}

TEST_F(BucketTrainTest, AnOutputMayBeABucket) {
  options_.output = "gs://runs/" + folder_.path().filename().string();
  options_.merge = false;
  ASSERT_EQ(train(), kStepOk) << err_.str();
  const std::string at = options_.output.substr(5);
  EXPECT_TRUE(storage_.objects.contains(at + "/adapter/adapter_config.json"));
  EXPECT_EQ(storage_.objects.at(at + "/status.txt").rfind("SUCCESS\n", 0), 0U);
  std::filesystem::remove_all(std::filesystem::path(outputs().get_string("adapter")).parent_path());
}

TEST_F(TrainTest, OnATerminalThereIsABar) {
  columns_ = 60;
  options_.settings.logging_steps = 6;
  ASSERT_EQ(train(), kStepOk) << err_.str();
  EXPECT_NE(err_.str().find("\r\x1b[K 25% [=====>              ] 3/12 loss "), std::string::npos) << err_.str();
  EXPECT_NE(err_.str().find("\r\x1b[Kstep 6/12 loss "), std::string::npos) << "lines stand above the bar";
  for (std::size_t at = err_.str().find("% ["); at != std::string::npos; at = err_.str().find("% [", at + 1))
    EXPECT_LT(err_.str().find_first_of("\r\n", at) - at, 60U);
}

TEST_F(TrainTest, TheMergedModelMayBeHalfPrecision) {
  options_.merge_dtype = "fp16";
  options_.settings.max_steps = 2;
  ASSERT_EQ(train(), kStepOk) << err_.str();
  EXPECT_NE(read("out/final_model/config.json").find("\"float16\""), std::string::npos);
  const auto tensors = ml::FolderTensors::open(path("out/final_model"));
  ASSERT_TRUE(tensors);
  for (const auto& name : tensors->names()) EXPECT_EQ(tensors->find(name)->dtype, ml::Dtype::F16) << name;
  options_.merge_dtype = "int4";
  EXPECT_EQ(train(), kStepUsage);
}

TEST_F(TrainTest, LimitTakesTheFirstSamples) {
  options_.limit = 8;
  ASSERT_EQ(train(), kStepOk) << err_.str();
  EXPECT_EQ(outputs().get_int("samples"), 8);
  EXPECT_EQ(outputs().get_int("steps"), 4);
}

TEST_F(TrainTest, MetricsTellTheMemory) {
  ASSERT_EQ(train(), kStepOk) << err_.str();
  EXPECT_GT(json_lines(path("out/metrics.jsonl"))[0].get_int("memory_bytes"), 1 << 20);
}

// The run folder below the one experiment of `root`.
std::filesystem::path only_run(const std::filesystem::path& root) {
  std::filesystem::path run;
  for (const auto& experiment : std::filesystem::directory_iterator(root))
    for (const auto& entry : std::filesystem::directory_iterator(experiment.path()))
      if (entry.is_directory()) {
        EXPECT_TRUE(run.empty()) << "two runs";
        run = entry.path();
      }
  return run;
}

TEST_F(TrainTest, TracksInAFolderAndGoesOnWithItsRun) {
  options_.mlruns = path("mlruns");
  int asked = 0;
  stop_ = [&] { return ++asked == 6; };
  ASSERT_EQ(train(), kStepInterrupted) << err_.str();
  const auto run = only_run(path("mlruns"));
  EXPECT_NE(ml::testing::bytes_of(run / "meta.yaml").find("\nstatus: 5\n"), std::string::npos);
  stop_ = {};
  ASSERT_EQ(train(), kStepOk) << err_.str();
  EXPECT_EQ(only_run(path("mlruns")), run) << "the same run";
  EXPECT_NE(ml::testing::bytes_of(run / "meta.yaml").find("\nstatus: 3\n"), std::string::npos);
  const std::string losses = ml::testing::bytes_of(run / "metrics/loss");
  EXPECT_EQ(std::count(losses.begin(), losses.end(), '\n'), 12);
  EXPECT_EQ(ml::testing::bytes_of(run / "params/lora_r"), "8");
  EXPECT_EQ(ml::testing::bytes_of(run / "tags/mlflow.runName"), "out");
}

TEST_F(TrainTest, ATrackerThatIsAwayFailsNothing) {
  env_["MLFLOW_TRACKING_URI"] = "file:///proc/no/such";
  EXPECT_EQ(train(), kStepOk) << err_.str();
  EXPECT_NE(err_.str().find("the tracking folder is incomplete"), std::string::npos) << err_.str();
  EXPECT_EQ(read("out/status.txt").rfind("SUCCESS", 0), 0U);
}

TEST_F(TrainTest, FileUrisThatNameNoPathAreRefused) {
  env_["MLFLOW_TRACKING_URI"] = "file://runs";
  EXPECT_EQ(train(), kStepUsage);
  EXPECT_NE(err_.str().find("MLFLOW_TRACKING_URI: `file://runs` names a host; write file:///path"), std::string::npos)
      << err_.str();
  env_.erase("MLFLOW_TRACKING_URI");
  options_.eval_data = "file:///x%2";
  EXPECT_EQ(train(), kStepUsage);
  EXPECT_NE(err_.str().find("has a `%` that encodes nothing"), std::string::npos) << err_.str();
}

TEST_F(TrainTest, HfLeavesTheAdapterAtTheRootToo) {
  options_.settings.compat = options_.rules.compat = ml::Compat::Hf;
  options_.merge = false;
  ASSERT_EQ(train(), kStepOk) << err_.str();
  EXPECT_EQ(read("out/adapter_model.safetensors"), read("out/adapter/adapter_model.safetensors"));
  EXPECT_FALSE(exists("out/final_model"));
  EXPECT_EQ(outputs().find("model"), nullptr);
}

TEST_F(TrainTest, TheSameSeedGivesTheSameBytes) {
  ASSERT_EQ(train(), kStepOk);
  options_.output = path("again");
  options_.compute.threads = 2;
  ASSERT_EQ(train(), kStepOk);
  EXPECT_EQ(read("out/adapter/adapter_model.safetensors"), read("again/adapter/adapter_model.safetensors"));
  options_.output = path("other");
  options_.settings.seed = 7;
  ASSERT_EQ(train(), kStepOk);
  EXPECT_NE(read("out/adapter/adapter_model.safetensors"), read("other/adapter/adapter_model.safetensors"));
}

// The signal itself: blocked, asked for between passes, answered with a checkpoint; a new process goes on from there
// and ends with the bytes of a run that was never stopped.
TEST_F(TrainTest, SigtermLeavesACheckpointToResumeFrom) {
  ASSERT_EQ(train(), kStepOk);
  options_.output = path("broken");
  {
    StopSignals signals;
    int asked = 0;
    stop_ = [&] {
      if (++asked == 6) ::kill(::getpid(), SIGTERM);  // one pass a step: during the sixth
      return signals.requested();
    };
    EXPECT_EQ(train(), kStepInterrupted);
  }
  EXPECT_TRUE(exists("broken/checkpoint-5/complete"));
  EXPECT_EQ(read("broken/status.txt").rfind("FAILED\ninterrupted after step 5 of 12", 0), 0U)
      << read("broken/status.txt");
  EXPECT_EQ(failure_class(), "interrupted");

  stop_ = {};
  ASSERT_EQ(train(), kStepOk) << err_.str();
  EXPECT_NE(err_.str().find("resumed from checkpoint-5"), std::string::npos);
  EXPECT_EQ(read("broken/adapter/adapter_model.safetensors"), read("out/adapter/adapter_model.safetensors"));
  const auto whole = json_lines(path("out/metrics.jsonl"));
  const auto resumed = json_lines(path("broken/metrics.jsonl"));
  ASSERT_EQ(resumed.size(), whole.size());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    EXPECT_EQ(resumed[i].get_int("step"), whole[i].get_int("step"));
    EXPECT_EQ(*resumed[i].find("loss"), *whole[i].find("loss")) << i;
  }
}

TEST_F(TrainTest, MetricsBehindTheCheckpointAreTakenBack) {
  options_.settings.save_steps = 4;
  ASSERT_EQ(train(), kStepOk);
  std::filesystem::remove_all(path("out/checkpoint-12"));  // as if killed between step 8 and 12
  ASSERT_EQ(train(), kStepOk) << err_.str();
  const auto metrics = json_lines(path("out/metrics.jsonl"));
  ASSERT_EQ(metrics.size(), 12U);
  for (std::size_t i = 0; i < metrics.size(); ++i) EXPECT_EQ(metrics[i].get_int("step"), static_cast<int>(i) + 1);
}

TEST_F(TrainTest, ANewTrainingReplacesWhatIsThere) {
  ASSERT_EQ(train(), kStepOk);
  options_.settings.epochs = 1;
  ASSERT_EQ(train(), kStepOk);
  EXPECT_EQ(json_lines(path("out/metrics.jsonl")).size(), 6U);
  EXPECT_FALSE(exists("out/checkpoint-12"));
  EXPECT_TRUE(exists("out/checkpoint-6/complete"));
}

TEST_F(TrainTest, ResumingWithOtherSettingsIsRefused) {
  ASSERT_EQ(train(), kStepOk);
  options_.resume = ml::Resume::Always;
  options_.settings.learning_rate = 1e-3;
  EXPECT_EQ(train(), kStepInvalid);
  EXPECT_NE(err_.str().find("`learning_rate` differ"), std::string::npos) << err_.str();
}

TEST_F(TrainTest, NonFiniteHasItsOwnExitCode) {
  options_.settings.learning_rate = 1e30;
  options_.settings.max_grad_norm = 0;
  EXPECT_EQ(train(), kStepNonFinite);
  EXPECT_EQ(failure_class(), "non-finite");
  EXPECT_EQ(read("out/status.txt").rfind("FAILED\n", 0), 0U);
  EXPECT_FALSE(exists("out/adapter")) << "nothing that could be mistaken for a result";
  EXPECT_FALSE(exists("out/final_model"));
}

TEST_F(TrainTest, BadDataNamesItsLine) {
  write("train.jsonl", "{\"text\":\"fine\"}\n{\"text\":\n");
  EXPECT_EQ(train(), kStepInvalid);
  EXPECT_EQ(failure_class(), "invalid-argument");
  EXPECT_NE(err_.str().find("train.jsonl:2"), std::string::npos) << err_.str();
  EXPECT_EQ(read("out/status.txt").rfind("FAILED\ntrain.jsonl:2", 0), 0U) << read("out/status.txt");
}

TEST_F(TrainTest, SamplesWithoutLabelsAreAnErrorAboveTheRatio) {
  options_.rules.response_template = "Reply:";
  EXPECT_EQ(train(), kStepInvalid);
  EXPECT_NE(err_.str().find("24 of 24 samples have nothing to learn"), std::string::npos) << err_.str();
}

TEST_F(TrainTest, AMissingModelIsInvalid) {
  options_.model = path("none");
  EXPECT_EQ(train(), kStepInvalid);
  EXPECT_EQ(failure_class(), "not-found");
}

struct UsageRow {
  void (*change)(TrainOptions&);
  std::string word;
};
class UsageTest : public TrainTest, public ::testing::WithParamInterface<UsageRow> {};
TEST_P(UsageTest, Is2) {
  GetParam().change(options_);
  EXPECT_EQ(train(), kStepUsage);
  EXPECT_NE(err_.str().find(GetParam().word), std::string::npos) << err_.str();
  EXPECT_EQ(failure_class(), "usage");
  EXPECT_FALSE(exists("out"));
}
INSTANTIATE_TEST_SUITE_P(
    Rows, UsageTest,
    ::testing::Values(UsageRow{[](TrainOptions& o) { o.data = "s3://bucket/x"; }, "is a URI"},
                      UsageRow{[](TrainOptions& o) { o.upload = "bucket/x"; }, "names no bucket"},
                      UsageRow{[](TrainOptions& o) { o.output.clear(); }, "--output"},
                      UsageRow{[](TrainOptions& o) { o.lora_r = 0; }, "--lora-r"},
                      UsageRow{[](TrainOptions& o) { o.lora_dropout = 1; }, "--lora-dropout"},
                      UsageRow{[](TrainOptions& o) { o.settings.epochs = 0; }, "--num-train-epochs"},
                      UsageRow{[](TrainOptions& o) { o.settings.accumulation = 0; }, "--gradient-accumulation-steps"},
                      UsageRow{[](TrainOptions& o) { o.settings.learning_rate = -1; }, "--learning-rate"},
                      UsageRow{[](TrainOptions& o) { o.settings.warmup_ratio = 2; }, "--warmup-ratio"},
                      UsageRow{[](TrainOptions& o) { o.settings.logging_steps = 0; }, "--logging-steps"},
                      UsageRow{[](TrainOptions& o) { o.settings.eval_steps = 5; }, "--eval-data"},
                      UsageRow{[](TrainOptions& o) { o.settings.eval_batch_size = 0; }, "--per-device-eval-batch-size"},
                      UsageRow{[](TrainOptions& o) { o.limit = -1; }, "--limit"},
                      UsageRow{[](TrainOptions& o) { o.rules.max_seq_length = 1; }, "--max-seq-length"}));

// ---- what the trained model does afterwards

class TrainedTest : public TrainTest {
 protected:
  TrainedTest() {
    options_.settings.epochs = 40;
    options_.settings.logging_steps = 100;
    options_.lora_dropout = 0;
  }
  // The logits of one prompt, by model and adapter.
  std::vector<float> logits(const std::string& model, const std::string& adapter) {
    write("ids.jsonl", "{\"prompt_ids\":[2,9,299,401,340,325]}\n");
    InspectOptions inspect{.model = model,
                           .adapter = adapter,
                           .input = path("ids.jsonl"),
                           .output = path("l.safetensors"),
                           .rules = {},
                           .compute = {.threads = 1}};
    EXPECT_EQ(run_logits(inspect, io()), kStepOk) << err_.str();
    const auto file = ml::SafetensorsFile::open(path("l.safetensors")).value();
    const auto view = file.find("logits_0").value();
    std::vector<float> values(view.bytes.size() / sizeof(float));
    std::memcpy(values.data(), view.bytes.data(), view.bytes.size());
    return values;
  }
};

TEST_F(TrainedTest, TheMergedModelIsTheAdapted) {
  ASSERT_EQ(train(), kStepOk) << err_.str();
  const auto adapted = logits(options_.model, path("out/adapter"));
  const auto merged = logits(path("out/final_model"), "");
  const auto base = logits(options_.model, "");
  double difference = 0;
  double change = 0;
  for (std::size_t i = 0; i < base.size(); ++i) {
    difference = std::max<double>(difference, std::abs(adapted[i] - merged[i]));
    change = std::max<double>(change, std::abs(adapted[i] - base[i]));
  }
  EXPECT_LT(difference, 1e-4 * change);

  MergeStepOptions merge{
      .model = options_.model, .adapter = path("out/adapter"), .output = path("merged"), .dtype = {}};
  ASSERT_EQ(run_merge(merge, io()), kStepOk) << err_.str();
  EXPECT_EQ(read("merged/model.safetensors"), read("out/final_model/model.safetensors"));
  EXPECT_EQ(outputs().get_string("model"), path("merged"));
}

TEST_F(TrainedTest, EvaluateSeesWhatWasLearned) {
  options_.rules.response_template = "Answer:";
  ASSERT_EQ(train(), kStepOk) << err_.str();
  EvaluateOptions evaluate{.model = path("out/final_model"),
                           .adapter = {},
                           .baseline = options_.model,
                           .data = options_.data,
                           .labels = {"yes", "no"},
                           .compute = {.threads = 1}};
  ASSERT_EQ(run_evaluate(evaluate, io()), kStepOk) << err_.str();
  EXPECT_EQ(outputs().get_int("examples"), 24);
  EXPECT_GE(outputs().find("accuracy")->as_double(), 0.9);
  EXPECT_LE(outputs().find("accuracy_before")->as_double(), 0.5);
  EXPECT_EQ(out_.str(), outputs().dump() + "\n");

  evaluate.labels = {};  // the whole first line must be right
  evaluate.baseline = {};
  ASSERT_EQ(run_evaluate(evaluate, io()), kStepOk) << err_.str();
  EXPECT_GE(outputs().find("accuracy")->as_double(), 0.9);
  EXPECT_EQ(outputs().find("accuracy_before"), nullptr);
}

TEST_F(TrainedTest, GenerateContinuesLines) {
  options_.rules.response_template = "Answer:";
  ASSERT_EQ(train(), kStepOk) << err_.str();
  write("prompts.jsonl", question(4, "") + "\n" + question(7, "") + "\n");
  GenerateOptions generate{.model = options_.model,
                           .adapter = path("out/adapter"),
                           .input = path("prompts.jsonl"),
                           .output = path("texts.jsonl"),
                           .prompt = {},
                           .params = {},
                           .compute = {.threads = 1}};
  generate.params.temperature = 0;
  ASSERT_EQ(run_generate(generate, io()), kStepOk) << err_.str();
  const auto lines = json_lines(path("texts.jsonl"));
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].get_string("text"), " yes");
  EXPECT_EQ(lines[1].get_string("text"), " no");
  EXPECT_EQ(lines[0].get_string("finish_reason"), "stop") << "the end was learned";
}

}  // namespace
}  // namespace slipway::mlsteps
