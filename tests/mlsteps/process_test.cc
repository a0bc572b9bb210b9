// The binary itself: flags, environment, signals, exit codes.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <regex>

#include "mlsteps/step_fixture.h"
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
