// Nothing that somebody writes makes an expression run long, grow large, recurse deep or crash.
#include <gtest/gtest.h>

#include "slipway/base/rng.h"
#include "slipway/dag/expr.h"

namespace slipway::dag {
namespace {

constexpr std::size_t kResultMax = 128U << 10U;

std::string repeat(const std::string& text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

Scope scope_with(Value params) { return {Value(Value::Object{{"params", std::move(params)}}), nullptr}; }

Result<Value> eval(const std::string& expression, const Scope& scope = {}) {
  return evaluate(Template{"${{" + expression + "}}", {}}, scope);
}

TEST(ExpressionBounds, DepthIsBoundedHoweverItIsMade) {
  const std::size_t deep = 100'000;
  for (const std::string& text :
       {repeat("(", deep) + "1" + repeat(")", deep), repeat("[", deep), repeat("!", deep) + "true",
        repeat("-", deep) + "1", "1" + repeat("+1", deep), "params" + repeat(".a", deep),
        "params" + repeat("[0]", deep), repeat("true?", deep), repeat("true?1:", deep) + "1", repeat("len(", deep),
        "true" + repeat("&&true", deep)}) {
    const auto value = eval(text);
    ASSERT_FALSE(value) << text.substr(0, 10);
    EXPECT_EQ(value.error().message, "the expression is nested deeper than 200") << text.substr(0, 10);
  }
  EXPECT_EQ(eval("1" + repeat("+1", 150))->as_int(), 151) << "what people write fits";
}

TEST(ExpressionBounds, StepsAreBounded) {
  EXPECT_EQ(eval("len([" + repeat("1,", 9'000) + "])")->as_int(), 9'000);
  const auto value = eval("len([" + repeat("1,", 10'000) + "])");
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code, ErrorCode::TooLarge);
  EXPECT_EQ(value.error().message, "the expression takes more than 10000 steps");
}

TEST(ExpressionBounds, EveryElementPaysForEightLooks) {
  const Scope scope = scope_with(Value::Object{{"list", Value::Array(20'000, Value(1))}});
  const std::string look = "len(params.list)";
  EXPECT_EQ(eval(look + repeat("+" + look, 7), scope)->as_int(), 8 * 20'000);
  EXPECT_EQ(eval(look + repeat("+" + look, 8), scope).error().message, "the expression takes more than 10000 steps");
}

TEST(ExpressionBounds, ResultsAreBounded) {
  const Scope scope =
      scope_with(Value::Object{{"text", std::string(100'000, 'a')}, {"short", std::string(1'000, 'b')}});
  for (const char* text : {"params.text + params.text", "replace(params.text, 'a', 'bb')",
                           "replace(params.text, 'a', params.short)", "join(split(params.text, 'a'), params.short)",
                           "[params.text, params.text]", "range(100000)", "range(0, -9223372036854775807, -1)",
                           "split(params.text, 'a')", "to_json([params.text, replace(params.text, 'a', '\"')])",
                           "format_time('2024-01-01', params.text + params.text)"}) {
    const auto value = eval(text, scope);
    ASSERT_FALSE(value) << text;
    EXPECT_EQ(value.error().code, ErrorCode::TooLarge) << text << ": " << value.error().message;
  }
  const auto rendered = render(Template{"${{ params.text }}${{ params.text }}", {}}, scope);
  ASSERT_FALSE(rendered);
  EXPECT_EQ(rendered.error().code, ErrorCode::TooLarge);
  const Scope large = scope_with(Value::Object{{"text", std::string(kResultMax + 1, 'a')}});
  EXPECT_EQ(eval("params.text", large).error().code, ErrorCode::TooLarge);
  EXPECT_EQ(eval("len(params.text)", large)->as_int(), kResultMax + 1) << "looking at more than that is no result";
}

TEST(ExpressionBounds, SearchingIsLinear) {
  // Half a million times half a million compared bytes would be noticed.
  const Scope scope =
      scope_with(Value::Object{{"text", std::string(1'000'000, 'a')}, {"part", std::string(500'000, 'a') + "b"}});
  EXPECT_EQ(eval("contains(params.text, params.part)", scope)->dump(), "false");
}

// Texts made of the language's own pieces reach further into the parser than random bytes do.
std::string random_text(Rng& rng) {
  static const std::vector<std::string> kPieces{"${{",
                                                "}}",
                                                " ",
                                                "'",
                                                "\"",
                                                "\\",
                                                "(",
                                                ")",
                                                "[",
                                                "]",
                                                ".",
                                                ",",
                                                "?",
                                                ":",
                                                "+",
                                                "-",
                                                "*",
                                                "/",
                                                "%",
                                                "!",
                                                "==",
                                                "!=",
                                                "<",
                                                "<=",
                                                "&&",
                                                "||",
                                                "=",
                                                "|",
                                                "\n",
                                                "1",
                                                "0",
                                                "9223372036854775807",
                                                "1e308",
                                                "1.5",
                                                "true",
                                                "null",
                                                "params",
                                                "params.a",
                                                "params.list",
                                                "tasks.x-y.outputs.z",
                                                "item",
                                                "secrets.K",
                                                "é",
                                                "\xff",
                                                "\\u00e9",
                                                "\\ud800",
                                                "default(",
                                                "len(",
                                                "min(",
                                                "range(",
                                                "split(",
                                                "replace(",
                                                "pluck(",
                                                "json(",
                                                "format_time(",
                                                "'2024-01-01'",
                                                "'1d'",
                                                "'%Y'",
                                                "'a'"};
  std::string text = rng.chance(0.7) ? "${{ " : "";
  for (std::uint64_t count = rng.below(24); count > 0; --count)
    text += rng.chance(0.05) ? std::string(1, static_cast<char>(rng.below(256))) : kPieces[rng.below(kPieces.size())];
  return rng.chance(0.7) ? text + " }}" : text;
}

TEST(ExpressionBounds, RandomTextNeverCrashes) {
  Rng rng(7);
  const Scope scope = scope_with(*parse_json(R"({"a": 1, "list": [1, null, "x", {"k": 2}]})"));
  const NameResolver any = [](const std::vector<std::string>&) { return NameInfo{}; };
  int values = 0;
  int errors = 0;
  for (int i = 0; i < 50'000; ++i) {
    const Template text{random_text(rng), {3, 5, 9, 1}};
    Diagnostics diagnostics;
    [[maybe_unused]] const TemplateInfo info = check_template(text, any, diagnostics);
    const auto value = evaluate(text, scope);
    (value ? values : errors) += 1;
    for (const Diagnostic& item : diagnostics.items()) EXPECT_GE(item.span.line, 3) << text.text;
    // A text that does not parse is refused by both.
    const bool is_bad = !diagnostics.empty() && diagnostics.items()[0].code == "expr-syntax";
    EXPECT_FALSE(is_bad && value) << text.text;
    const bool shell_only = render(text, scope, TextUse::Shell) && !render(text, scope);
    EXPECT_FALSE(shell_only) << text.text;
  }
  EXPECT_GT(values, 1'000);
  EXPECT_GT(errors, 1'000);
}

// What the checker promises of a type, the evaluator keeps, whatever the names turn out to be.
TEST(ExpressionBounds, ValuesHaveTheirStaticType) {
  Rng rng(11);
  const Scope scope = scope_with(*parse_json(R"({"a": 1, "list": [1, null, "x", {"k": 2}]})"));
  const NameResolver any = [](const std::vector<std::string>&) { return NameInfo{}; };
  int compared = 0;
  for (int i = 0; i < 100'000; ++i) {
    const Template text{random_text(rng), {}};
    Diagnostics diagnostics;
    const TemplateInfo info = check_template(text, any, diagnostics);
    const auto value = evaluate(text, scope);
    if (diagnostics.has_errors() || !value || value->is_null() || info.type == StaticType::Any) continue;
    ++compared;
    const bool is_number = info.type == StaticType::Number && value->is_number();
    EXPECT_TRUE(is_number || kStaticTypes.text(info.type) == value->type_name())
        << text.text << " gave " << value->dump();
  }
  EXPECT_GT(compared, 1'000);
}

}  // namespace
}  // namespace slipway::dag
