// What became of runs and tasks: run events, run diff, task get, task attempts.
#include <CLI/CLI.hpp>
#include <ostream>

#include "cli/api_path.h"
#include "cli/exit_code.h"
#include "cli/print.h"
#include "cli/run_view.h"
#include "cli/session.h"
#include "cli/signals.h"
#include "cli/verbs.h"

namespace slipway::cli {
namespace {

// The event without its kind, on one line.
std::string event_text(const Value& event) {
  Value::Object rest = event.is_object() ? event.as_object() : Value::Object{};
  rest.erase("kind");
  rest.erase("rendered");
  if (const auto run = rest.find("run"); run != rest.end() && run->second.is_object()) rest.erase(run);
  std::string text;
  for (const auto& [name, value] : rest) text += (text.empty() ? "" : "  ") + name + "=" + plain(&value);
  return text;
}

Table events_table(const Value& body, bool) {
  Table table({"SEQ", "AT", "EVENT", "WHAT"});
  for (const Value& item : list_of(body, "events")) {
    const Value* event = item.find("event");
    const Value nothing;
    table.add({plain(item.find("seq")), short_time(item.find("at")), event == nullptr ? "" : event->get_string("kind"),
               event_text(event == nullptr ? nothing : *event)});
  }
  return table;
}

void print_events(Session& session, const Value& body) {
  if (session.format() == Format::Table || session.format() == Format::Wide) {
    for (const Value& item : list_of(body, "events")) {
      const Value* event = item.find("event");
      if (event == nullptr) continue;
      session.out << item.get_string("at").substr(0, 26) << "Z #" << plain(item.find("seq")) << " "
                  << event->get_string("kind") << "  " << event_text(*event) << "\n";
    }
  } else {
    for (const Value& item : list_of(body, "events")) session.out << item.dump() << "\n";
  }
  session.out.flush();
}

// A line per event as it comes, until the run is over and all was told. The run, which may be large, is read only when
// its events have run out.
int follow_events(Session& session, const std::string& run) {
  const SignalWaiter signals;
  std::int64_t after = 0, read_at = -1;
  bool over = false;
  for (;;) {
    const auto page = session.call("GET", "/runs/" + run + "/events?after=" + std::to_string(after));
    if (!page) return session.fail(page.error());
    print_events(session, *page);
    const bool more = !list_of(*page, "events").empty();
    after = page->get_int("next", after);
    if (more) continue;
    if (read_at < after) {
      const auto body = session.call("GET", "/runs/" + run);
      if (!body) return session.fail(body.error());
      over = is_over(*body);
      read_at = body->find("run")->get_int("last_event");
    }
    if (read_at > after) continue;  // something came between the two
    if (over) return kOk;
    if (signals.wait(std::chrono::milliseconds(200))) return kInterrupted;
  }
}

Table differences_table(const Value& body, bool) {
  const Value::Array& runs = list_of(body, "runs");
  Table table({"WHAT", plain(runs.empty() ? nullptr : &runs.front()), plain(runs.empty() ? nullptr : &runs.back())});
  for (const Value& item : list_of(body, "differences"))
    table.add({item.get_string("field"), plain(item.find("before")), plain(item.find("after"))});
  for (const Value& task : list_of(body, "tasks")) {
    const Value::Array& seconds = list_of(task, "seconds");
    const auto took = [](const Value& value) { return value.is_number() ? short_duration(value.as_double()) : ""; };
    if (seconds.size() == 2) table.add({task_name(task) + " took", took(seconds[0]), took(seconds[1])});
    for (const Value& item : list_of(task, "differences"))
      table.add(
          {task_name(task) + " " + item.get_string("field"), plain(item.find("before")), plain(item.find("after"))});
  }
  return table;
}

Table attempts_table(const Value& body, bool wide) {
  std::vector<std::string> header{"ATTEMPT", "STATE", "STARTED", "TOOK", "EXIT", "CLASS", "REASON"};
  if (wide) header.insert(header.end(), {"GENERATION", "EXECUTOR", "IDENTITY"});
  Table table(header);
  for (const Value& attempt : list_of(body, "attempts")) {
    std::vector<std::string> row{plain(attempt.find("attempt")),
                                 attempt.get_string("state"),
                                 short_time(attempt.find("started_at")),
                                 elapsed(attempt.find("started_at"), attempt.find("ended_at"), SystemClock().now()),
                                 plain(attempt.find("exit_code")),
                                 attempt.get_string("class"),
                                 attempt.get_string("reason")};
    if (wide)
      row.insert(row.end(),
                 {plain(attempt.find("generation")), attempt.get_string("executor"), attempt.get_string("identity")});
    table.add(row);
  }
  return table;
}

struct TaskName {
  std::string run, task;
};

void add_task(CLI::App& app, TaskName& name) {
  app.add_option("run", name.run, "id, unique prefix of one, @latest or @failed")->required();
  app.add_option("task", name.task, "id of the task; name[3] for an element of a mapped one")->required();
}

}  // namespace

Handler setup_run_events(CLI::App& app) {
  auto run = std::make_shared<std::string>();
  auto follow = std::make_shared<bool>(false);
  app.add_option("run", *run, "id, unique prefix of one, @latest or @failed")->required();
  app.add_flag("-f,--follow", *follow, "go on until the run is over; a line per event");
  return [run, follow](Session& session) {
    const std::string id = http::percent_encode(*run);
    if (*follow) return follow_events(session, id);
    const auto body = session.call("GET", "/runs/" + id + "/events?limit=10000");
    if (!body) return session.fail(body.error());
    print_body(session, *body, {"events", "seq", events_table});
    return kOk;
  };
}

Handler setup_run_diff(CLI::App& app) {
  auto runs = std::make_shared<std::vector<std::string>>();
  app.add_option("runs", *runs, "two runs: ids, unique prefixes, @latest or @failed")->required()->expected(2);
  return [runs](Session& session) {
    const auto body = session.call(
        "GET", "/runs/" + http::percent_encode(runs->front()) + "/diff?with=" + http::percent_encode(runs->back()));
    if (!body) return session.fail(body.error());
    print_body(session, *body, {"", "runs", differences_table});
    return kOk;
  };
}

// The API has no route for one task: it is taken out of the run.
Handler setup_task_get(CLI::App& app) {
  auto name = std::make_shared<TaskName>();
  add_task(app, *name);
  return [name](Session& session) {
    const auto body = session.call("GET", "/runs/" + http::percent_encode(name->run));
    if (!body) return session.fail(body.error());
    for (const Value& task : list_of(*body, "tasks")) {
      if (task_name(task) != name->task) continue;
      const auto table = [](const Value& value, bool) {
        Table rows({"FIELD", "VALUE"});
        for (const auto& [field, content] : value.as_object()) rows.add({field, plain(&content)});
        return rows;
      };
      print_body(session, task, {"", "task", table});
      return kOk;
    }
    return session.fail(
        {ErrorCode::NotFound, "the run has no task `" + name->task + "`", "slipway run get " + name->run});
  };
}

Handler setup_task_attempts(CLI::App& app) {
  auto name = std::make_shared<TaskName>();
  add_task(app, *name);
  return [name](Session& session) {
    const auto body = session.call("GET", task_path(name->run, name->task, "/attempts"));
    if (!body) return session.fail(body.error());
    print_body(session, *body, {"attempts", "attempt", attempts_table});
    return kOk;
  };
}

}  // namespace slipway::cli
