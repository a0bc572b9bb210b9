// What checking a file's expressions finds, and how it says so.
#include <gtest/gtest.h>

#include <algorithm>

#include "slipway/dag/expr.h"

namespace slipway::dag {
namespace {

// Names as a DAG with these params, one upstream task and no secrets allowed would know them.
Result<NameInfo> known(const std::vector<std::string>& path) {
  static const std::map<std::vector<std::string>, NameInfo> kNames{
      {{"params", "limit"}, {StaticType::Integer, false, {}}},
      {{"params", "rate"}, {StaticType::Number, false, {}}},
      {{"params", "name"}, {StaticType::String, false, {}}},
      {{"params", "mode"}, {StaticType::String, false, {"fast", "slow"}}},
      {{"params", "glob"}, {StaticType::String, false, {"fast", "*.csv"}}},
      {{"params", "list"}, {StaticType::Array, false, {}}},
      {{"params", "map"}, {StaticType::Object, false, {}}},
      {{"params", "on"}, {StaticType::Boolean, false, {}}},
      {{"vars", "x"}, {StaticType::Any, false, {}}},
      {{"env", "TOKEN"}, {StaticType::String, true, {}}},
      {{"env", "PIN"}, {StaticType::Integer, true, {}}},
      {{"tasks", "a-b", "outputs"}, {StaticType::Array, false, {}}},
      {{"tasks", "a-b", "outputs", "loss"}, {StaticType::Number, false, {}}},
      {{"item"}, {StaticType::Any, false, {}}},
  };
  if (const auto it = kNames.find(path); it != kNames.end()) return it->second;
  if (path.front() == "secrets") return Error{ErrorCode::Forbidden, "`secrets` stands outside env", "move it"};
  if (path.front() == "tasks")
    return Error{ErrorCode::Conflict, "`" + path[1] + "` is not upstream", "add it to `needs`"};
  return Error{ErrorCode::NotFound, "`" + path.front() + "." + path.back() + "` is no parameter",
               "did you mean `limit`?"};
}

struct Checked {
  TemplateInfo info;
  Diagnostics diagnostics;
};

Checked check(std::string text, SourceSpan span = {1, 1, 1, 1}) {
  Checked out;
  out.info = check_template(Template{std::move(text), span}, known, out.diagnostics);
  return out;
}

struct Typed {
  const char* expression;
  StaticType type;
  bool shell_safe;
};

constexpr Typed kTyped[] = {
    {"1", StaticType::Integer, true},
    {"1.5", StaticType::Number, true},
    {"true", StaticType::Boolean, true},
    {"null", StaticType::Null, false},
    {"'a/b'", StaticType::String, true},
    {"'a b'", StaticType::String, false},
    {"'-rf'", StaticType::String, false},
    {"''", StaticType::String, false},
    {"[1]", StaticType::Array, false},
    {"params.limit", StaticType::Integer, true},
    {"params.rate", StaticType::Number, true},
    {"params.on", StaticType::Boolean, true},
    {"params.name", StaticType::String, false},
    {"params.mode", StaticType::String, true},
    {"params.glob", StaticType::String, false},
    {"params.list", StaticType::Array, false},
    {"params.map.k", StaticType::Any, false},
    {"params.list[0]", StaticType::Any, false},
    {"int(params.list[0])", StaticType::Integer, true},
    {"vars.x", StaticType::Any, false},
    {"tasks.a-b.outputs.loss", StaticType::Number, true},
    {"params.limit + 1", StaticType::Integer, true},
    {"params.limit / 2", StaticType::Number, true},
    {"params.limit + 0.5", StaticType::Number, true},
    {"params.limit % 2", StaticType::Integer, true},
    {"vars.x + 1", StaticType::Number, true},
    {"vars.x + vars.x", StaticType::Any, false},
    {"vars.x * vars.x", StaticType::Number, true},
    {"params.name + 'x'", StaticType::String, false},
    {"'a' + 'b'", StaticType::String, false},
    {"-params.limit", StaticType::Integer, true},
    {"-vars.x", StaticType::Number, true},
    {"!params.on", StaticType::Boolean, true},
    {"params.limit > 1 && params.on", StaticType::Boolean, true},
    {"params.on ? 1 : 2.5", StaticType::Number, true},
    {"params.on ? 'yes' : params.mode", StaticType::String, true},
    {"params.on ? 'yes' : ';'", StaticType::String, false},
    {"params.on ? 'yes' : params.name", StaticType::String, false},
    {"params.on ? 1 : 'a'", StaticType::Any, false},
    {"params.on ? params.limit : null", StaticType::Integer, true},
    {"default(params.limit, 0)", StaticType::Integer, true},
    {"default(params.mode, 'fast')", StaticType::String, true},
    {"default(vars.x, 0)", StaticType::Any, false},
    {"min(1, 2)", StaticType::Integer, true},
    {"max(1, 2.5)", StaticType::Number, true},
    {"min(params.list)", StaticType::Any, false},
    {"round(1.5)", StaticType::Integer, true},
    {"round(1.5, 1)", StaticType::Number, true},
    {"len(params.name)", StaticType::Integer, true},
    {"lower(params.mode)", StaticType::String, false},
    {"json(params.name)", StaticType::Any, false},
    {"env.PIN", StaticType::Integer, false},
};

TEST(CheckTemplate, GivesTypeAndShellSafety) {
  for (const Typed& row : kTyped) {
    const auto [info, diagnostics] = check(std::string("${{ ") + row.expression + " }}");
    EXPECT_TRUE(diagnostics.empty()) << row.expression << ": "
                                     << (diagnostics.empty() ? "" : diagnostics.items()[0].message);
    EXPECT_EQ(kStaticTypes.text(info.type), kStaticTypes.text(row.type)) << row.expression;
    EXPECT_EQ(info.shell_safe, row.shell_safe) << row.expression;
    EXPECT_EQ(info.shell_unsafe.size(), row.shell_safe ? 0U : 1U) << row.expression;
  }
}

TEST(CheckTemplate, CollectsNamesSecretsAndConstancy) {
  const auto [info, diagnostics] =
      check("x ${{ params.limit }} ${{ vars.x == 1 ? env.TOKEN : tasks['a-b'].outputs.loss }} y");
  EXPECT_TRUE(diagnostics.empty());
  EXPECT_EQ(info.type, StaticType::String);
  EXPECT_EQ(info.names,
            (std::set<std::vector<std::string>>{
                {"env", "TOKEN"}, {"params", "limit"}, {"tasks", "a-b", "outputs", "loss"}, {"vars", "x"}}));
  EXPECT_TRUE(info.secret);
  EXPECT_FALSE(info.constant);
  ASSERT_EQ(info.shell_unsafe.size(), 1U);
  EXPECT_EQ(info.shell_unsafe[0].column, 23);

  EXPECT_TRUE(check("${{ 1 < 2 }}").info.constant);
  EXPECT_FALSE(check("plain").info.constant);
  EXPECT_EQ(check("plain").info.type, StaticType::String);
  EXPECT_TRUE(check("plain").info.shell_safe);
}

struct Golden {
  const char* text;
  const char* shown;  // as a person sees it
};

const Golden kGoldens[] = {
    {"${{ }}",
     "f:1:1: error[expr-syntax]: the expression is empty\n"
     "    1 | ${{ }}\n"
     "      | ^^^^^^ help: write a name, such as `${{ params.limit }}`"},
    {"a ${{ 1 + }}",
     "f:1:11: error[expr-syntax]: a value is missing before `}}`\n"
     "    1 | a ${{ 1 + }}\n"
     "      |           ^^"},
    {"a ${{ params.limit",
     "f:1:3: error[expr-syntax]: `${{` is never closed\n"
     "    1 | a ${{ params.limit\n"
     "      |   ^^^ help: end the expression with `}}`"},
    {"${{ params.on and true }}",
     "f:1:15: error[expr-syntax]: `and` is not expected here\n"
     "    1 | ${{ params.on and true }}\n"
     "      |               ^^^ help: write `&&`"},
    {"${{ params.limit = 1 }}",
     "f:1:18: error[expr-syntax]: `=` has no meaning in an expression\n"
     "    1 | ${{ params.limit = 1 }}\n"
     "      |                  ^ help: write `==` to compare"},
    {"${{ params.name | lower }}",
     "f:1:17: error[expr-syntax]: `|` has no meaning in an expression\n"
     "    1 | ${{ params.name | lower }}\n"
     "      |                 ^ help: write `||` for or; a filter is a function here, such as `lower(x)`"},
    {"${{ not params.on }}",
     "f:1:5: error[expr-syntax]: `not` is not expected here\n"
     "    1 | ${{ not params.on }}\n"
     "      |     ^^^ help: write `!`"},
    {"${{ params.on == True }}",
     "f:1:18: error[expr-syntax]: `True` is not expected here\n"
     "    1 | ${{ params.on == True }}\n"
     "      |                  ^^^^ help: write `true`"},
    {"${{ 'open }}",
     "f:1:5: error[expr-syntax]: `'open }}` is text without a closing quote\n"
     "    1 | ${{ 'open }}\n"
     "      |     ^^^^^^^^ help: end it with '"},
    {"${{ add_time(params.name, 10m) }}",
     "f:1:27: error[expr-syntax]: `10m` is no number\n"
     "    1 | ${{ add_time(params.name, 10m) }}\n"
     "      |                           ^^^ help: text stands in quotes: '10m'"},
    {"${{ '\\d' }}",
     "f:1:6: error[expr-syntax]: `\\d` is no escape\n"
     "    1 | ${{ '\\d' }}\n"
     "      |      ^^ help: escapes are \\n \\t \\r \\\\ \\' \\\" \\/ \\uXXXX; a backslash is `\\\\`"},
    {"${{ (1 + 2 }}",
     "f:1:12: error[expr-syntax]: `)` is missing before `}}`\n"
     "    1 | ${{ (1 + 2 }}\n"
     "      |            ^^"},
    {"${{ len(1 2) }}",
     "f:1:11: error[expr-syntax]: `,` is missing before `2`\n"
     "    1 | ${{ len(1 2) }}\n"
     "      |           ^"},
    {"${{ params.on ? 1 }}",
     "f:1:19: error[expr-syntax]: `:` is missing before `}}`\n"
     "    1 | ${{ params.on ? 1 }}\n"
     "      |                   ^^"},
    {"${{ params.5 }}",
     "f:1:12: error[expr-syntax]: a name is missing after `.`\n"
     "    1 | ${{ params.5 }}\n"
     "      |            ^ help: other keys stand in brackets: `['a key']`, `[0]`"},
    {"${{ 99999999999999999999 }}",
     "f:1:5: error[expr-syntax]: `99999999999999999999` is too large a number\n"
     "    1 | ${{ 99999999999999999999 }}\n"
     "      |     ^^^^^^^^^^^^^^^^^^^^"},
    {"${{ lenght(params.name) }}",
     "f:1:5: error[unknown-function]: `lenght` is no function\n"
     "    1 | ${{ lenght(params.name) }}\n"
     "      |     ^^^^^^ help: the functions are default len contains starts_with ends_with lower upper trim replace "
     "split join int number "
     "string round min max range pluck compact argmin argmax json to_json basename hash format_time add_time"},
    {"${{ length(params.name) }}",
     "f:1:5: error[unknown-function]: `length` is no function\n"
     "    1 | ${{ length(params.name) }}\n"
     "      |     ^^^^^^ help: did you mean `len`?"},
    {"${{ startswith(params.name, 'a') }}",
     "f:1:5: error[unknown-function]: `startswith` is no function\n"
     "    1 | ${{ startswith(params.name, 'a') }}\n"
     "      |     ^^^^^^^^^^ help: did you mean `starts_with`?"},
    {"${{ param.limit }}",
     "f:1:5: error[unknown-name]: `param` is no name\n"
     "    1 | ${{ param.limit }}\n"
     "      |     ^^^^^ help: did you mean `params`?"},
    {"${{ fast }}",
     "f:1:5: error[unknown-name]: `fast` is no name\n"
     "    1 | ${{ fast }}\n"
     "      |     ^^^^ help: text stands in quotes; names begin with params vars secrets run dag env tasks outputs "
     "item index"},
    {"${{ lower }}",
     "f:1:5: error[unknown-name]: `lower` is no name\n"
     "    1 | ${{ lower }}\n"
     "      |     ^^^^^ help: a function takes its arguments in brackets: `lower(text)`"},
    {"${{ params.limt }}",
     "f:1:5: error[unknown-name]: `params.limt` is no parameter\n"
     "    1 | ${{ params.limt }}\n"
     "      |     ^^^^^^^^^^^ help: did you mean `limit`?"},
    {"${{ tasks.other.outputs.x }}",
     "f:1:5: error[unreachable-name]: `other` is not upstream\n"
     "    1 | ${{ tasks.other.outputs.x }}\n"
     "      |     ^^^^^^^^^^^^^^^^^^^^^ help: add it to `needs`"},
    {"${{ secrets.KEY }}",
     "f:1:5: error[forbidden-name]: `secrets` stands outside env\n"
     "    1 | ${{ secrets.KEY }}\n"
     "      |     ^^^^^^^^^^^ help: move it"},
    {"${{ secrets[params.name] }}",
     "f:1:5: error[expr-type]: `secrets` cannot be read as a whole\n"
     "    1 | ${{ secrets[params.name] }}\n"
     "      |     ^^^^^^^ help: name one: `secrets.NAME`"},
    {"${{ lower(params.limit) }}",
     "f:1:11: error[expr-type]: argument 1 of `lower` is integer, it takes string\n"
     "    1 | ${{ lower(params.limit) }}\n"
     "      |           ^^^^^^^^^^^^ help: `lower(text)`: A-Z as a-z; other letters stay"},
    {"${{ round() }}",
     "f:1:5: error[expr-type]: `round` does not take 0 arguments\n"
     "    1 | ${{ round() }}\n"
     "      |     ^^^^^^^ help: write `round(x, digits)`: the nearest whole number, or number of so many decimals "
     "(0-15, may be left "
     "out); halves away from zero"},
    {"${{ params.limit == 'a' }}",
     "f:1:5: error[expr-type]: `==` compares integer and string\n"
     "    1 | ${{ params.limit == 'a' }}\n"
     "      |     ^^^^^^^^^^^^^^^^^^^ help: make them alike: `string(x)`, `number(x)` or `int(x)`"},
    {"${{ params.mode == 'fsat' }}",
     "f:1:5: error[expr-type]: the two sides of `==` can never be equal\n"
     "    1 | ${{ params.mode == 'fsat' }}\n"
     "      |     ^^^^^^^^^^^^^^^^^^^^^ help: did you mean 'fast'?"},
    {"${{ params.name && true }}",
     "f:1:5: error[expr-type]: the left side of `&&` is string, it takes boolean\n"
     "    1 | ${{ params.name && true }}\n"
     "      |     ^^^^^^^^^^^ help: compare first: `x != ''`, `len(list) > 0`"},
    {"${{ params.name + 1 }}",
     "f:1:5: error[expr-type]: `+` joins string and integer\n"
     "    1 | ${{ params.name + 1 }}\n"
     "      |     ^^^^^^^^^^^^^^^ help: make them alike: `string(x)`, `number(x)` or `int(x)`"},
    {"${{ params.rate % 2 }}",
     "f:1:5: error[expr-type]: the left side of `%` is number, it takes integer\n"
     "    1 | ${{ params.rate % 2 }}\n"
     "      |     ^^^^^^^^^^^"},
    {"${{ null + 1 }}",
     "f:1:5: error[null-value]: the left side of `+` is null, it takes number or string\n"
     "    1 | ${{ null + 1 }}\n"
     "      |     ^^^^"},
    {"${{ tasks.a-b.outputs['x'] }}",
     "f:1:5: error[unreachable-name]: `a-b` is not upstream\n"
     "    1 | ${{ tasks.a-b.outputs['x'] }}\n"
     "      |     ^^^^^^^^^^^^^^^^^^^^^^ help: add it to `needs`"},
    {"${{ params.list.loss }}",
     "f:1:5: error[expr-type]: `params.list` is a list, which has no member `loss`\n"
     "    1 | ${{ params.list.loss }}\n"
     "      |     ^^^^^^^^^^^^^^^^ help: take that of each element: `pluck(params.list, 'loss')`"},
    {"${{ params.name[0] }}",
     "f:1:5: error[expr-type]: what is indexed is string, it takes null or array or object\n"
     "    1 | ${{ params.name[0] }}\n"
     "      |     ^^^^^^^^^^^"},
    {"x ${{ params.list }}",
     "f:1:7: error[expr-type]: array stands inside a text\n"
     "    1 | x ${{ params.list }}\n"
     "      |       ^^^^^^^^^^^ help: make text of it: `to_json(x)` or `join(x, ' ')`"},
    {"x ${{ null }}",
     "f:1:7: error[null-value]: null stands inside a text\n"
     "    1 | x ${{ null }}\n"
     "      |       ^^^^ help: use default(x, 'text')"},
};

TEST(CheckTemplate, ErrorsAreGoldens) {
  for (const Golden& row : kGoldens) {
    const auto [info, diagnostics] = check(row.text);
    ASSERT_EQ(diagnostics.size(), 1U) << row.text;
    EXPECT_EQ(render(diagnostics.items()[0], SourceText{"f", row.text}), row.shown);
  }
}

TEST(CheckTemplate, FindsEveryErrorOfAText) {
  auto [info, diagnostics] = check("${{ param.x + nope(1) }} ${{ 1 + }} ${{ lower(1) + upper(2) }}");
  diagnostics.sort();
  std::vector<std::pair<std::string, int>> found;
  for (const auto& item : diagnostics.items()) found.emplace_back(item.code, item.span.column);
  EXPECT_EQ(
      found,
      (std::vector<std::pair<std::string, int>>{
          {"unknown-name", 5}, {"unknown-function", 15}, {"expr-syntax", 34}, {"expr-type", 47}, {"expr-type", 58}}));
}

TEST(CheckTemplate, PlacesErrorsInBlockScalars) {
  const auto [info, diagnostics] =
      check("echo one\necho ${{ params.limt }}\n  echo ${{ len(\n lower(2)) }}", {10, 7, 14, 1});
  ASSERT_EQ(diagnostics.size(), 2U);
  EXPECT_EQ(diagnostics.items()[0].span, (SourceSpan{11, 16, 11, 27}));
  EXPECT_EQ(diagnostics.items()[1].span, (SourceSpan{13, 14, 13, 15}));
}

TEST(CheckTemplate, KeepsErrorsInsideASingleLineScalar) {
  const auto [info, diagnostics] = check("a\nb ${{ params.limt }}", {4, 8, 4, 20});
  ASSERT_EQ(diagnostics.size(), 1U);
  EXPECT_EQ(diagnostics.items()[0].span, (SourceSpan{4, 16, 4, 20}));
}

TEST(CheckTemplate, AsksForNamesOfTheStatedForm) {
  std::set<std::vector<std::string>> asked;
  const NameResolver resolver = [&](const std::vector<std::string>& path) {
    asked.insert(path);
    return NameInfo{};
  };
  Diagnostics diagnostics;
  const Template text{
      "${{ [params.a.b.c, params, params[0], tasks.a.state, tasks.a.outputs, tasks.a.outputs.x.y, "
      "tasks['b.c']['outputs']['z'], item.x, "
      "index, outputs.o.p, run.ds, vars['a b'], tasks.2nd-try.attempts] }}",
      {}};
  EXPECT_TRUE(check_template(text, resolver, diagnostics).names == asked);
  EXPECT_TRUE(diagnostics.empty());
  EXPECT_EQ(asked, (std::set<std::vector<std::string>>{{"params", "a"},
                                                       {"params"},
                                                       {"tasks", "a", "state"},
                                                       {"tasks", "a", "outputs"},
                                                       {"tasks", "a", "outputs", "x"},
                                                       {"tasks", "b.c", "outputs", "z"},
                                                       {"item"},
                                                       {"index"},
                                                       {"outputs", "o"},
                                                       {"run", "ds"},
                                                       {"vars", "a b"},
                                                       {"tasks", "2nd-try", "attempts"}}));
}

}  // namespace
}  // namespace slipway::dag
