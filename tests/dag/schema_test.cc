// The JSON Schema, the structure checks and the parser against each other, on files made at random from the field
// table.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "dag/field_table.h"
#include "dag/json_schema_validator.h"
#include "dag/structure.h"
#include "dag/support.h"
#include "slipway/base/rng.h"
#include "support/golden.h"

namespace slipway::dag {
namespace {

// Writes fields at random: mostly as the table says, now and then not.
class Author {
 public:
  explicit Author(std::uint64_t seed) : rng_(seed) {}

  Value file() {
    Value file = map(language(), 2);
    if (!rng_.chance(0.05)) file["dag"] = pick({"a", "nightly-1", "b.c"});
    if (!rng_.chance(0.05)) file["tasks"] = field(*language().child("tasks"), 4);
    return file;
  }

 private:
  std::string pick(std::vector<std::string> words) { return words[rng_.below(words.size())]; }

  Value stray() {
    switch (rng_.below(9)) {
      case 0: return {};
      case 1: return rng_.chance(0.5);
      case 2: return static_cast<int>(rng_.below(2000)) - 1000;
      case 3: return static_cast<double>(rng_.below(100)) / 8;
      case 4: return pick({"text", "", "yes", "30", "12gi", "true", "${{ params.x }}", "a b", "ü: #"});
      case 5: return pick({"30s", "32Gi", "x2", "all_done", "local", "number"});
      case 6: return Value::Array{};
      case 7: return Value::Object{};
      default: return Value::Array{stray(), Value::Object{{pick({"a", "env", "X"}), 1}}};
    }
  }

  Value field(const Field& at, int depth) {
    if (rng_.chance(0.03)) return stray();
    return shape(at, at.shapes[rng_.below(at.shapes.size())], depth);
  }

  Value shape(const Field& at, const Shape& shape_of, int depth) {
    if (shape_of.form == Shape::Form::Map) return map(at, depth);
    if (shape_of.form == Shape::Form::Scalar) return scalar(shape_of);
    Value::Array items;
    for (std::uint64_t i = rng_.below(3); i > 0; --i)
      items.push_back(rng_.chance(0.03) ? stray()
                                        : shape(at, shape_of.items[rng_.below(shape_of.items.size())], depth - 1));
    return items;
  }

  Value map(const Field& at, int depth) {
    Value::Object members;
    const auto known = at.known_keys();
    for (std::uint64_t i = rng_.below(depth <= 0 ? 1 : 5); i > 0; --i) {
      const std::string key = at.body->any_key != nullptr ? pick({"a", "b", "train", "X", "1x", "a-b", "_"})
                              : rng_.chance(0.03)         ? pick({"unknown", "runn", ""})
                                                          : pick(known);
      const Field* child = at.child(key);
      members[key] = child == nullptr ? stray() : field(*child, depth - 1);
    }
    return members;
  }

  Value number(const Shape& shape_of) {
    const double low = std::isinf(shape_of.minimum) ? -100 : shape_of.minimum;
    const double high = std::isinf(shape_of.maximum) ? low + 200 : shape_of.maximum;
    const double value = low + (high - low) * (rng_.unit() * 1.04 - 0.02);
    return rng_.chance(0.9) ? Value(static_cast<std::int64_t>(value)) : Value(std::trunc(value * 4) / 4);
  }

  Value scalar(const Shape& shape_of) {
    switch (shape_of.scalar) {
      case ScalarType::Prose:
      case ScalarType::Text:
      case ScalarType::Template:
        return pick({"text", "@daily", "0 6 * * *", "${{ run.id }}", "gs://b/x", "2024-11-01", "Europe/Paris"});
      case ScalarType::Value:
        return rng_.chance(0.5) ? Value(pick({"text", "${{ 1 + 1 }}"})) : Value(static_cast<int>(rng_.below(9)));
      case ScalarType::Boolean: return rng_.chance(0.5);
      case ScalarType::Integer:
      case ScalarType::Number: return number(shape_of);
      case ScalarType::Duration: return pick({"30s", "1h30m", "500ms", "2d", "0s"});
      case ScalarType::Quantity: return rng_.chance(0.5) ? Value(2) : Value(pick({"500m", "32Gi", "1.5"}));
      case ScalarType::Factor: return pick({"x2", "x1.5"});
      case ScalarType::Id: return pick({"a", "b", "train", "a.b-c"});
      case ScalarType::Name: return pick({"A", "B_1", "token"});
      case ScalarType::Word: return pick(shape_of.words);
      case ScalarType::Any:
      case ScalarType::Json: return stray();
      case ScalarType::Object: return Value::Object{{"nodeSelector", Value::Object{{"a", "b"}}}};
    }
    return {};
  }

