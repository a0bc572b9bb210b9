#include "cli/watch.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <ostream>

#include "cli/api_path.h"
#include "cli/exit_code.h"
#include "cli/print.h"
#include "cli/run_view.h"
#include "cli/signals.h"

namespace slipway::cli {
namespace {

constexpr Duration kPoll = std::chrono::milliseconds(200);
// A run of ten thousand instances takes a while to read: at most a fifth of the time is spent on it.
constexpr Duration kPollMax = std::chrono::seconds(2);
constexpr int kRest = 4;

ViewOptions view_options(const Session& session) {
  ViewOptions options{.color = session.color(), .ascii = session.globals.ascii, .now = SystemClock().now()};
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 && size.ws_row > 4) {
    options.width = size.ws_col;
    options.height_max = size.ws_row - 1U;
  }
  return options;
}

std::string log_path(const std::string& run, const std::string& task, std::int64_t attempt, std::int64_t offset) {
  return task_path(run, task, "/logs") + "&attempt=" + std::to_string(attempt) + "&offset=" + std::to_string(offset);
}

// Reads what active tasks say of their progress, from where it stopped the last time.
class ProgressReader {
 public:
  ProgressReader(Session& session, std::string run) : session_(session), run_(std::move(run)) {}

  void read(const Value& body) {
    const Value* tasks = body.find("tasks");
    if (tasks == nullptr || !tasks->is_array()) return;
    for (const Value& task : tasks->as_array())
      if (task.get_string("state") == "active") read_task(task);
  }
  [[nodiscard]] const std::map<std::string, Progress>& by_task() const { return progress_; }

 private:
  void read_task(const Value& task) {
    const std::string name = task_name(task);
    const auto attempt = task.get_int("attempt");
    auto& [seen_attempt, offset] = offsets_[name];
    if (seen_attempt != attempt) {
      seen_attempt = attempt;
      offset = 0;
      progress_.erase(name);
    }
    const auto chunk = session_.call("GET", log_path(run_, name, attempt, offset));
    if (!chunk) return;  // progress is a courtesy
    offset = chunk->get_int("next", offset);
    const Value* lines = chunk->find("lines");
    if (lines == nullptr || !lines->is_array()) return;
    for (const Value& line : lines->as_array())
      if (const auto progress = parse_progress(line.get_string("text"))) progress_[name] = *progress;
  }

  Session& session_;
  std::string run_;
  std::map<std::string, Progress> progress_;
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> offsets_;  // task -> attempt, offset
};

// What happens by itself within milliseconds would only be noise.
bool worth_a_line(const std::string& state) { return state != "none" && state != "scheduled" && state != "queued"; }

// A line per change, and at most one of progress every two seconds.
class PlainView {
 public:
  void show(Session& session, const Value& body, const std::map<std::string, Progress>& progress) {
    const Instant now = SystemClock().now();
    for (const Value& task : list_of(body, "tasks")) {
      const std::string name = task_name(task);
      const auto line = change_line(before_[name], task, now);
      if (!line.empty() && worth_a_line(task.get_string("state"))) session.out << line << std::endl;
      before_[name] = task;
    }
    if (now - told_ < std::chrono::seconds(2)) return;
    for (const auto& [name, what] : progress) {
      if (before_[name].get_string("state") != "active" || shown_[name] == what.text()) continue;
      shown_[name] = what.text();
      told_ = now;
      session.out << to_rfc3339(now).substr(11, 8) << " " << name << " " << what.text() << std::endl;
    }
  }

 private:
  std::map<std::string, Value> before_;
  std::map<std::string, std::string> shown_;
  Instant told_{};
};

// Redraws in place: up as many lines as were drawn, then every line anew.
class TreeView {
 public:
  void show(Session& session, const Value& body, const std::map<std::string, Progress>& progress) {
    if (!asked_) usual_s_ = usual(session, body);
    asked_ = true;
    ViewOptions options = view_options(session);
    options.usual_s = usual_s_;
    const auto lines = draw_run(body, progress, options);
    if (drawn_ > 0) session.out << "\x1b[" << drawn_ << "A";
    for (const auto& line : lines) session.out << "\x1b[2K" << line << "\n";
    for (std::size_t i = lines.size(); i < drawn_; ++i) session.out << "\x1b[2K\n";
    drawn_ = std::max(drawn_, lines.size());
    session.out.flush();
  }

 private:
  // What earlier successes took; that it cannot be had keeps nobody from watching.
  static std::optional<double> usual(Session& session, const Value& body) {
    const Value* run = body.find("run");
    if (run == nullptr) return std::nullopt;
    const auto earlier =
        session.call("GET", "/runs?state=success&limit=15&dag=" + http::percent_encode(run->get_string("dag")));
    return earlier ? usual_duration(*earlier, run->get_string("id")) : std::nullopt;
  }

