// help: topics that no verb's own help can hold.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <ostream>

#include "cli/app.h"
#include "cli/exit_code.h"
#include "cli/help_topics.h"
#include "cli/print.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "slipway/base/diagnostics.h"

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

bool is_command(const std::string& word) {
  return std::any_of(commands().begin(), commands().end(),
                     [&](const Command& command) { return command.path.substr(0, command.path.find(' ')) == word; });
}

int help_of(Session& session, std::vector<std::string> words) {
  words.emplace_back("--help");
  return run(words, session);
}

std::string nearest_topic(const std::string& word) {
  std::vector<std::string> known;
  for (const HelpTopic& topic : help_topics()) known.emplace_back(topic.name);
  for (const Command& command : commands()) known.emplace_back(command.path.substr(0, command.path.find(' ')));
  const auto near = nearest(word, known);
  return near ? "did you mean `" + *near + "`?" : "`slipway help` lists the topics, `slipway --help` the commands";
}

}  // namespace

Handler setup_help(CLI::App& app) {
  auto words = std::make_shared<std::vector<std::string>>();
  std::string known;
  for (const HelpTopic& topic : help_topics()) known += (known.empty() ? "" : ", ") + std::string(topic.name);
  app.add_option("topic", *words, "one of " + known + ", or a command; without one the topics are listed");
  return [words](Session& session) {
    if (words->empty()) return list_topics(session);
    for (const HelpTopic& topic : help_topics())
      if (words->size() == 1 && topic.name == words->front()) return print_topic(session, topic);
    if (is_command(words->front())) return help_of(session, *words);
    return session.usage("`" + words->front() + "` is no topic and no command", nearest_topic(words->front()));
  };
}

}  // namespace slipway::cli