  Rng rng_;
};

bool is_sound(const text::Node& root) {
  Diagnostics diagnostics;
  check_structure(root, diagnostics);
  return !diagnostics.has_errors();
}

TEST(Schema, IsTheOneInDocs) {
  slipway::test::expect_golden("docs/dag.schema.json", json_schema().dump_pretty() + "\n");
}

TEST(Schema, AcceptsAndRefusesWhatTheStructureCheckDoes) {
  test::JsonSchemaValidator schema(json_schema());
  int sound = 0;
  int files = 0;
  EXPECT_TRUE(rc::check("schema and parser agree", [&](std::uint64_t seed) {
    for (int i = 0; i < 30; ++i) {
      const std::string text = Author(seed + static_cast<std::uint64_t>(i)).file().dump();
      const auto yaml = text::parse_yaml({"t.yaml", text});
      RC_ASSERT(yaml.value.has_value());
      const bool accepted = is_sound(*yaml.value);
      sound += accepted;
      ++files;
      if (schema.accepts(text::to_value(*yaml.value)) != accepted) RC_FAIL("they differ on " + text);
    }
  }));
  EXPECT_GT(sound, files / 20) << "too few files that are accepted to say anything";
  EXPECT_LT(sound, files - files / 20) << "too few files that are refused to say anything";
}

// Whatever is written, parse() answers, and every problem has a place in the file and a cure.
void check_parse(const std::string& text) {
  const auto result = parse({"t.yaml", text});
  RC_ASSERT(result.value.has_value() != result.diagnostics.has_errors());
  const int lines = 1 + static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  for (const Diagnostic& d : result.diagnostics.items()) {
    if (d.message.empty() || d.code.empty() || d.help.empty()) RC_FAIL("no help: " + render(d, {"t.yaml", text}));
    RC_ASSERT(d.span.line >= 0 && d.span.line <= lines);
    RC_ASSERT(!render(d, {"t.yaml", text}).empty());
  }
  if (result.value) RC_ASSERT(result.value->order.size() == result.value->tasks.size());
}

RC_GTEST_PROP(Parse, SurvivesFilesMadeFromTheTable, (std::uint64_t seed)) {
  for (int i = 0; i < 20; ++i) check_parse(Author(seed + static_cast<std::uint64_t>(i)).file().dump_pretty());
}

RC_GTEST_PROP(Parse, SurvivesDamagedFiles, (std::uint64_t seed)) {
  static const std::vector<std::string> kNames = slipway::test::golden_cases("dag", ".yaml");
  Rng rng(seed);
  std::string text =
      slipway::test::read_text(SLIPWAY_SOURCE_DIR "/tests/golden/dag/" + kNames[rng.below(kNames.size())] + ".yaml");
  for (std::uint64_t i = rng.below(6); i > 0 && !text.empty(); --i) {
    const std::size_t at = rng.below(text.size());
    switch (rng.below(4)) {
      case 0: text.erase(at, 1 + rng.below(10)); break;
      case 1: text[at] = "{}[]:,#&*!|>'\"%@`\t\n -\x01\xff"[rng.below(24)]; break;
      case 2: text.insert(at, text.substr(rng.below(text.size()), rng.below(40))); break;
      default: text.resize(at); break;
    }
  }
  check_parse(text);
}

}  // namespace
}  // namespace slipway::dag
