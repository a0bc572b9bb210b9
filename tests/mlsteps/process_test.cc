// The binary itself: flags, environment, signals, exit codes.
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <regex>

#include "mlsteps/step_fixture.h"
#include "objects/fake_storage.h"
#include "slipway/http/transport.h"

extern char** environ;

namespace slipway::mlsteps {
namespace {

using ml::testing::json_lines;

// One process of slipway with its streams in files.
class Process {
 public:
  Process(std::vector<std::string> arguments, const std::string& out, const std::string& err,
          const std::vector<std::string>& variables = {}) {
    arguments.insert(arguments.begin(), SLIPWAY_BINARY);
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    auto env = variables;
    std::vector<char*> envp;
    for (char** entry = environ; *entry != nullptr; ++entry) envp.push_back(*entry);
    for (auto& variable : env) envp.push_back(variable.data());
    envp.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    EXPECT_EQ(::posix_spawn(&pid_, SLIPWAY_BINARY, &actions, nullptr, argv.data(), envp.data()), 0);
    posix_spawn_file_actions_destroy(&actions);
  }
  ~Process() {
    if (pid_ > 0) signal(SIGKILL), wait();
  }

  void signal(int number) const { ::kill(pid_, number); }
  // The exit code, or 128 + the signal that ended it.
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  [[nodiscard]] bool running() {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
  }

