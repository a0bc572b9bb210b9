#include "kube/object_cache.h"

#include <gtest/gtest.h>

namespace slipway::kube {
namespace {

Value object(const std::string& name, const std::string& uid, const std::string& version) {
  return Value(Value::Object{{"metadata", Value::Object{{"name", name},
                                                        {"namespace", "a"},
                                                        {"uid", uid},
                                                        {"resourceVersion", version},
                                                        {"managedFields", Value::Array{"x"}}}},
                             {"spec", "big"}});
}

// "+a/p:u1:7 ~… -… -?…": added, modified, removed, removed and missed.
std::string text(const std::vector<Change>& changes) {
  std::string out;
  for (const Change& change : changes) {
    constexpr const char* kMarks[] = {"+", "~", "-"};
    const Value& metadata = *change.object.find("metadata");
    out += (out.empty() ? "" : " ") + std::string(kMarks[static_cast<int>(change.kind)]) + (change.missed ? "?" : "") +
           metadata.get_string("name") + ":" + metadata.get_string("uid") + ":" +
           metadata.get_string("resourceVersion");
  }
  return out;
}

TEST(ObjectCache, FollowsEvents) {
  ObjectCache cache({});
  struct Step {
    EventType type;
    Value object;
    const char* changes;
  };
  const Step steps[] = {
      {EventType::Added, object("p", "u1", "1"), "+p:u1:1"},
      {EventType::Added, object("p", "u1", "1"), ""},         // told twice
      {EventType::Added, object("p", "u1", "2"), "~p:u1:2"},  // told as new again
      {EventType::Modified, object("p", "u1", "3"), "~p:u1:3"},
      {EventType::Modified, object("q", "u2", "4"), "+q:u2:4"},  // never told as new
      {EventType::Deleted, object("x", "u9", "5"), ""},
      {EventType::Deleted, object("p", "u0", "5"), ""},  // one of the same name, long gone
      {EventType::Deleted, object("p", "u1", "6"), "-p:u1:6"},
      {EventType::Deleted, object("p", "u1", "6"), ""},
      {EventType::Modified, object("q", "u3", "8"), "-?q:u2:4 +q:u3:8"},  // made anew, unseen
  };
  for (const Step& step : steps) EXPECT_EQ(text(cache.apply(step.type, step.object)), step.changes) << step.changes;
  EXPECT_EQ(cache.objects().size(), 1U);
}

TEST(ObjectCache, AListTellsWhatWasMissed) {
  ObjectCache cache({});
  EXPECT_EQ(text(cache.replace({object("p", "u1", "1"), object("q", "u2", "2"), object("r", "u3", "3")})),
            "+p:u1:1 +q:u2:2 +r:u3:3");
  EXPECT_EQ(text(cache.replace({object("q", "u2", "2"), object("r", "u4", "9"), object("s", "u5", "9")})),
            "-?p:u1:1 -?r:u3:3 +r:u4:9 +s:u5:9");
  EXPECT_EQ(text(cache.replace({})), "-?q:u2:2 -?r:u4:9 -?s:u5:9");
}

TEST(ObjectCache, KeepsWhatTheProjectionLeavesAndWhoItIs) {
  ObjectCache whole({});
  (void)whole.apply(EventType::Added, object("p", "u1", "1"));
  EXPECT_EQ(whole.objects().at("a/p").dump(),
            R"({"metadata":{"name":"p","namespace":"a","resourceVersion":"1","uid":"u1"},"spec":"big"})");
  ObjectCache small([](Value) { return Value(Value::Object{{"phase", "x"}}); });
  (void)small.apply(EventType::Added, object("p", "u1", "1"));
  EXPECT_EQ(small.objects().at("a/p").dump(),
            R"({"metadata":{"name":"p","namespace":"a","resourceVersion":"1","uid":"u1"},"phase":"x"})");
}

TEST(WatchLines, ComeWholeWhereverTheyAreCut) {
  const std::string stream = "{\"a\":1}\n\n{\"b\":\"ü\"}\r\n{\"c\"";
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    LineSplitter lines(100);
    std::string seen;
    for (const auto& part : {stream.substr(0, cut), stream.substr(cut)}) {
      lines.add(part);
      while (const auto line = lines.next()) seen += *line + "|";
    }
    EXPECT_EQ(seen, "{\"a\":1}|{\"b\":\"ü\"}|") << cut;
  }
}

TEST(WatchLines, HaveALimit) {
  LineSplitter lines(10);
  lines.add("0123456789");
  EXPECT_EQ(lines.next(), std::nullopt);
  EXPECT_FALSE(lines.overflowed());
  lines.add("x");
  EXPECT_EQ(lines.next(), std::nullopt);
  EXPECT_TRUE(lines.overflowed());
}

TEST(WatchLines, AreEvents) {
  const auto event = parse_event(R"({"type":"MODIFIED","object":{"kind":"Pod"}})");
  ASSERT_TRUE(event) << event.error().message;
  EXPECT_EQ(event->type, EventType::Modified);
  EXPECT_EQ(event->object.get_string("kind"), "Pod");
  for (const char* bad :
       {"", "{", "[]", R"({"type":"OTHER","object":{}})", R"({"type":"ADDED"})", R"({"type":"ADDED","object":1})"})
    EXPECT_FALSE(parse_event(bad)) << bad;
}

}  // namespace
}  // namespace slipway::kube
