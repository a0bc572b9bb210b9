#include "slipway/sched/trigger_rule.h"

#include <gtest/gtest.h>

#include <functional>

namespace slipway::sched {
namespace {

using Rule = dag::TriggerRule;

struct Row {
  Rule rule;
  UpstreamCounts counts;
  Verdict want;
};

// Rows a reader can check by eye; the sweep below covers the rest.
TEST(TriggerRule, Table) {
  const std::vector<Row> rows = {
      {Rule::AllSuccess, {}, Verdict::Run},
      {Rule::AllSuccess, {.success = 3}, Verdict::Run},
      {Rule::AllSuccess, {.success = 2, .pending = 1}, Verdict::Wait},
      {Rule::AllSuccess, {.success = 2, .skipped = 1}, Verdict::Skip},
      {Rule::AllSuccess, {.failed = 1, .pending = 2}, Verdict::UpstreamFailed},
      {Rule::AllFailed, {.failed = 1, .upstream_failed = 1}, Verdict::Run},
      {Rule::AllFailed, {.success = 1, .pending = 1}, Verdict::Skip},
      {Rule::AllDone, {.failed = 1, .skipped = 1}, Verdict::Run},
      {Rule::AllDone, {.failed = 1, .pending = 1}, Verdict::Wait},
      {Rule::Always, {.pending = 3}, Verdict::Run},
      {Rule::OneSuccess, {.success = 1, .pending = 2}, Verdict::Run},
      {Rule::OneSuccess, {.skipped = 2}, Verdict::Skip},
      {Rule::OneSuccess, {.failed = 1, .skipped = 1}, Verdict::UpstreamFailed},
      {Rule::OneFailed, {.failed = 1, .pending = 2}, Verdict::Run},
      {Rule::OneFailed, {.upstream_failed = 1, .pending = 2}, Verdict::Run},
      {Rule::OneFailed, {.success = 2}, Verdict::Skip},
      {Rule::OneDone, {.upstream_failed = 1, .skipped = 1}, Verdict::Skip},
      {Rule::OneDone, {.failed = 1, .pending = 1}, Verdict::Run},
      {Rule::NoneFailed, {.skipped = 2}, Verdict::Run},
      {Rule::NoneFailed, {.failed = 1, .pending = 1}, Verdict::UpstreamFailed},
      {Rule::NoneFailedMinOneSuccess, {.skipped = 2}, Verdict::Skip},
      {Rule::NoneFailedMinOneSuccess, {.success = 1, .skipped = 1}, Verdict::Run},
      {Rule::NoneSkipped, {.success = 1, .failed = 1}, Verdict::Run},
      {Rule::NoneSkipped, {.skipped = 1, .pending = 1}, Verdict::Skip},
      {Rule::AllSkipped, {.skipped = 2}, Verdict::Run},
      {Rule::AllSkipped, {.success = 1, .pending = 1}, Verdict::Skip},
      {Rule::AllDoneMinOneSuccess, {.success = 1, .failed = 1, .skipped = 1}, Verdict::Run},
      {Rule::AllDoneMinOneSuccess, {.failed = 1, .skipped = 1}, Verdict::UpstreamFailed},
      {Rule::AllDoneMinOneSuccess, {.skipped = 2}, Verdict::Skip},
  };
  for (const Row& row : rows) EXPECT_EQ(evaluate(row.rule, row.counts), row.want) << dag::kTriggerRules.text(row.rule);
}

// --- a second, slow reading of the sentences in dag.h
// ------------------------------------------------------------------

enum class Outcome { Success, Failed, UpstreamFailed, Skipped, Pending };
using Upstream = std::vector<Outcome>;

int count(const Upstream& upstream, std::initializer_list<Outcome> wanted) {
  int n = 0;
  for (const Outcome outcome : upstream)
    for (const Outcome want : wanted) n += outcome == want ? 1 : 0;
  return n;
}

// The sentence of each rule, over upstream tasks some of which may not have ended.
bool holds(Rule rule, const Upstream& u) {
  const int all = static_cast<int>(u.size());
  const bool all_ended = count(u, {Outcome::Pending}) == 0;
  const int success = count(u, {Outcome::Success});
  const int failures = count(u, {Outcome::Failed, Outcome::UpstreamFailed});
  const int skipped = count(u, {Outcome::Skipped});
  switch (rule) {
    case Rule::AllSuccess: return success == all;
    case Rule::AllFailed: return failures == all;
    case Rule::AllDone: return all_ended;
    case Rule::Always: return true;
    case Rule::OneSuccess: return success >= 1;
    case Rule::OneFailed: return failures >= 1;
    case Rule::OneDone: return success + count(u, {Outcome::Failed}) >= 1;
    case Rule::NoneFailed: return success + skipped == all;
    case Rule::NoneFailedMinOneSuccess: return success + skipped == all && success >= 1;
    case Rule::NoneSkipped: return all_ended && skipped == 0;
    case Rule::AllSkipped: return skipped == all;
    case Rule::AllDoneMinOneSuccess: return all_ended && success >= 1;
    case Rule::AllDoneSetupSuccess: return false;  // asks for setups: below
  }
  return false;
}

// Whether some end of the pending tasks would make the sentence true.
bool may_hold(Rule rule, Upstream upstream) {
  for (Outcome& outcome : upstream) {
    if (outcome != Outcome::Pending) continue;
    for (const Outcome end : {Outcome::Success, Outcome::Failed, Outcome::UpstreamFailed, Outcome::Skipped}) {
      outcome = end;
      if (may_hold(rule, upstream)) return true;
    }
    return false;
  }
  return holds(rule, upstream);
}

// Rules that ask for success pass failure on; the others are merely not needed when they are not met.
bool passes_failure_on(Rule rule) {
  return rule == Rule::AllSuccess || rule == Rule::OneSuccess || rule == Rule::NoneFailed ||
         rule == Rule::NoneFailedMinOneSuccess || rule == Rule::AllDoneMinOneSuccess;
}

Verdict slow_reading(Rule rule, const Upstream& upstream) {
  if (upstream.empty() || holds(rule, upstream)) return Verdict::Run;
  if (may_hold(rule, upstream)) return Verdict::Wait;
  const bool failures = count(upstream, {Outcome::Failed, Outcome::UpstreamFailed}) > 0;
  return passes_failure_on(rule) && failures ? Verdict::UpstreamFailed : Verdict::Skip;
}

TEST(TriggerRule, AgreesWithTheSlowReadingOnAllSmallCounts) {
  constexpr int kMax = 3;
  int compared = 0;
  for (const auto& rule : dag::kTriggerRules.rows()) {
    if (rule.value == Rule::AllDoneSetupSuccess) continue;
    for (int s = 0; s <= kMax; ++s)
      for (int f = 0; f <= kMax; ++f)
        for (int uf = 0; uf <= kMax; ++uf)
          for (int sk = 0; sk <= kMax; ++sk)
            for (int p = 0; p <= kMax; ++p) {
              Upstream upstream;
              upstream.insert(upstream.end(), static_cast<std::size_t>(s), Outcome::Success);
              upstream.insert(upstream.end(), static_cast<std::size_t>(f), Outcome::Failed);
              upstream.insert(upstream.end(), static_cast<std::size_t>(uf), Outcome::UpstreamFailed);
              upstream.insert(upstream.end(), static_cast<std::size_t>(sk), Outcome::Skipped);
              upstream.insert(upstream.end(), static_cast<std::size_t>(p), Outcome::Pending);
              ASSERT_EQ(evaluate(rule.value, {s, f, uf, sk, p}), slow_reading(rule.value, upstream))
                  << rule.text << " success " << s << " failed " << f << " upstream_failed " << uf << " skipped " << sk
                  << " pending " << p;
              ++compared;
            }
  }
  EXPECT_EQ(compared, 12 * 1024);
}

// all_done_setup_success: when everything ended, the setups alone decide.
TEST(TriggerRule, ATeardownAsksItsSetupsOnceAllEnded) {
  constexpr Rule kRule = Rule::AllDoneSetupSuccess;
  EXPECT_EQ(evaluate(kRule, {.success = 1, .pending = 1}, {.success = 1}), Verdict::Wait);
  EXPECT_EQ(evaluate(kRule, {.success = 1, .failed = 2}, {.success = 1}), Verdict::Run);
  EXPECT_EQ(evaluate(kRule, {.success = 5, .failed = 1}, {.failed = 1}), Verdict::UpstreamFailed);
  EXPECT_EQ(evaluate(kRule, {.success = 1, .failed = 1}, {.success = 1, .failed = 1}), Verdict::Run);
  EXPECT_EQ(evaluate(kRule, {.upstream_failed = 2}, {.upstream_failed = 1}), Verdict::UpstreamFailed);
  EXPECT_EQ(evaluate(kRule, {.failed = 1, .skipped = 1}, {.skipped = 1}), Verdict::Skip);
}

}  // namespace
}  // namespace slipway::sched
