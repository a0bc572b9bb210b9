// help: topics that no verb's own help can hold.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <ostream>

#include "cli/exit_code.h"
#include "cli/help_topics.h"
#include "cli/print.h"
#include "cli/session.h"
#include "cli/verbs.h"

namespace slipway::cli {
namespace {

// The heading without its marks: "## Exit codes" -> "Exit codes".
std::string title(const HelpTopic& topic) {
  const auto line = topic.text.substr(0, topic.text.find('\n'));
  return std::string(line.substr(std::min(line.size(), line.find_first_not_of("# "))));
}

int list_topics(Session& session) {
  Value::Array topics;
  for (const HelpTopic& topic : help_topics())
    topics.push_back(Value::Object{{"topic", topic.name}, {"title", title(topic)}});
  print_body(session, Value::Object{{"topics", std::move(topics)}},
             {"topics", "topic", [](const Value& body, bool) {
                Table table({"TOPIC", "TITLE"});
                for (const Value& topic : list_of(body, "topics"))
                  table.add({topic.get_string("topic"), topic.get_string("title")});
                return table;
              }});
  return kOk;
}

int print_topic(Session& session, const HelpTopic& topic) {
  if (session.format() == Format::Table || session.format() == Format::Wide) {
    session.out << topic.text;
    return kOk;
  }
  print_body(session, Value::Object{{"topic", topic.name}, {"text", topic.text}}, {"", "topic", {}});
  return kOk;
}

}  // namespace

Handler setup_help(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  std::string known;
  std::vector<std::string> names;
  for (const HelpTopic& topic : help_topics()) {
    names.emplace_back(topic.name);
    known += (known.empty() ? "" : ", ") + names.back();
  }
  app.add_option("topic", *name, "one of " + known + "; without one they are listed")->check(CLI::IsMember(names));
  return [name](Session& session) {
    for (const HelpTopic& topic : help_topics())
      if (topic.name == *name) return print_topic(session, topic);
    return list_topics(session);
  };
}

}  // namespace slipway::cli
