#include "slipway/dag/diff.h"

#include <gtest/gtest.h>

namespace slipway::dag {
namespace {

// "+b -c schedule:"@daily">null tasks.a.timeout:null>"5s""
std::string told(const std::string& before, const std::string& after) {
  const Difference difference = compare({"a.yaml", before}, {"b.yaml", after});
  std::string text;
  for (const auto& id : difference.added) text += "+" + id + " ";
  for (const auto& id : difference.removed) text += "-" + id + " ";
  for (const auto& change : difference.changed)
    text += change.path + ":" + (change.before ? change.before->dump() : "") + ">" +
            (change.after ? change.after->dump() : "") + " ";
  return text;
}

constexpr const char* kText = "dag: d\nschedule: '@daily'\ntasks:\n  a: {run: x, retry: {limit: 1}}\n  c: {run: y}\n";

TEST(Compare, OrderAndLayoutDoNotCount) {
  EXPECT_EQ(told(kText, kText), "");
  EXPECT_EQ(told(kText,
                 "# new\ntasks:\n  c: {run: y}\n  a:\n    retry: {limit: 1}\n    run: x\nschedule: '@daily'\ndag: d\n"),
            "");
}

TEST(Compare, NamesTasksAndFields) {
  EXPECT_EQ(told(kText, "dag: d\ntasks:\n  a: {run: x, timeout: 5s, retry: {limit: 2}}\n  b: {run: z}\n"),
            "+b -c schedule:\"@daily\"> tasks.a.retry.limit:1>2 tasks.a.timeout:>\"5s\" ");
}

TEST(Compare, WhatIsNoMapHasNoFields) {
  EXPECT_EQ(told("- 1", "dag: d"), "dag:>\"d\" ");
  EXPECT_EQ(told("tasks: {a: 3}", "tasks: {a: {run: x}}"), "tasks.a.run:>\"x\" ");
  EXPECT_EQ(told("{", "{"), "");
}

}  // namespace
}  // namespace slipway::dag
