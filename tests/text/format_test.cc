#include "slipway/text/format.h"

#include <gtest/gtest.h>

#include "slipway/text/node.h"
#include "support/golden.h"

namespace slipway::text {
namespace {

std::string formatted(const std::string& text) {
  const SourceText source{"f.yaml", text};
  const auto result = format_yaml(source);
  if (result.value) return *result.value;
  std::string problems;
  for (const Diagnostic& item : result.diagnostics.items()) problems += render(item, source) + "\n";
  return problems;
}

struct Row {
  const char* what;
  const char* before;
  const char* after;
};

const Row kRows[] = {
    {"nothing", "", ""},
    {"two columns a level", "a:\n    b:\n        c: 1\n    d: 2\n", "a:\n  b:\n    c: 1\n  d: 2\n"},
    {"one column is too few", "a:\n b:\n  c: 1\n", "a:\n  b:\n    c: 1\n"},
    {"list items stand below their key", "a:\n- 1\n- 2\nb: 3\n", "a:\n  - 1\n  - 2\nb: 3\n"},
    {"one space behind a dash", "a:\n  -   x: 1\n      y: 2\n  -   z\n", "a:\n  - x: 1\n    y: 2\n  - z\n"},
    {"lists of lists", "a:\n-   -   1\n    -   2\n-   - 3\n", "a:\n  - - 1\n    - 2\n  - - 3\n"},
    {"an item on the next line", "a:\n  -\n      x: 1\n", "a:\n  -\n    x: 1\n"},
    {"one space behind a colon", "a:    1\nlonger: 2\n", "a: 1\nlonger: 2\n"},
    {"columns that were lined up", "a:      1\nlonger: 2\nc:   3\n", "a:      1\nlonger: 2\nc: 3\n"},
    {"brackets", "a: [ 1,2 ,  3 ]\nb: { x: 1,y:   [ ] }\n", "a: [1, 2, 3]\nb: {x: 1, y: []}\n"},
    {"text in brackets is not touched", "a: [\"x , y\", 'it''s  [ ok', two  words]\n",
     "a: [\"x , y\", 'it''s  [ ok', two  words]\n"},
    {"a quoted key in brackets", "a: {\"k\":'v  ,w' , b: c:d}\n", "a: {\"k\":'v  ,w', b: c:d}\n"},
    {"brackets in a text by lines", "a: echo {x,y} [ 1 ]\n", "a: echo {x,y} [ 1 ]\n"},
    {"empty lines", "\n\na: 1\n\n\n\nb: 2\n\n\n", "a: 1\n\nb: 2\n"},
    {"white space at the end", "a: 1   \nb:\t2\t\n", "a: 1\nb: 2\n"},
    {"line breaks of other systems", "a: 1\r\nb: |\r\n  x\r\n  y\r\n", "a: 1\nb: |\n  x\n  y\n"},
    {"a byte order mark",
     "\xef\xbb\xbf"
     "a: 1\n",
     "a: 1\n"},
    {"no line break at the end", "a: 1", "a: 1\n"},
    {"a block of text", "a:\n    run: |\n          one\n            two  \n\n          three\n    b: 1\n",
     "a:\n  run: |\n    one\n      two  \n\n    three\n  b: 1\n"},
    {"a block in a list", "a:\n-  |\n     x\n-  k: >-\n        y\n        z\n",
     "a:\n  - |\n    x\n  - k: >-\n      y\n      z\n"},
    {"a block that tells its indentation", "a:\n    b: |2\n         x\n        y\n",
     "a:\n  b: |2\n       x\n      y\n"},
    {"empty lines that a block keeps", "a: |+\n  x\n\n\nb: 1\n", "a: |+\n  x\n\n\nb: 1\n"},
    {"a # in a block is no comment", "a: |\n    # x\n   \n    y #z\nb: 1\n", "a: |\n  # x\n\n  y #z\nb: 1\n"},
    {"text that goes on", "a:\n    b: one\n       two\n    c: \"x\n\n        y\"\n",
     "a:\n  b: one\n     two\n  c: \"x\n\n      y\"\n"},
    {"lists that go on", "a:\n    run: [x,\n          y,\n          z]\n", "a:\n  run: [x,\n        y,\n        z]\n"},
    {"a list closed below its key", "a: [\n  1,\n\n\n  2  \n]\nb: 3\n", "a: [\n  1,\n\n  2\n]\nb: 3\n"},
    {"comments go with what follows", "# top\na:\n    # of b\n    b: 1  # beside\n    # of c\n\n    c: 2\n# end\n",
     "# top\na:\n  # of b\n  b: 1  # beside\n  # of c\n\n  c: 2\n# end\n"},
    {"a comment behind the last key of a level", "a:\n    b:\n        c: 1\n        # of c\n    # of b\nd: 2\n",
     "a:\n  b:\n    c: 1\n    # of c\n  # of b\nd: 2\n"},
    {"a comment in no column", "a:\n    b: 1\n      # odd\n    c: 2\n", "a:\n  b: 1\n  # odd\n  c: 2\n"},
    {"comments of items", "a:\n# first\n- 1\n# second\n- 2 # beside\n",
     "a:\n  # first\n  - 1\n  # second\n  - 2 # beside\n"},
    {"a comment in brackets", "a:\n    b: [1,  # one\n        2]\n", "a:\n  b: [1,  # one\n      2]\n"},
    {"anchors", "a: &x\n    b: 1\nc: *x\nd: &y  [ 1 ]\n", "a: &x\n  b: 1\nc: *x\nd: &y  [1]\n"},
    {"a document's marks", "---\na: 1\n...\n", "---\na: 1\n...\n"},
    {"a question mark", "a: {b: \"ok?\"}\n", "a: {b: \"ok?\"}\n"},
};

TEST(FormatYaml, Table) {
  for (const Row& row : kRows) {
    EXPECT_EQ(formatted(row.before), row.after) << row.what;
    EXPECT_EQ(formatted(row.after), row.after) << row.what << ", again";
  }
}

TEST(FormatYaml, ProblemsOfTheTextAreTold) {
  EXPECT_EQ(formatted("a: [1\n").substr(0, 32), "f.yaml:1:4: error[yaml-syntax]: ");
  EXPECT_EQ(formatted("a: 1\na: 2\n").substr(0, 34), "f.yaml:2:1: error[duplicate-key]: ");
}

// A backslash that escapes the space in front of a line break: to take the space away would join what it parts.
TEST(FormatYaml, WhiteSpaceThatIsWrittenOutStays) {
  const std::string text = "a: \"x\\ \n  y\"\n";
  EXPECT_EQ(formatted(text), text);
}

void add_values(const Node& node, std::string& out) {
  out += std::string(kNodeKinds.text(node.kind)) + "=" + node.scalar + ";";
  for (const Node& item : node.items) add_values(item, out);
  for (const Entry& entry : node.entries) {
    out += entry.key + ":";
    add_values(entry.value, out);
  }
  out += ".";
}

std::string values_of(const std::string& text) {
  const auto read = parse_yaml({"f.yaml", text});
  std::string out;
  if (read.value) add_values(*read.value, out);
  return out;
}

std::string without_space(std::string text) {
  std::erase_if(text, [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; });
  return text;
}

// Every file of the project that is YAML: means the same, keeps every byte that is no space, and stays once formatted.
TEST(FormatYaml, FilesOfTheProject) {
  int read = 0;
  for (const char* folder : {"dags", "tests/golden", "tests/conformance", "manifests/base", "manifests/overlays"}) {
    for (const auto& file :
         std::filesystem::recursive_directory_iterator(std::string(SLIPWAY_SOURCE_DIR "/") + folder)) {
      if (file.path().extension() != ".yaml") continue;
      const std::string text = test::read_text(file.path());
      const std::string before = values_of(text);
      if (before.empty()) continue;
      const auto result = format_yaml({"f.yaml", text});
      ASSERT_TRUE(result.value) << file.path();
      EXPECT_EQ(values_of(*result.value), before) << file.path();
      EXPECT_EQ(without_space(*result.value), without_space(text)) << file.path();
      EXPECT_EQ(formatted(*result.value), *result.value) << file.path();
      ++read;
    }
  }
  EXPECT_GT(read, 40);
}

// The same of the files that the fuzzer found worth keeping, as far as they are YAML.
TEST(FormatYaml, FilesOfTheFuzzer) {
  int whole = 0, refused = 0;
  for (const auto& file : std::filesystem::directory_iterator(SLIPWAY_SOURCE_DIR "/tests/fuzz/corpus/dag")) {
    const std::string text = test::read_text(file.path());
    if (values_of(text).empty()) continue;
    const auto result = format_yaml({"f.yaml", text});
    ++(result.value ? whole : refused);
    if (result.value) {
      EXPECT_EQ(values_of(*result.value), values_of(text)) << file.path();
    }
  }
  EXPECT_GT(whole, 10 * refused) << refused;
}

}  // namespace
}  // namespace slipway::text
