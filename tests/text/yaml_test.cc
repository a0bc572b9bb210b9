#include <gtest/gtest.h>

#include "slipway/text/node.h"

namespace slipway::text {
namespace {

// The bytes of `text` that `span` covers.
std::string slice(const std::string& text, const SourceSpan& span) {
  const auto offset = [&](int line, int column) {
    std::size_t at = 0;
    for (; line > 1; --line) at = text.find('\n', at) + 1;
    return at + static_cast<std::size_t>(column) - 1;
  };
  const auto begin = offset(span.line, span.column);
  return text.substr(begin, offset(span.end_line, span.end_column) - begin);
}

Node parsed(const std::string& text) {
  auto result = parse_yaml({"t.yaml", text});
  for (const auto& d : result.diagnostics.items()) ADD_FAILURE() << render(d, {"t.yaml", text});
  return result.value.value_or(Node{});
}

std::string first_code(const std::string& text, const YamlLimits& limits = {}) {
  const auto result = parse_yaml({"t.yaml", text}, limits);
  EXPECT_EQ(result.value.has_value(), !result.diagnostics.has_errors());
  return result.diagnostics.empty() ? "" : result.diagnostics.items()[0].code;
}

struct SpanRow {
  const char* text;
  const char* value;    // what the span of `k` covers
  const char* content;  // what stands at its content's place, to the end of the value
};

class Spans : public testing::TestWithParam<SpanRow> {};

TEST_P(Spans, CoverExactlyWhatIsWritten) {
  const std::string text = GetParam().text;
  const Node root = parsed(text);
  const Entry* entry = root.find_entry("k");
  ASSERT_NE(entry, nullptr) << text;
  EXPECT_EQ(slice(text, entry->key_span).find('k'), slice(text, entry->key_span).size() == 1 ? 0U : 1U);
  EXPECT_EQ(slice(text, entry->value.span), GetParam().value);
  EXPECT_EQ(slice(text, entry->value.content), GetParam().content);
}

INSTANTIATE_TEST_SUITE_P(
    Yaml, Spans,
    testing::Values(SpanRow{"k: plain text # why\n", "plain text", "plain text"},
                    SpanRow{"k: 'it''s'\n", "'it''s'", "it''s'"},
                    SpanRow{"k: \"a\\\"b\" # c\n", "\"a\\\"b\"", "a\\\"b\""}, SpanRow{"\"k\": 1\n", "1", "1"},
                    SpanRow{"k:\n  one\n  two\nj: 1\n", "one\n  two", "one\n  two"},
                    SpanRow{"k: |\n  a\n   b\n\n  c\n\nj: 1\n", "|\n  a\n   b\n\n  c", "a\n   b\n\n  c"},
                    SpanRow{"k: >-\n    folded\n    more\n", ">-\n    folded\n    more", "folded\n    more"},
                    SpanRow{"k: [a, {b: c}, ] # d\n", "[a, {b: c}, ]", "[a, {b: c}, ]"}, SpanRow{"k: {}\n", "{}", "{}"},
                    SpanRow{"k: [\n  a, # ]\n  b\n]\n", "[\n  a, # ]\n  b\n]", "[\n  a, # ]\n  b\n]"},
                    SpanRow{"k:\n  - a\n  - b: 1\n    c: dd\nj: 1\n", "- a\n  - b: 1\n    c: dd",
                            "- a\n  - b: 1\n    c: dd"},
                    SpanRow{"k: &x text\n", "text", "text"}, SpanRow{"k:   # nothing\nj: 1\n", "", ""},
                    SpanRow{"k:", "", ""}, SpanRow{"\xef\xbb\xbfk: v\n", "v", "v"},
                    SpanRow{"k: v\r\nj: w\r\n", "v", "v"}, SpanRow{"k: null\n", "null", "null"}));

TEST(Yaml, PlacesColumnsInBytesBehindAByteOrderMark) {
  EXPECT_EQ(parsed("\xef\xbb\xbfk: v").find("k")->span, (SourceSpan{1, 7, 1, 8}));
  EXPECT_EQ(parsed("ü: v").find("ü")->span, (SourceSpan{1, 5, 1, 6}));
}

TEST(Yaml, TheLinesOfABlockBeginInTheColumnOfItsContent) {
  EXPECT_EQ(parsed("k: |\n  a\n").find("k")->content, (SourceSpan{2, 3, 2, 4}));
  EXPECT_EQ(parsed("k: |\n\n    a\n").find("k")->content, (SourceSpan{2, 5, 3, 6})) << "an empty line counts";
  EXPECT_EQ(parsed("k: |2\n    a\n  b\n").find("k")->content, (SourceSpan{2, 3, 3, 4})) << "an indentation is given";
  EXPECT_EQ(parsed("- k: >-\n      a\n       b\n").items.at(0).find("k")->content, (SourceSpan{2, 7, 3, 9}));
  EXPECT_EQ(parsed("k: |\nj: 1\n").find("k")->scalar, "");
}

TEST(Yaml, AnEmptyFileIsNull) {
  EXPECT_EQ(parsed("").kind, NodeKind::Null);
  EXPECT_EQ(parsed("# only a comment\n").kind, NodeKind::Null);
}

TEST(Yaml, KeysAreTextWhateverTheyLookLike) {
  const Node root = parsed("1: a\ntrue: b\n~: c\non: d\n");
  ASSERT_EQ(root.entries.size(), 4U);
  EXPECT_EQ(root.entries[0].key + root.entries[1].key + root.entries[2].key + root.entries[3].key, "1true~on");
}

TEST(Yaml, AnAliasIsACopyWithThePlacesOfTheAnchor) {
  const Node root = parsed("a: &x {n: 1}\nb: *x\n");
  ASSERT_NE(root.find("b"), nullptr);
  EXPECT_EQ(to_value(*root.find("b")), to_value(*root.find("a")));
  EXPECT_EQ(root.find("b")->span.line, 1);
}

TEST(Yaml, OfADuplicateKeyTheFirstValueStaysAndBothLinesAreNamed) {
  const auto result = parse_yaml({"t.yaml", "a: 1\nb: 2\na: 3\n"});
  ASSERT_EQ(result.diagnostics.size(), 1U);
  EXPECT_EQ(result.diagnostics.items()[0].span, (SourceSpan{3, 1, 3, 2}));
  EXPECT_NE(result.diagnostics.items()[0].help.find("line 1"), std::string::npos);
}

TEST(YamlLimits, AreRefusedWithTheirPlace) {
  std::string deep, flow;
  for (int i = 0; i < 65; ++i) {
    deep += std::string(static_cast<std::size_t>(i), ' ') + "k:\n";
    flow += "[";
  }
  EXPECT_EQ(first_code(std::string(deep) + std::string(65, ' ') + "v"), "yaml-limit");
  EXPECT_NE(first_code(std::string(100'000, '[')), "");
  EXPECT_NE(first_code(std::string(100'000, '{')), "");
  EXPECT_EQ(first_code(std::string(65, '[') + std::string(65, ']')), "yaml-limit");
  EXPECT_EQ(first_code(std::string(64, '[') + std::string(64, ']')), "");
  std::string dashes;
  for (int i = 0; i < 20'000; ++i) dashes += "- ";
  EXPECT_EQ(first_code(dashes), "yaml-limit");
  EXPECT_EQ(first_code(std::string((1U << 20U) + 1, ' ')), "yaml-limit");
  EXPECT_EQ(first_code("[1, 2, 3]", {.nodes_max = 3}), "yaml-limit");
  EXPECT_EQ(first_code("[1, 2]", {.nodes_max = 3}), "");
}

TEST(YamlLimits, AliasesCountForWhatTheyStandFor) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int j = 1; j < 10; ++j) bomb += ", " + before;
    bomb += "]\n";
  }
  EXPECT_EQ(first_code(bomb), "yaml-limit");
  EXPECT_EQ(first_code("a: &a [[1]]\nb: [[*a]]\n", {.depth_max = 4}), "yaml-limit");
  EXPECT_EQ(first_code("a: &a [[1]]\nb: [*a]\n", {.depth_max = 4}), "");
  std::string anchors;
  for (int i = 0; i < 101; ++i) anchors += "- &n" + std::to_string(i) + " x\n";
  EXPECT_EQ(first_code(anchors), "yaml-limit");
}

TEST(YamlEncoding, RefusesWhatIsNoUtf8OrNoText) {
  for (const std::string bad :
       {"k: \xff", "k: \xc0\xaf", "k: \xed\xa0\x80", "k: \xf4\x90\x80\x80", "k: \xe2\x82", "k: \x01", "k: \x7f"})
    EXPECT_EQ(first_code(bad), "yaml-encoding") << bad;
  EXPECT_EQ(first_code(std::string("k: \0", 4)), "yaml-encoding");
  EXPECT_EQ(parse_yaml({"t.yaml", "k: \x1f"}).diagnostics.items().at(0).message, "control character 0x1f");
  EXPECT_EQ(first_code("k: \xf0\x9f\x98\x80 €"), "");
}

TEST(YamlFeatures, OutsideTheLanguageAreNamed) {
  EXPECT_EQ(first_code("a: 1\n---\nb: 2\n"), "yaml-feature");
  EXPECT_EQ(first_code("---\na: 1\n...\n"), "");
  EXPECT_EQ(first_code("a: !!binary aGk=\n"), "yaml-feature");
  EXPECT_EQ(first_code("a: !mine {b: 1}\n"), "yaml-feature");
  EXPECT_EQ(first_code("a: &x {b: 1}\nc: {<<: *x}\n"), "yaml-feature");
  EXPECT_EQ(first_code("a: &x [*x]\n"), "yaml-syntax");
  EXPECT_EQ(first_code("{a: 1}: b\n"), "yaml-syntax");
  EXPECT_EQ(first_code(": b\n"), "yaml-syntax");
  EXPECT_EQ(first_code("[a] b\n"), "yaml-syntax");
  EXPECT_EQ(first_code("k: 'open"), "yaml-syntax");
}

}  // namespace
}  // namespace slipway::text
