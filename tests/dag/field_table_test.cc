#include "dag/field_table.h"

#include <gmock/gmock.h>

#include <regex>
#include <set>

#include "dag/scalar_rules.h"
#include "dag/support.h"
#include "support/golden.h"

namespace slipway::dag {
namespace {

TEST(FieldTable, PathsAreUniqueAndDocumented) {
  std::set<std::string> paths;
  for (const Field* field : flatten(language())) {
    EXPECT_TRUE(paths.insert(field->path).second) << field->path;
    EXPECT_FALSE(field->doc.empty()) << field->path;
    EXPECT_FALSE(field->shapes.empty()) << field->path;
    const bool of_task = field->path.starts_with("tasks.*.");
    EXPECT_EQ(field->kinds != 0, of_task) << field->path;
  }
  EXPECT_GT(paths.size(), 150U);
}

TEST(FieldTable, DefaultsOfEnumsAreAmongTheirWords) {
  for (const Field* field : flatten(language())) {
    const Shape& shape = field->shapes.front();
    if (shape.form != Shape::Form::Scalar || shape.scalar != ScalarType::Word || field->fallback.empty()) continue;
    if (field->fallback.starts_with("the ") || field->fallback.starts_with("from ")) continue;
    EXPECT_THAT(shape.words, testing::Contains(field->fallback)) << field->path;
  }
}

TEST(FieldTable, EveryTaskKindIsAField) {
  for (const auto& kind : kTaskKinds.rows())
    EXPECT_NE(language().child("defaults")->child(kind.text), nullptr) << kind.text;
}

TEST(Explain, FindsAPathItsTaskFormAndWhatIsBelow) {
  EXPECT_EQ(explain("tasks.*.retry.limit").at(0).type, "integer 0..1000");
  EXPECT_EQ(explain("tasks.train.retry.limit").at(0).path, "tasks.*.retry.limit");
  EXPECT_EQ(explain("retry.limit").at(0).path, "tasks.*.retry.limit");
  EXPECT_EQ(explain("retry").size(), 8U);
  EXPECT_EQ(explain("missed").size(), 0U);
  EXPECT_EQ(explain("schedule.missed").at(0).type, "one of last, none, all");
  EXPECT_EQ(explain("").size(), flatten(language()).size());
  EXPECT_EQ(explain("tasks.*.exit_codes").at(0).applies_to, "run, image");
  EXPECT_EQ(explain("needs").at(0).applies_to, "every task");
  EXPECT_EQ(explain("dag").at(0).applies_to, "dag");
  EXPECT_TRUE(explain("nothing").empty());
}

TEST(Explain, DocsHaveTheTable) {
  const std::string begin = "<!-- begin: slipway dag explain --markdown -->\n";
  const std::string end = "<!-- end -->\n";
  std::string docs = slipway::test::read_text(SLIPWAY_SOURCE_DIR "/docs/dag-format.md");
  const auto from = docs.find(begin);
  const auto to = docs.find(end, from);
  ASSERT_NE(from, std::string::npos);
  ASSERT_NE(to, std::string::npos);
  docs.replace(from + begin.size(), to - from - begin.size(), explain_markdown());
  slipway::test::expect_golden("docs/dag-format.md", docs);
}

TEST(Docs, NameWhatARunHas) {
  const std::string docs = slipway::test::read_text(SLIPWAY_SOURCE_DIR "/docs/dag-format.md");
  const auto from = docs.find("| `run.NAME` |");
  ASSERT_NE(from, std::string::npos);
  const std::string row = docs.substr(from, docs.find('\n', from) - from);
  for (const std::string_view name : kRunNames) {
    EXPECT_NE(row.find("`" + std::string(name) + "`"), std::string::npos) << name;
    EXPECT_EQ(test::codes("dag: d\ntasks: {a: {run: [x, \"${{ run." + std::string(name) + " }}\"]}}\n"), "");
  }
}

TEST(Docs, TheExampleIsValid) {
  const std::string docs = slipway::test::read_text(SLIPWAY_SOURCE_DIR "/docs/dag-format.md");
  const auto from = docs.find("```yaml\n") + 8;
  const SourceText source{"example.yaml", docs.substr(from, docs.find("```", from) - from)};
  const auto result = parse(source);
  EXPECT_EQ(test::rendered(result.diagnostics, source), "");
  ASSERT_TRUE(result.value.has_value());
}

TEST(Dags, HelloIsValidAndCanBeActivated) {
  const SourceText source{"hello.yaml", slipway::test::read_text(SLIPWAY_SOURCE_DIR "/dags/hello.yaml")};
  const auto result = parse(source);
  EXPECT_EQ(test::rendered(result.diagnostics, source), "");
  ASSERT_TRUE(result.value.has_value());
  EXPECT_EQ(result.value->tasks.size(), 3U);
}

struct RuleRow {
  ScalarType type;
  const char* text;
  bool fits;
  const char* meant;
};

class ScalarRules : public testing::TestWithParam<RuleRow> {};

TEST_P(ScalarRules, TestAndPatternAgree) {
  const auto& row = GetParam();
  const std::string text = row.text;
  const bool fits = row.type == ScalarType::Duration   ? parse_duration(text).has_value()
                    : row.type == ScalarType::Quantity ? is_quantity(text)
                    : row.type == ScalarType::Factor   ? is_factor(text)
                    : row.type == ScalarType::Id       ? is_id(text)
                                                       : is_name(text);
  EXPECT_EQ(fits, row.fits) << text;
  EXPECT_EQ(std::regex_search(text, std::regex(std::string(pattern_of(row.type)))), row.fits) << text;
  const std::string meant = fits                               ? ""
                            : row.type == ScalarType::Duration ? meant_duration(text)
                            : row.type == ScalarType::Quantity ? meant_quantity(text)
                                                               : "";
  EXPECT_EQ(meant, row.meant) << text;
}

INSTANTIATE_TEST_SUITE_P(
    Durations, ScalarRules,
    testing::Values(RuleRow{ScalarType::Duration, "30s", true, ""}, RuleRow{ScalarType::Duration, "1h30m", true, ""},
                    RuleRow{ScalarType::Duration, "1.5h", true, ""}, RuleRow{ScalarType::Duration, "5m3ms", true, ""},
                    RuleRow{ScalarType::Duration, "500ms", true, ""}, RuleRow{ScalarType::Duration, "", false, ""},
                    RuleRow{ScalarType::Duration, "30", false, "30s"},
                    RuleRow{ScalarType::Duration, "30 s", false, "30s"},
                    RuleRow{ScalarType::Duration, "10min", false, "10m"},
                    RuleRow{ScalarType::Duration, "2 hours", false, "2h"},
                    RuleRow{ScalarType::Duration, "1H", false, "1h"}, RuleRow{ScalarType::Duration, "3m1h", false, ""},
                    RuleRow{ScalarType::Duration, "soon", false, ""}, RuleRow{ScalarType::Duration, "-5s", false, ""},
                    RuleRow{ScalarType::Duration, "5 fortnights", false, ""}));

INSTANTIATE_TEST_SUITE_P(
    Quantities, ScalarRules,
    testing::Values(RuleRow{ScalarType::Quantity, "2", true, ""}, RuleRow{ScalarType::Quantity, "500m", true, ""},
                    RuleRow{ScalarType::Quantity, "1.5Gi", true, ""},
                    RuleRow{ScalarType::Quantity, "32gi", false, "32Gi"},
                    RuleRow{ScalarType::Quantity, "32 GB", false, "32G"},
                    RuleRow{ScalarType::Quantity, "32GiB", false, "32Gi"},
                    RuleRow{ScalarType::Quantity, "4K", false, "4k"}, RuleRow{ScalarType::Quantity, "Gi", false, ""},
                    RuleRow{ScalarType::Quantity, "1.", false, ""}, RuleRow{ScalarType::Quantity, "12X", false, ""}));

INSTANTIATE_TEST_SUITE_P(
    Words, ScalarRules,
    testing::Values(RuleRow{ScalarType::Factor, "x1.5", true, ""}, RuleRow{ScalarType::Factor, "1.5", false, ""},
                    RuleRow{ScalarType::Factor, "x", false, ""}, RuleRow{ScalarType::Id, "a", true, ""},
                    RuleRow{ScalarType::Id, "a-b_c.d", true, ""}, RuleRow{ScalarType::Id, "a-", false, ""},
                    RuleRow{ScalarType::Id, "A", false, ""}, RuleRow{ScalarType::Id, "", false, ""},
                    RuleRow{ScalarType::Name, "A_1", true, ""}, RuleRow{ScalarType::Name, "1A", false, ""},
                    RuleRow{ScalarType::Name, "a-b", false, ""}, RuleRow{ScalarType::Name, "", false, ""}));

TEST(ScalarRules, ImageReferences) {
  const std::string digest = "@sha256:" + std::string(64, 'a');
  for (const std::string& good :
       {std::string("alpine"), std::string("python:3.12"), std::string("a/b_c/d--e:v1.0-x"),
        std::string("localhost:5000/a"), "ghcr.io/acme/slipway" + digest, "registry:5000/a:1" + digest,
        std::string("europe-docker.pkg.dev/acme/ml/slipway:1.4")})
    EXPECT_TRUE(is_image(good)) << good;
  for (const std::string bad :
       {"", "Alpine", "a b", "a:", "a/", "/a", "a@sha256:12", "http://a/b", "a:b:c", "a..b", "-a"})
    EXPECT_FALSE(is_image(bad)) << bad;
  EXPECT_FALSE(is_image(std::string(501, 'a')));
}

TEST(ScalarRules, LengthsAgree) {
  const std::regex id{std::string(pattern_of(ScalarType::Id))};
  const std::regex name{std::string(pattern_of(ScalarType::Name))};
  for (const std::size_t length : {99U, 100U, 101U}) {
    const std::string text(length, 'a');
    EXPECT_EQ(is_id(text), std::regex_search(text, id)) << length;
    EXPECT_EQ(is_name(text), std::regex_search(text, name)) << length;
  }
}

}  // namespace
}  // namespace slipway::dag
