// The topics of `slipway help` are sections of docs/: what they list is what the code has, no more and no less.
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <set>
#include <sstream>

#include "cli/app.h"
#include "cli/command.h"
#include "cli/config.h"
#include "cli/exit_code.h"
#include "cli/help_topics.h"
#include "cli/session.h"
#include "slipway/dag/expr.h"
#include "slipway/dag/parse.h"
#include "slipway/dag/schedule.h"
#include "support/golden.h"

namespace slipway::cli {
namespace {

std::string topic(std::string_view name) {
  for (const HelpTopic& topic : help_topics())
    if (topic.name == name) return std::string(topic.text);
  ADD_FAILURE() << "no topic " << name;
  return "";
}

// What the first group of `pattern` matches, everywhere in `text`.
std::set<std::string> all_of(const std::string& text, const std::string& pattern) {
  std::set<std::string> found;
  const std::regex regex(pattern);
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it) found.insert((*it)[1]);
  return found;
}

std::string sources_of(std::initializer_list<const char*> folders) {
  std::string text;
  for (const char* folder : folders)
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(std::filesystem::path(SLIPWAY_SOURCE_DIR) / folder))
      if (entry.path().extension() == ".cc" || entry.path().extension() == ".h") text += test::read_text(entry.path());
  return text;
}

TEST(Help, TopicsAreSectionsOfTheDocumentation) {
  std::vector<std::string_view> names;
  for (const HelpTopic& topic : help_topics()) {
    names.push_back(topic.name);
    EXPECT_EQ(topic.text.substr(0, 3), "## ") << topic.name;
    EXPECT_EQ(topic.text.find("\n## "), std::string_view::npos) << topic.name;
    EXPECT_GT(topic.text.size(), 200U) << topic.name;
  }
  EXPECT_EQ(names, (std::vector<std::string_view>{"exit-codes", "environment", "config", "cron", "templates", "yaml"}));
}

TEST(Help, ExitCodesAreThoseOfTheCode) {
  std::set<std::string> known;
  for (const ExitCode& code : kExitCodes) known.insert(std::to_string(code.number));
  // The trainer's own; the orchestrator may be built without it.
  const auto trainer = test::read_text(std::filesystem::path(SLIPWAY_SOURCE_DIR) / "include/slipway/mlsteps/train.h");
  for (const char* code : {"65", "75"}) {
    EXPECT_TRUE(std::regex_search(trainer, std::regex(std::string("Exit codes:.*\\b") + code + "\\b"))) << code;
    known.insert(code);
  }
  EXPECT_EQ(all_of(topic("exit-codes"), R"(\n\| (\d+) \|)"), known);
}

TEST(Help, VariablesAreThoseOfTheCode) {
  auto documented = all_of(topic("environment"), R"((SLIPWAY_[A-Z_]+))");
  std::set<std::string> known;
  for (const Setting& setting : kSettings) {
    std::string name = "SLIPWAY_";
    for (const char c : setting.name) name += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    known.insert(name);
  }
  for (std::string name :
       all_of(sources_of({"src/cli", "src/engine", "src/exec", "src/steps"}), R"re("(SLIPWAY_[A-Z_]+)[="])re")) {
    if (name.back() == '_') name += "NAME";
    known.insert(name);
  }
  known.erase("SLIPWAY_CASE_HOME");  // marks the processes of a test
  EXPECT_EQ(documented, known);
}

TEST(Help, SettingsAreThoseOfTheCode) {
  const std::string text = topic("config");
  std::string table;
  for (const Setting& setting : kSettings)
    table += "| `" + std::string(setting.name) + "` | " +
             (setting.fallback.empty() ? "" : "`" + std::string(setting.fallback) + "` ") + "| " +
             std::string(setting.doc) + " |\n";
  EXPECT_NE(text.find(table), std::string::npos) << table;
}

TEST(Help, CronExamplesAreCron) {
  int rows = 0;
  for (const std::string& expression : all_of(topic("cron"), R"(\n\| `([^`]+)` \| [A-Z][a-z]+/)")) {
    EXPECT_TRUE(dag::parse_cron(expression)) << expression;
    ++rows;
  }
  EXPECT_GT(rows, 5);
}

TEST(Help, TemplatesTellEveryFunctionAndEveryNameOfARun) {
  const std::string text = topic("templates");
  for (const auto& function : dag::expression_functions())
    EXPECT_NE(text.find("| `" + std::string(function.signature) + "` |"), std::string::npos) << function.signature;
  for (const std::string_view name : dag::kRunNames)
    EXPECT_NE(text.find("`" + std::string(name) + "`"), std::string::npos) << name;
}

struct Printed {
  int code;
  std::string out;
};
Printed print(const std::vector<std::string>& words) {
  std::ostringstream out, err;
  Session session(out, err, {{"HOME", "/nonexistent"}});
  const int code = run(words, session);
  return {code, out.str()};
}

TEST(Help, IsPrintedListedAndRefused) {
  EXPECT_EQ(print({"help", "cron"}).out, topic("cron"));
  EXPECT_EQ(print({"help", "-o", "name"}).out, "exit-codes\nenvironment\nconfig\ncron\ntemplates\nyaml\n");
  const auto body = parse_json(print({"help", "yaml", "-o", "json"}).out);
  ASSERT_TRUE(body);
  EXPECT_EQ(body->get_string("text"), topic("yaml"));
  EXPECT_EQ(print({"help", "nothing"}).code, kUsage);
}

TEST(Man, HasEveryVerbAndItsOptions) {
  const auto page = print({"man"});
  EXPECT_EQ(page.code, kOk);
  for (const Command& command : commands()) {
    std::string path = "\n.SS slipway " + std::string(command.path);
    for (auto at = path.find('-'); at != std::string::npos; at = path.find('-', at + 2)) path.replace(at, 1, "\\-");
    EXPECT_EQ(page.out.find(path) == std::string::npos, command.internal) << command.path;
  }
  EXPECT_NE(page.out.find("slipway run start dag [options]\n"), std::string::npos);
  EXPECT_NE(page.out.find(".B \\-p,\\-\\-param VALUE\nparameter as name=value"), std::string::npos);
  EXPECT_NE(page.out.find(".B \\-y,\\-\\-yes\nanswer yes"), std::string::npos);
  EXPECT_NE(page.out.find(".B 130\nCtrl\\-C\n"), std::string::npos);
  // A line that begins with a dot is a request; the page uses only these.
  EXPECT_EQ(all_of(page.out, R"(\n\.([A-Za-z]+))"), (std::set<std::string>{"SH", "SS", "TP", "B", "br"}));
}

}  // namespace
}  // namespace slipway::cli
