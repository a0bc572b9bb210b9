#include "cli/print.h"

#include <gtest/gtest.h>

#include <sstream>

#include "slipway/text/node.h"

namespace slipway::cli {
namespace {

const Value kBody =
    Value::Object{{"runs", Value::Array{Value::Object{{"id", "a"}, {"n", 1}}, Value::Object{{"id", "b"}, {"n", 2}}}}};

std::string printed(const std::string& format) {
  std::ostringstream out, err;
  Session session(out, err, {});
  session.globals.output = format;
  print_body(session, kBody, {"runs", "id", [](const Value&, bool wide) { return Table({wide ? "WIDE" : "TABLE"}); }});
  return out.str();
}

TEST(PrintBody, SpeaksEveryFormat) {
  EXPECT_EQ(printed("json"), "{\"runs\":[{\"id\":\"a\",\"n\":1},{\"id\":\"b\",\"n\":2}]}\n");
  EXPECT_EQ(printed("jsonl"), "{\"id\":\"a\",\"n\":1}\n{\"id\":\"b\",\"n\":2}\n");
  EXPECT_EQ(printed("name"), "a\nb\n");
  EXPECT_EQ(printed("yaml"), "runs:\n  - id: \"a\"\n    n: 1\n  - id: \"b\"\n    n: 2\n");
  EXPECT_EQ(printed("table"), "TABLE\n");
  EXPECT_EQ(printed("wide"), "WIDE\n");
}

struct Ended {
  int code;
  std::string out, err;
};

Ended done(const Result<Value>& reply, const std::string& format, bool quiet = false) {
  std::ostringstream out, err;
  Session session(out, err, {});
  session.globals.output = format;
  session.globals.quiet = quiet;
  const int code = print_done(session, reply, "it is set", "id");
  return {code, out.str(), err.str()};
}

TEST(PrintDone, TalksToPeopleAndGivesProgramsTheBody) {
  const Value body = Value::Object{{"id", "a"}};
  EXPECT_EQ(done(body, "table").err, "it is set\n");
  EXPECT_EQ(done(body, "table").out, "");
  EXPECT_EQ(done(body, "table", true).err, "");
  EXPECT_EQ(done(body, "json").out, "{\"id\":\"a\"}\n");
  EXPECT_EQ(done(body, "json").err, "");
  EXPECT_EQ(done(body, "name").out, "a\n");
  EXPECT_EQ(done(body, "yaml").out, "id: \"a\"\n");
}

TEST(PrintDone, WhatHasNoBodyPrintsNone) {
  EXPECT_EQ(done(Value(), "json").out, "");
  EXPECT_EQ(done(Value(), "json").code, 0);
}

TEST(PrintDone, AnErrorIsTold) {
  const auto failed = done(Error{ErrorCode::NotFound, "there is none", "make one"}, "json");
  EXPECT_EQ(failed.code, 5);
  EXPECT_EQ(failed.out, "");
  EXPECT_EQ(failed.err, "slipway: there is none\nhelp: make one\n");
}

TEST(ToYaml, ReadsBackAsTheSameValue) {
  for (const char* json : {R"({"a":{"b":[1,[2,3],{"c":null}],"d":{}},"e":[],"true":"x","f g":1.5,"h":"a: b\n"})",
                           R"([1,"x",{"y":[]}])", "3", "\"text\""}) {
    const auto value = parse_json(json);
    ASSERT_TRUE(value);
    const auto parsed = text::parse_yaml({"t", to_yaml(*value)});
    ASSERT_TRUE(parsed.value) << to_yaml(*value);
    EXPECT_EQ(text::to_value(*parsed.value), *value) << to_yaml(*value);
  }
}

TEST(Elapsed, CountsUpToNowWhileThereIsNoEnd) {
  const Value from = "2024-01-01T00:00:00Z", to = "2024-01-01T00:01:12Z", none;
  const Instant now = *parse_rfc3339("2024-01-01T02:03:04Z");
  EXPECT_EQ(elapsed(&from, &to, now), "1m12s");
  EXPECT_EQ(elapsed(&from, &none, now), "2h03m");
  EXPECT_EQ(elapsed(nullptr, &to, now), "");
  EXPECT_EQ(short_duration(4.25), "4.2s");
}

}  // namespace
}  // namespace slipway::cli
