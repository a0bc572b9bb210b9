#include "slipway/exec/routed_executor.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace slipway::exec {
namespace {

// Writes down what it is asked.
class Scribe final : public Executor {
 public:
  Scribe(std::string name, std::vector<std::string>& said) : name_(std::move(name)), said_(said) {}

  [[nodiscard]] std::string_view name() const override { return name_; }
  void launch(LaunchSpec spec) override { say("launch", spec.id); }
  void stop(const AttemptId& id, bool) override { say("stop", id); }
  void adopt(const std::vector<OpenAttempt>& attempts) override {
    for (const OpenAttempt& open : attempts) say("adopt", open.id);
  }
  void forget(const AttemptId& id) override { say("forget", id); }
  [[nodiscard]] std::string note(const AttemptId&) const override { return name_ == "local" ? "" : "waits"; }

 private:
  void say(const std::string& what, const AttemptId& id) { said_.push_back(name_ + " " + what + " " + id.key.str()); }

  std::string name_;
  std::vector<std::string>& said_;
};

AttemptId id_of(const std::string& task) { return {RunId("r1"), {TaskId(task), TaskKey::kUnmapped}, 1}; }
LaunchSpec spec_of(const std::string& task, const std::string& executor) {
  LaunchSpec spec;
  spec.id = id_of(task);
  spec.executor = executor;
  return spec;
}

TEST(RoutedExecutor, SendsEachAttemptWhereItBelongs) {
  std::vector<std::string> said;
  RoutedExecutor::Routes routes;
  for (const char* name : {"local", "kubernetes"}) routes[name] = std::make_unique<Scribe>(name, said);
  RoutedExecutor executor(std::move(routes));
  EXPECT_TRUE(executor.has("") && executor.has("local") && executor.has("kubernetes"));
  EXPECT_FALSE(executor.has("moon"));
  executor.launch(spec_of("a", ""));
  executor.launch(spec_of("b", "kubernetes"));
  EXPECT_EQ(said, (std::vector<std::string>{"local launch a", "kubernetes launch b"}));
  said.clear();
  executor.adopt({{id_of("c"), "", false, {}, false, 1, {}, "kubernetes"}, {id_of("d")}});
  std::sort(said.begin(), said.end());
  EXPECT_EQ(said, (std::vector<std::string>{"kubernetes adopt c", "local adopt d"}));
  said.clear();
  executor.launch_all({spec_of("e", "local"), spec_of("f", "kubernetes")});
  std::sort(said.begin(), said.end());
  EXPECT_EQ(said, (std::vector<std::string>{"kubernetes launch f", "local launch e"}));
}

TEST(RoutedExecutor, WhoDoesNotKnowAnAttemptIgnoresIt) {
  std::vector<std::string> said;
  RoutedExecutor::Routes routes;
  for (const char* name : {"local", "kubernetes"}) routes[name] = std::make_unique<Scribe>(name, said);
  RoutedExecutor executor(std::move(routes));
  executor.stop(id_of("a"), true);
  executor.forget(id_of("a"));
  EXPECT_EQ(said,
            (std::vector<std::string>{"kubernetes stop a", "local stop a", "kubernetes forget a", "local forget a"}));
  EXPECT_EQ(executor.note(id_of("a")), "waits");
}

}  // namespace
}  // namespace slipway::exec