  std::size_t drawn_ = 0;
  bool asked_ = false;
  std::optional<double> usual_s_;
};

void print_end(Session& session, const Value& body) {
  const Value* run = body.find("run");
  if (run == nullptr || session.out_is_terminal) return;
  session.out << "run " << run->get_string("id") << " " << run->get_string("state") << " after "
              << elapsed(run->find("started_at"), run->find("ended_at"), SystemClock().now()) << std::endl;
}

// The run anew, if anything happened since `body`: one event tells, however large the run is.
Result<void> renew(Session& session, const std::string& id, Value& body) {
  const Value* run = body.find("run");
  const std::int64_t seen = run == nullptr ? 0 : run->get_int("last_event");
  SLIPWAY_TRY_ASSIGN(const Value news,
                     session.call("GET", "/runs/" + id + "/events?limit=1&after=" + std::to_string(seen)));
  if (list_of(news, "events").empty()) return {};
  SLIPWAY_TRY_ASSIGN(body, session.call("GET", "/runs/" + id));
  return {};
}

// `show` sees every body until the run is over.
template <class Show>
int follow(Session& session, const std::string& reference, Show show) {
  std::string id;
  Value body;
  return look_until_over(session, "run", id, [&]() -> Result<std::optional<int>> {
    if (id.empty()) {
      SLIPWAY_TRY_ASSIGN(body, session.call("GET", "/runs/" + reference));
      const Value* header = body.find("run");
      id = header == nullptr ? reference : header->get_string("id");
    }
    SLIPWAY_TRY(renew(session, id, body));
    show(id, body);
    return is_over(body) ? std::optional(exit_code_of_run(body)) : std::nullopt;
  });
}

// What the tasks of a run wrote since the last look.
class LogReader {
 public:
  LogReader(Session& session, std::string run) : session_(session), run_(std::move(run)) {}

  void read(const Value& body) {
    for (const Value& task : list_of(body, "tasks"))
      for (std::int64_t attempt = 1; attempt <= task.get_int("attempt"); ++attempt) read_attempt(task, attempt);
  }

 private:
  void read_attempt(const Value& task, std::int64_t attempt) {
    const std::string name = task_name(task);
    Seen& seen = seen_[{name, attempt}];
    while (!seen.over) {
      const auto chunk = session_.call("GET", log_path(run_, name, attempt, seen.offset));
      if (!chunk) return;  // asked again at the next look
      for (const Value& line : list_of(*chunk, "lines"))
        session_.out << name << " | " << line.get_string("text") << "\n";
      session_.out.flush();
      const auto next = chunk->get_int("next", seen.offset);
      const Value* over = chunk->find("over");
      seen.over = over != nullptr && over->is_bool() && over->as_bool();
      if (next == seen.offset) return;
      seen.offset = next;
    }
  }

  struct Seen {
    std::int64_t offset = 0;
    bool over = false;
  };
  Session& session_;
  std::string run_;
  std::map<std::pair<std::string, std::int64_t>, Seen> seen_;
};

}  // namespace

int look_until_over(Session& session, const std::string& kind, const std::string& id, const Look& look) {
  const auto limit = session.timeout();
  if (!limit) return session.usage(limit.error().message, limit.error().help);
  const SignalWaiter signals;
  const auto deadline = SystemClock().monotonic() + limit->value_or(Duration(0));
  for (;;) {
    const auto asked = SystemClock().monotonic();
    const auto code = look();
    if (!code) return session.fail(code.error());
    if (*code) return **code;
    const Duration took = SystemClock().monotonic() - asked;
    if (signals.wait(std::clamp(took * kRest, kPoll, kPollMax))) {
      if (!session.globals.quiet)
        session.err << "the " << kind << " goes on; stop it with `slipway " << kind << " cancel " << id << "`\n";
      return kInterrupted;
    }
    if (*limit && SystemClock().monotonic() > deadline) {
      session.err << "slipway: " << kind << " " << id << " is not over yet; --timeout has passed\n";
      return kTimedOut;
    }
  }
}

int watch_run(Session& session, const std::string& reference) {
  if (for_programs(session.format())) return wait_and_print(session, reference);
  std::optional<ProgressReader> progress;
  PlainView plain;
  TreeView tree;
  return follow(session, reference, [&](const std::string& id, const Value& body) {
    if (!progress) progress.emplace(session, id);
    progress->read(body);
    if (session.out_is_terminal)
      tree.show(session, body, progress->by_task());
    else
      plain.show(session, body, progress->by_task());
    if (is_over(body)) print_end(session, body);
  });
}

int wait_for_run(Session& session, const std::string& reference) {
  return follow(session, reference, [](const std::string&, const Value&) {});
}

int wait_and_print(Session& session, const std::string& reference) {
  return follow(session, reference, [&](const std::string&, const Value& body) {
    if (is_over(body)) print_run(session, body);
  });
}

int follow_logs(Session& session, const std::string& reference) {
  std::optional<LogReader> logs;
  return follow(session, reference, [&](const std::string& id, const Value& body) {
    if (!logs) logs.emplace(session, id);
    logs->read(body);
    if (is_over(body)) print_end(session, body);
  });
}

}  // namespace slipway::cli
