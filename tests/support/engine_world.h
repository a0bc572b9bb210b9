// A daemon without its machine: a real engine on a store, a fake machine and a clock that the test moves. The daemon
// can die and start again; disk, machine and clock go on.
#pragma once

#include <gtest/gtest.h>

#include "slipway/engine/engine.h"
#include "support/fake_executor.h"
#include "support/fake_prober.h"
#include "support/memory_store.h"
#include "support/run_builder.h"
#include "support/sim_clock.h"

namespace slipway::test {

class FakeSecrets final : public engine::SecretSource {
 public:
  Result<Secret> get(const std::string& name) override {
    const auto found = values.find(name);
    if (found == values.end()) return Error{ErrorCode::NotFound, "there is no such secret", {}};
    return Secret(found->second);
  }
  std::vector<std::string> names() override {
    std::vector<std::string> all;
    for (const auto& [name, value] : values) all.push_back(name);
    return all;
  }

  std::map<std::string, std::string> values;
};

// Takes what it is given and says nothing.
class FakeCarrier final : public engine::NoticeCarrier {
 public:
  void deliver(run::Notice notice) override { delivered.push_back(std::move(notice)); }

  std::vector<run::Notice> delivered;
};

// Remembers what was worked on; what is set aside is up to the test.
class FakeSuspects final : public Suspects {
 public:
  void work_on(std::string_view subject) override {
    current = subject;
    if (!subject.empty()) named.emplace(subject);
  }
  [[nodiscard]] bool is_set_aside(std::string_view subject) const override { return aside.count(subject) != 0; }

  std::string current;
  std::set<std::string, std::less<>> named, aside;
};

class EngineWorld {
 public:
  EngineWorld() : machine([this](const exec::LaunchSpec& spec) { return behave(spec); }) {
    options.home = "/home/slipway";
    options.server_url = "http://localhost:8080";
    options.tool = "/opt/bin/slipway";
    options.base_env = {{"PATH", "/usr/bin"}};
  }

  std::set<std::string, std::less<>> executors;  // besides the fake one; for boot()

  void boot() {
    store = std::make_unique<MemoryStore>(disk);
    executor = std::make_unique<FakeExecutor>(machine, clock, rng);
    executor->set_others(executors);
    daemon = std::make_unique<engine::Engine>(options, *store, *executor, secrets, clock, rng, Logger());
    executor->set_sink(daemon.get());
    daemon->set_notice_carrier(&carrier);
    prober = {};
    daemon->set_prober(&prober);
    daemon->set_suspects(&suspects);
    const auto recovered = daemon->recover();
    ASSERT_TRUE(recovered) << recovered.error().message;
  }
  void die() {
    daemon.reset();
    executor.reset();
    store.reset();
  }

  // One step of the engine; its error ends the test.
  std::optional<Instant> step() {
    const auto stepped = daemon->step();
    EXPECT_TRUE(stepped) << stepped.error().message;
    return stepped ? *stepped : std::nullopt;
  }
  // Steps and lets time pass until nothing is left to happen, or `end` is reached.
  void drive(std::optional<Instant> end = std::nullopt) {
    for (int i = 0; i < 10'000; ++i) {
      executor->pump();
      std::optional<Instant> next = step();
      if (const auto due = executor->next_due(); due && (!next || *due < *next)) next = due;
      if (!next || (end && *next > *end)) break;
      clock.advance_to(*next);
    }
    if (end) clock.advance_to(*end);
  }
  // A command and the step that answers it.
  Result<engine::Reply> ask(engine::Command command) {
    std::optional<Result<engine::Reply>> reply;
    daemon->submit(std::move(command), [&](Result<engine::Reply> r) { reply = std::move(r); });
    step();
    EXPECT_TRUE(reply.has_value());
    return reply.value_or(Error{ErrorCode::Internal, "no reply", {}});
  }
  void put(const std::string& text, const std::string& file = "d.yaml", const dag::Companions& beside = {}) {
    ASSERT_TRUE(ask(engine::DagFolder{{{file, text, true, beside}}, false}));
  }
  RunId trigger(const std::string& dag = "d", Value params = {}, const std::string& key = {}) {
    const auto reply = ask(engine::TriggerRun{DagId(dag), std::move(params), key, {}});
    EXPECT_TRUE(reply) << reply.error().message;
    return reply ? reply->run : RunId();
  }
  [[nodiscard]] const run::Run& run(const RunId& id) const { return disk->runs.at(id); }
  [[nodiscard]] const run::TaskInstance& task(const RunId& id, const std::string& name) const {
    return run(id).tasks.at(key_of(name));
  }

  std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>();
  SimClock clock{at_second(0)};
  Rng rng{1};
  FakeSecrets secrets;
  FakeCarrier carrier;
  std::map<std::string, Script> scripts;           // by task; the default succeeds at once
  std::map<AttemptId, exec::LaunchSpec> launched;  // what was started
  FakeMachine machine;
  engine::Options options;
  std::unique_ptr<MemoryStore> store;
  std::unique_ptr<FakeExecutor> executor;
  FakeProber prober;
  FakeSuspects suspects;
  std::unique_ptr<engine::Engine> daemon;

 private:
  Script behave(const exec::LaunchSpec& spec) {
    launched.insert_or_assign(spec.id, spec);
    const auto script = scripts.find(spec.id.key.task.str());
    return script == scripts.end() ? Script() : script->second;
  }
};

}  // namespace slipway::test
