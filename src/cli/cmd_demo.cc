// The first minute: a daemon with a home of its own, the demo pipeline, two questions to the model it serves.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <ostream>

#include "cli/exit_code.h"
#include "cli/print.h"
#include "cli/process.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "cli/watch.h"
#include "slipway/base/file.h"

namespace slipway::cli {
namespace {

struct DemoOptions {
  std::string dags;
  bool stop = false;
};

int run_self(const std::vector<std::string>& arguments) {
  std::string path = own_path();
  std::vector<std::string> words = arguments;
  std::vector<char*> argv{path.data()};
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  if (posix_spawn(&pid, path.c_str(), nullptr, nullptr, argv.data(), environ) != 0) return kInternal;
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : kInternal;
}

// Starts the daemon unless it runs; a taken port is no reason to fail, any free one will do.
int ensure_daemon(Session& session, const DemoOptions& options) {
  if (running_daemon(session.home())) return kOk;
  const std::vector<std::string> words{"up", "--detach", "--home", session.home(), "--dags", options.dags, "--listen"};
  auto usual = words, any = words;
  usual.emplace_back("127.0.0.1:8480");
  any.emplace_back("127.0.0.1:0");
  usual.emplace_back("--quiet");
  const int code = run_self(usual);
  return code == kConflict ? run_self(any) : code;
}

int stop_all(Session& session) {
  const auto daemon = running_daemon(session.home());
  if (!daemon) {
    session.err << "nothing of the demo runs\n";
    return kOk;
  }
  int code = kOk;
  const auto services = session.call("GET", "/services");
  if (!services) code = session.fail(services.error());
  const Value body = services.value_or(Value());
  for (const Value& item : list_of(body, "services")) {
    const auto stopped = session.call("POST", "/services/" + item.get_string("name") + "/stop", Value::Object{});
    if (!stopped) code = session.fail(stopped.error());
  }
  const auto ended = stop_process(daemon->pid, std::chrono::seconds(30));
  if (!ended) return session.fail(ended.error());
  if (code == kOk) session.err << "the demo's daemon and its model are stopped\n";
  return code;
}

// Ctrl-C before the end: whatever the demo started ends.
int interrupted(Session& session, const std::string& run) {
  session.err << "stopping the demo\n";
  const auto cancelled = session.call("POST", "/runs/" + run + "/cancel", Value::Object{{"now", true}});
  if (cancelled) {
    session.globals.timeout = "30s";
    [[maybe_unused]] const int code = watch_run(session, run);
  }
  stop_all(session);
  return kInterrupted;
}

const Value* output_of(const Value& body, const std::string& task, const std::string& name) {
  for (const Value& item : list_of(body, "tasks")) {
    if (item.get_string("task") != task) continue;
    const Value* outputs = item.find("outputs");
    return outputs == nullptr ? nullptr : outputs->find(name);
  }
  return nullptr;
}

std::string percent(const Value* fraction) {
  if (fraction == nullptr || !fraction->is_number()) return "unknown";
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.1f %%", fraction->as_double() * 100);
  return buffer;
}

// What the model adds to the prompt: its first word is the answer.
Result<std::string> ask(const std::string& url, const std::string& prompt) {
  const auto transport = http::make_curl_transport();
  const Value body = Value::Object{{"prompt", prompt}, {"temperature", 0}, {"max_tokens", 8}};
  SLIPWAY_TRY_ASSIGN(const auto reply, transport->send({.method = "POST",
                                                        .url = url + "/generate",
                                                        .headers = {{"Content-Type", "application/json"}},
                                                        .body = body.dump()}));
  if (reply.status != 200)
    return Error{ErrorCode::Unavailable,
                 "the model answered with status " + std::to_string(reply.status) + ": " + reply.body,
                 {}};
  SLIPWAY_TRY_ASSIGN(const Value answer, parse_json(reply.body));
  const Value* texts = answer.find("text");
  if (texts == nullptr || !texts->is_array() || texts->as_array().empty() || !texts->as_array().front().is_string())
    return Error{ErrorCode::Corrupt, "the model's reply has no text: " + reply.body, {}};
  std::string text = texts->as_array().front().as_string();
  if (text.rfind(prompt, 0) == 0) text.erase(0, prompt.size());
  const auto begin = text.find_first_not_of(" \n");
  return begin == std::string::npos ? std::string() : text.substr(begin, text.find_first_of(" \n", begin) - begin);
}

// Asks the questions of dags/demo/questions.json; false if an answer is not the expected one.
Result<bool> ask_questions(Session& session, const DemoOptions& options, const std::string& url) {
  SLIPWAY_TRY_ASSIGN(const std::string text, read_whole_file(options.dags + "/demo/questions.json", kFileBytesMax));
  SLIPWAY_TRY_ASSIGN(const Value questions, parse_json(text));
  bool right = !list_of(questions, "questions").empty();
  for (const Value& question : list_of(questions, "questions")) {
    SLIPWAY_TRY_ASSIGN(const std::string answer, ask(url, question.get_string("prompt")));
    session.out << "  \"" << question.get_string("review") << "\"\n    " << answer << "\n";
    right = right && answer == question.get_string("answer");
  }
  return right;
}

int show_results(Session& session, const DemoOptions& options, const std::string& run) {
  const auto body = session.call("GET", "/runs/" + run);
  if (!body) return session.fail(body.error());
  const std::string url = plain(output_of(*body, "serve", "url"));
  session.out << "\nasked the served model at " << url << " about two reviews it has never seen:\n";
  const auto right = ask_questions(session, options, url);
  if (!right) return session.fail(right.error());
  session.out << "accuracy on held-out reviews: " << percent(output_of(*body, "evaluate", "accuracy_before"))
              << " before, " << percent(output_of(*body, "evaluate", "accuracy")) << " after the fine-tuning\n"
              << "\nfiles   " << session.home() << "/workspace/" << run << "\n"
              << "daemon  " << running_daemon(session.home()).value_or(DaemonState{}).url << "\n"
              << "\nnext\n"
              << "  alias slipway='" << own_path() << " --home " << session.home() << "'\n"
              << "  slipway run get @latest\n  slipway task logs @latest finetune\n  slipway dag show demo\n"
              << "  curl -s " << url
              << "/generate -H 'Content-Type: application/json' -d '{\"prompt\": \"…\", \"max_tokens\": 8}'\n"
              << "  ./dev demo --stop\n";
  if (*right) return kOk;
  session.err << "slipway: an answer is not the expected one\n";
  return kFailed;
}

int demo(const DemoOptions& options, Session& session) {
  if (options.stop) return stop_all(session);
  const bool was_running = running_daemon(session.home()).has_value();
  const int started = ensure_daemon(session, options);
  if (started != kOk) return started;
  const auto made = session.call("POST", "/dags/demo/runs", Value::Object{{"params", Value::Object{}}});
  if (!made) return session.fail(made.error());
  const Value* header = made->find("run");
  const std::string run = header == nullptr ? "" : header->get_string("id");
  session.out << "run " << run << " of dags/demo/pipeline.yaml" << std::endl;
  session.globals.quiet = true;  // Ctrl-C means something else here than in `run watch`
  const int code = watch_run(session, run);
  if (code == kInterrupted && !was_running) return interrupted(session, run);
  if (code == kInterrupted) {
    [[maybe_unused]] const auto cancelled =
        session.call("POST", "/runs/" + run + "/cancel", Value::Object{{"now", true}});
    return kInterrupted;
  }
  if (code != kOk) {
    session.err << "look at it with `" << own_path() << " --home " << session.home() << " run logs " << run
                << "`; `./dev demo --stop` ends the daemon\n";
    return code;
  }
  return show_results(session, options, run);
}

}  // namespace

Handler setup_demo(CLI::App& app) {
  auto options = std::make_shared<DemoOptions>();
  app.add_option("--dags", options->dags, "folder that holds demo/pipeline.yaml [dags]");
  app.add_flag("--stop", options->stop, "end the daemon and the served model");
  return [options](Session& session) {
    options->dags = absolute_path(options->dags.empty() ? "dags" : options->dags);
    return demo(*options, session);
  };
}

}  // namespace slipway::cli