 private:
  pid_t pid_ = -1;
};

class ProcessTest : public StepTest {
 protected:
  ProcessTest() {
    std::string lines;
    for (int i = 0; i < 400; ++i)
      lines += Value(Value::Object{{"text", "Item " + std::to_string(i) + " Answer: yes"}}).dump() + "\n";
    write("train.jsonl", lines);
  }
  [[nodiscard]] std::vector<std::string> train_arguments(const std::string& output) const {
    return {"train",
            "--model",
            fixture("models/tiny-gemma2-fp32"),
            "--data",
            path("train.jsonl"),
            "--output",
            path(output),
            "--save-steps",
            "20",
            "--logging-steps",
            "1",
            "--threads",
            "1"};
  }
  Process start(const std::vector<std::string>& arguments, const std::vector<std::string>& variables = {}) {
    return Process(arguments, path("stdout"), path("stderr"), variables);
  }
  // Until the file has `text`, or the process ended.
  void await(Process& process, const std::string& file, const std::string& text) {
    while (process.running()) {
      if (exists(file) && read(file).find(text) != std::string::npos) return;
      ::poll(nullptr, 0, 2);  // leaves the CPU to the process
    }
  }
};

TEST_F(ProcessTest, SigtermLeavesACheckpointAndTheSameCommandEndsAlike) {
  Process whole = start(train_arguments("whole"));
  ASSERT_EQ(whole.wait(), kStepOk) << read("stderr");
  Process stopped = start(train_arguments("stopped"));
  await(stopped, "stopped/metrics.jsonl", "\"step\":30,");
  stopped.signal(SIGTERM);
  ASSERT_EQ(stopped.wait(), kStepInterrupted) << read("stderr");
  EXPECT_EQ(read("stopped/status.txt").rfind("FAILED\ninterrupted after step ", 0), 0U);
  Process again = start(train_arguments("stopped"));
  ASSERT_EQ(again.wait(), kStepOk) << read("stderr");
  EXPECT_NE(read("stderr").find("resumed from checkpoint-"), std::string::npos);
  EXPECT_EQ(read("stopped/adapter/adapter_model.safetensors"), read("whole/adapter/adapter_model.safetensors"));
}

TEST_F(ProcessTest, KilledAtAnyInstantItGoesOnFromTheLastCompleteCheckpoint) {
  Process whole = start(train_arguments("whole"));
  ASSERT_EQ(whole.wait(), kStepOk) << read("stderr");
  for (const std::string step : {"40", "100", "180", "260", "340"}) {
    Process killed = start(train_arguments("killed"));
    await(killed, "killed/metrics.jsonl", "\"step\":" + step + ",");
    killed.signal(SIGKILL);
    killed.wait();
  }
  Process last = start(train_arguments("killed"));
  ASSERT_EQ(last.wait(), kStepOk) << read("stderr");
  EXPECT_NE(read("stderr").find("resumed from checkpoint-"), std::string::npos);
  EXPECT_EQ(read("killed/adapter/adapter_model.safetensors"), read("whole/adapter/adapter_model.safetensors"));
  EXPECT_EQ(json_lines(path("killed/metrics.jsonl")).size(), 400U);
}

TEST_F(ProcessTest, ScriptsVariablesAreDefaultsThatFlagsOverride) {
  auto arguments = train_arguments("out");
  arguments.insert(arguments.end(), {"--max-steps", "2", "--no-merge", "--lora-alpha", "4"});
  Process process = start(arguments, {"LORA_R=3", "LORA_ALPHA=99", "EPOCHS=7", "GRADIENT_ACCUMULATION_STEPS=2"});
  ASSERT_EQ(process.wait(), kStepOk) << read("stderr");
  const Value config = parse_json(read("out/config.json")).value();
  EXPECT_EQ(config.get_int("lora_r"), 3);
  EXPECT_EQ(*config.find("lora_alpha"), Value(4.0));
  EXPECT_EQ(*config.find("num_train_epochs"), Value(7.0));
  EXPECT_EQ(config.get_int("gradient_accumulation_steps"), 2);
  Process wrong = start(arguments, {"LORA_R=three"});
  EXPECT_EQ(wrong.wait(), kStepUsage);
  EXPECT_NE(read("stderr").find("LORA_R"), std::string::npos) << read("stderr");
}

TEST_F(ProcessTest, AFileOfSettingsLiesBetweenFlagsAndVariables) {
  write("train.yaml",
        "lora_r: 5\nlora-alpha: 6\nmax_steps: 2\nno_merge: true\nshuffle: false\ntarget_modules: [q_proj, v_proj]\n"
        "compat: hf\nlearning_rate: 1e-3\n");
  auto arguments = train_arguments("out");
  arguments.insert(arguments.end(), {"--config", path("train.yaml"), "--lora-alpha", "4"});
  Process process = start(arguments, {"LORA_R=3", "TRAIN_BATCH_SIZE=2"});
  ASSERT_EQ(process.wait(), kStepOk) << read("stderr");
  const Value config = parse_json(read("out/config.json")).value();
  EXPECT_EQ(config.get_int("lora_r"), 5);
  EXPECT_EQ(*config.find("lora_alpha"), Value(4.0));
  EXPECT_EQ(config.get_int("per_device_train_batch_size"), 2);
  EXPECT_EQ(*config.find("shuffle"), Value(false));
  EXPECT_EQ(*config.find("learning_rate"), Value(1e-3));
  EXPECT_EQ(config.get_string("compat"), "hf");
  EXPECT_EQ(config.find("target_modules")->as_array().size(), 2U);
  EXPECT_FALSE(exists("out/final_model"));

  write("train.yaml", R"({"lora_rank": 5})");
  EXPECT_EQ(start(arguments).wait(), kStepUsage);
  EXPECT_NE(read("stderr").find("train.yaml: `lora_rank`: there is no such setting"), std::string::npos)
      << read("stderr");
}

// A script's whole contract: nothing but variables.
struct Script {
  const char* name;
  std::vector<std::string> variables;  // besides model, data and output
  std::vector<std::pair<std::string, Value>> settings;
};
class ScriptTest : public ProcessTest, public ::testing::WithParamInterface<Script> {};

TEST_P(ScriptTest, RunsByItsVariablesAlone) {
  auto variables = GetParam().variables;
  const std::string at_model = "=" + fixture("models/tiny-gemma2-fp32"), at_data = "=" + path("train.jsonl");
  for (auto& variable : variables) {
    if (variable == "MODEL_ID" || variable == "MODEL_NAME") variable += at_model;
    if (variable == "PREPARED_DATA_URL" || variable == "LOCAL_DATA_PATH") variable += at_data;
  }
  variables.push_back("MODEL_PATH=" + path("out"));
  Process process = start({"train", "--threads", "1", "--max-steps", "3"}, variables);
  ASSERT_EQ(process.wait(), kStepOk) << read("stderr");
  const Value config = parse_json(read("out/config.json")).value();
  for (const auto& [key, value] : GetParam().settings) EXPECT_EQ(*config.find(key), value) << key;
  EXPECT_TRUE(exists("out/final_model/model.safetensors"));
  EXPECT_EQ(read("out/status.txt").rfind("SUCCESS\n", 0), 0U);
}
INSTANTIATE_TEST_SUITE_P(
    Scripts, ScriptTest,
    ::testing::Values(Script{"finetuning_py",
                             {"MODEL_ID", "PREPARED_DATA_URL", "LORA_R=8", "LORA_ALPHA=16", "LORA_DROPOUT=0.1",
                              "EPOCHS=1", "TRAIN_BATCH_SIZE=1", "GRADIENT_ACCUMULATION_STEPS=1", "MAX_SEQ_LENGTH=512",
                              "CHECKPOINT_SAVE_STRATEGY=steps", "CHECKPOINT_SAVE_STEPS=1000",
                              "CHECKPOINT_SAVE_TOTAL_LIMIT=5"},
                             {{"lora_r", 8},
                              {"lora_alpha", 16.0},
                              {"lora_dropout", 0.1},
                              {"learning_rate", 2e-4},
                              {"weight_decay", 0.001},
                              {"max_grad_norm", 0.3},
                              {"warmup_ratio", 0.03},
                              {"lr_scheduler_type", "cosine"},
                              {"group_by_length", true},
                              {"save_steps", 1000},
                              {"save_total_limit", 5},
                              {"max_seq_length", 512}}},
                      Script{"metaflow",
                             {"MODEL_NAME", "PREPARED_DATA_URL", "LORA_R=8", "LORA_ALPHA=16", "TRAIN_BATCH_SIZE=1",
                              "EVAL_BATCH_SIZE=2", "GRADIENT_ACCUMULATION_STEPS=2", "DATASET_LIMIT=40",
                              "MAX_SEQ_LENGTH=512", "LOGGING_STEPS=5"},
                             {{"gradient_accumulation_steps", 2},
                              {"samples", 40},
                              {"logging_steps", 5},
                              {"per_device_eval_batch_size", 2}}},
                      Script{"pipeline",
                             {"MODEL_NAME", "LOCAL_DATA_PATH", "PROJECT_ID=p"},
                             {{"per_device_train_batch_size", 1}, {"samples", 400}}}),
    [](const auto& row) { return row.param.name; });

// The whole contract of the script that reads from and writes to a bucket.
TEST_F(ProcessTest, AScriptsBucketIsReadAndWritten) {
  objects::FakeStorage storage;
  storage.objects["reviews/prepared_data.jsonl"] = read("train.jsonl");
  Process process =
      start({"train", "--threads", "1", "--max-steps", "2"},
            {"STORAGE_EMULATOR_HOST=" + storage.host(), "BUCKET_DATA_NAME=reviews", "BUCKET_NAME=assets",
             "NEW_MODEL_NAME=tuned", "MODEL_ID=" + fixture("models/tiny-gemma2-fp32"), "MODEL_PATH=" + path("out")});
  ASSERT_EQ(process.wait(), kStepOk) << read("stderr");
  for (const char* file : {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"})
    EXPECT_TRUE(storage.objects.contains("reviews/tuned/" + std::string(file))) << file;
  EXPECT_TRUE(
      std::regex_match(storage.order.back(), std::regex("assets/experiments/finetune_job_[0-9]{14}/status.txt")))
      << storage.order.back();
}

TEST_F(ProcessTest, OnATerminalProgressIsABar) {
  int terminal = -1, line = -1;
  const winsize size{.ws_row = 24, .ws_col = 70, .ws_xpixel = 0, .ws_ypixel = 0};
  ASSERT_EQ(::openpty(&terminal, &line, nullptr, nullptr, &size), 0);
  std::array<char, 256> name{};
  ASSERT_EQ(::ttyname_r(line, name.data(), name.size()), 0);
  auto arguments = train_arguments("out");
  arguments.insert(arguments.end(), {"--max-steps", "4", "--no-merge"});
  Process process(arguments, path("stdout"), name.data());
  ::close(line);
  std::string shown;
  std::array<char, 4096> bytes{};
  for (ssize_t got = 0; (got = ::read(terminal, bytes.data(), bytes.size())) > 0;)
    shown.append(bytes.data(), static_cast<std::size_t>(got));  // the last reader's end is an error
  EXPECT_EQ(process.wait(), kStepOk) << shown;
  ::close(terminal);
  EXPECT_NE(shown.find("\r\x1b[K 50% [==========>         ] 2/4 loss "), std::string::npos) << shown;
  EXPECT_NE(shown.find("\r\x1b[Kstep 4/4 loss "), std::string::npos) << shown;
}

TEST_F(ProcessTest, WrongFlagsAre2) {
  EXPECT_EQ(start({"train", "--model", "x"}).wait(), kStepUsage);
  EXPECT_EQ(start({"generate", "--model", "x", "--frobnicate"}).wait(), kStepUsage);
  EXPECT_EQ(start({"train", "--lr-scheduler-type", "sawtooth"}).wait(), kStepUsage);
  EXPECT_NE(read("stderr").find("cosine"), std::string::npos) << read("stderr");
}

TEST_F(ProcessTest, ServeModelAnswersAndDrainsOnSigterm) {
  Process server = start({"serve-model", "--model", fixture("models/tiny-gemma2-fp32"), "--threads", "1", "--adapter",
                          "tuned=" + fixture("goldens/tiny-gemma2/adapter0")},
                         {"PORT=0"});
  await(server, "stderr", "model is ready");
  std::smatch address;
  const std::string line = read("stdout");
  ASSERT_TRUE(std::regex_search(line, address, std::regex("listening on (http://127.0.0.1:[0-9]+)\n")))
      << read("stderr");
  const auto reply = http::make_curl_transport()->send({.method = "POST",
                                                        .url = address[1].str() + "/generate",
                                                        .headers = {},
                                                        .body = R"({"prompt":"Hi","max_tokens":2,"model":"tuned"})"});
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->status, 200) << reply->body;
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait(), kStepOk) << read("stderr");
}

TEST_F(ProcessTest, ServeModelEndsIfItCannotLoad) {
  EXPECT_EQ(start({"serve-model", "--port", "0", "--model", path("none")}).wait(), kStepInvalid);
  EXPECT_EQ(start({"serve-model", "--port", "0", "--model", path("none"), "--adapter", "nameless"}).wait(), kStepUsage);
}

}  // namespace
}  // namespace slipway::mlsteps
