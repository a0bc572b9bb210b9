#include "cli/app.h"

#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/session.h"

namespace slipway::cli {
namespace {

struct Outcome {
  int code;
  std::string out, err;
};

Outcome run_words(const std::vector<std::string>& words,
                  std::map<std::string, std::string> env = {{"HOME", "/nonexistent"}}) {
  std::ostringstream out, err;
  Session session(out, err, std::move(env));
  const int code = run(words, session);
  return {code, out.str(), err.str()};
}

TEST(App, BareCommandAndBareGroupShowHelp) {
  const auto bare = run_words({});
  EXPECT_EQ(bare.code, kOk);
  EXPECT_NE(bare.out.find("DAG files"), std::string::npos);
  const auto group = run_words({"dag"});
  EXPECT_EQ(group.code, kOk);
  EXPECT_NE(group.out.find("validate"), std::string::npos);
}

TEST(App, EveryVerbHasHelpAndASummary) {
  for (const Command& command : commands()) {
    std::vector<std::string> words;
    std::istringstream path{std::string(command.path)};
    for (std::string word; path >> word;) words.push_back(word);
    words.emplace_back("--help");
    const auto outcome = run_words(words);
    EXPECT_EQ(outcome.code, kOk) << command.path;
    EXPECT_NE(outcome.out.find(command.summary), std::string::npos) << command.path;
    EXPECT_NE(command.summary.back(), '.') << command.path;
  }
}

TEST(App, NamesAreUniqueAndGroupsDescribed) {
  std::set<std::string_view> seen, described;
  for (const Group& group : groups()) described.insert(group.path);
  for (const Command& command : commands()) {
    EXPECT_TRUE(seen.insert(command.path).second) << command.path;
    for (auto space = command.path.find(' '); space != std::string_view::npos;
         space = command.path.find(' ', space + 1))
      EXPECT_EQ(described.count(command.path.substr(0, space)), 1U) << command.path;
  }
}

TEST(App, UsageErrorsNameTheNearestVerb) {
  const auto group = run_words({"rnu", "list"});
  EXPECT_EQ(group.code, kUsage);
  EXPECT_EQ(group.err, "slipway: `rnu` is no command of `slipway`\nhelp: did you mean `run`?\n");
  const auto verb = run_words({"dag", "valdate", "x"});
  EXPECT_EQ(verb.code, kUsage);
  EXPECT_EQ(verb.err, "slipway: `valdate` is no command of `slipway dag`\nhelp: did you mean `validate`?\n");
}

TEST(App, WhatNobodyTakesIsNamedWithACure) {
  const auto command = run_words({"frobnicate"});
  EXPECT_EQ(command.code, kUsage);
  EXPECT_EQ(command.err,
            "slipway: `frobnicate` is no command of `slipway`\nhelp: `slipway --help` lists its commands\n");
  const auto option = run_words({"run", "start", "d", "--wacth"});
  EXPECT_EQ(option.code, kUsage);
  EXPECT_EQ(option.err, "slipway: `--wacth` is no option of `slipway run start`\nhelp: did you mean `--watch`?\n");
  const auto global = run_words({"run", "list", "--outptu=json"});
  EXPECT_EQ(global.err, "slipway: `--outptu` is no option of `slipway run list`\nhelp: did you mean `--output`?\n");
  const auto argument = run_words({"run", "get", "a", "b"});
  EXPECT_EQ(argument.code, kUsage);
  EXPECT_EQ(argument.err,
            "slipway: `b` is one argument too many for `slipway run get`\nhelp: `slipway run get --help` lists what it "
            "takes\n");
}

TEST(App, HelpOfACommandThatDoesNotExistIsAMistake) {
  const auto outcome = run_words({"modle", "list", "--help"});
  EXPECT_EQ(outcome.code, kUsage);
  EXPECT_TRUE(outcome.out.empty());
  EXPECT_NE(outcome.err.find("`modle` is no command of `slipway`"), std::string::npos);
}

TEST(App, HelpSaysTheWholeCommand) {
  EXPECT_NE(run_words({"run", "start", "--help"}).out.find("Usage: slipway run start [OPTIONS] dag"),
            std::string::npos);
  EXPECT_NE(run_words({"auth", "token"}).out.find("Usage: slipway auth token"), std::string::npos);
  EXPECT_NE(run_words({"run", "start", "--help"}).out.find("slipway --help"), std::string::npos);
}

TEST(App, HelpOfACommandIsTheSameBothWays) {
  EXPECT_EQ(run_words({"help", "run", "start"}).out, run_words({"run", "start", "--help"}).out);
  const auto wrong = run_words({"help", "exit-code"});
  EXPECT_EQ(wrong.code, kUsage);
  EXPECT_EQ(wrong.err, "slipway: `exit-code` is no topic and no command\nhelp: did you mean `exit-codes`?\n");
}

TEST(App, GlobalOptionsMayStandBehindTheVerb) {
  EXPECT_EQ(run_words({"version", "-o", "json"}).out, run_words({"-o", "json", "version"}).out);
  EXPECT_EQ(run_words({"version", "-o", "xml"}).code, kUsage);
}

TEST(App, MissingArgumentsAreUsageErrors) {
  const auto outcome = run_words({"run", "get"});
  EXPECT_EQ(outcome.code, kUsage);
  EXPECT_NE(outcome.err.find("run is required"), std::string::npos);
  EXPECT_NE(outcome.err.find("`slipway run get --help`"), std::string::npos);
}

TEST(App, WithoutADaemonTheCureIsNamed) {
  const auto outcome = run_words({"run", "list", "--home", "/nonexistent/home"});
  EXPECT_EQ(outcome.code, kUnreachable);
  EXPECT_NE(outcome.err.find("slipway up"), std::string::npos);
}

TEST(Completion, KnowsEveryVerb) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const auto script = run_words({"completion", shell});
    EXPECT_EQ(script.code, kOk);
    for (const Command& command : commands()) {
      if (command.internal) continue;
      const auto space = command.path.rfind(' ');
      EXPECT_NE(script.out.find(command.path.substr(space == std::string_view::npos ? 0 : space + 1)),
                std::string::npos)
          << shell << " " << command.path;
    }
  }
}

TEST(App, WordsMayGoThreeDeep) {
  EXPECT_NE(run_words({"auth", "token"}).out.find("revoke"), std::string::npos);
  const auto wrong = run_words({"auth", "token", "creat"});
  EXPECT_EQ(wrong.code, kUsage);
  EXPECT_NE(wrong.err.find("did you mean `create`?"), std::string::npos);
}

}  // namespace
}  // namespace slipway::cli
