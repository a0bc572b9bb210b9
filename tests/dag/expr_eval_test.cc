// What expressions give, and what they refuse when they meet the values.
#include <gtest/gtest.h>

#include "dag/expr_functions.h"
#include "slipway/dag/expr.h"

namespace slipway::dag {
namespace {

Value names() {
  return *parse_json(R"({
    "params": {"limit": 1000, "rate": 0.5, "mode": "fast", "text": "a b", "list": [3, 1, 2], "map": {"k": {"j": 7}},
               "on": true, "big": 9223372036854775807},
    "vars": {},
    "env": {"HOME": "/home/me"},
    "run": {"logical_date": "2024-11-01T01:00:00+01:00", "ds": "2024-11-01"},
    "tasks": {"fetch": {"state": "success", "outputs": {"rows": 12}}, "failed": {"state": "failed", "outputs": null},
              "my-task": {"outputs": {"x": 1}}, "2nd": {"outputs": {"x": 2}},
              "sweep": {"outputs": [{"loss": 0.5}, null, {"loss": 0.25}, {"lr": 1}]}},
    "item": {"name": "a"}, "index": 3})");
}

Result<Value> eval(const std::string& expression) {
  return evaluate(Template{"${{ " + expression + " }}", {}}, Scope{names(), nullptr});
}

struct Row {
  const char* expression;
  const char* json;
};

const Row kValues[] = {
    // literals
    {"1", "1"},
    {"-1", "-1"},
    {"1.5", "1.5"},
    {"1e3", "1000.0"},
    {"2E-1", "0.2"},
    {"true", "true"},
    {"false", "false"},
    {"null", "null"},
    {"'it\\'s'", "\"it's\""},
    {"\"a\\\"b\"", "\"a\\\"b\""},
    {"'}}'", "\"}}\""},
    {"'${{'", "\"${{\""},
    {"'\\u00e9\\ud83d\\ude00\\n'", "\"é😀\\n\""},
    {"[]", "[]"},
    {"[1, 'a', [true]]", "[1,\"a\",[true]]"},
    {"[1,]", "[1]"},
    // names
    {"params.limit", "1000"},
    {"params['limit']", "1000"},
    {"params.map.k.j", "7"},
    {"params.map['k']['j']", "7"},
    {"(params).limit", "1000"},
    {"tasks.my-task.outputs.x", "1"},
    {"tasks['my-task'].outputs.x", "1"},
    {"tasks.2nd.outputs.x", "2"},
    {"tasks.fetch.state", "\"success\""},
    {"tasks.fetch.outputs", "{\"rows\":12}"},
    {"item.name", "\"a\""},
    {"index", "3"},
    {"params.list[0]", "3"},
    {"params.list[-1]", "2"},
    {"params.list[1 + 1]", "2"},
    {"params[params.mode == 'fast' ? 'limit' : 'rate']", "1000"},
    // absence is null, and so is all that hangs below it
    {"params.none", "null"},
    {"vars.a.b.c", "null"},
    {"tasks.failed.outputs.x", "null"},
    {"tasks.none.outputs.x", "null"},
    {"params.list[3]", "null"},
    {"params.list[-4]", "null"},
    {"params.map.x[0]", "null"},
    {"outputs.x", "null"},
    {"null['a'][0]", "null"},
    // arithmetic
    {"1 + 2 * 3", "7"},
    {"(1 + 2) * 3", "9"},
    {"7 - 2 - 1", "4"},
    {"6 / 2", "3"},
    {"7 / 2", "3.5"},
    {"7 % 3", "1"},
    {"-7 % 3", "-1"},
    {"1.5 + 1", "2.5"},
    {"2 * 0.5", "1.0"},
    {"- -3", "3"},
    {"--3", "3"},
    {"'a' + 'b'", "\"ab\""},
    {"8 / 4 / 2", "1"},
    {"-9223372036854775807 - 1", "-9223372036854775808"},
    {"(-9223372036854775807 - 1) % -1", "0"},
    {"-params.rate", "-0.5"},
    // comparison
    {"1 < 2", "true"},
    {"2 <= 2", "true"},
    {"1 > 2", "false"},
    {"1 >= 1.0", "true"},
    {"'a' < 'b'", "true"},
    {"'b' <= 'a'", "false"},
    {"1 == 1.0", "true"},
    {"1 != 2", "true"},
    {"'a' == 'a'", "true"},
    {"null == null", "true"},
    {"params.none == null", "true"},
    {"params.limit != null", "true"},
    {"[1, 2] == [1, 2]", "true"},
    {"9223372036854775807 > 9223372036854775806", "true"},
    {"true == (1 < 2)", "true"},
    // logic goes no further than it must
    {"true || 1 / 0 == 1", "true"},
    {"false && 1 / 0 == 1", "false"},
    {"true ? 1 : 1 / 0", "1"},
    {"false ? 1 / 0 : 2", "2"},
    {"!true", "false"},
    {"!!params.on", "true"},
    {"true && false || true", "true"},
    {"true || true && false", "true"},
    {"true ? false ? 1 : 2 : 3", "2"},
    {"1 < 2 == true", "true"},
};

TEST(Evaluate, GivesTheValue) {
  for (const Row& row : kValues) {
    const auto value = eval(row.expression);
    ASSERT_TRUE(value) << row.expression << ": " << value.error().message;
    EXPECT_EQ(value->dump(), row.json) << row.expression;
  }
}

const Row kCalls[] = {
    {"default(params.none, 5)", "5"},
    {"default(params.limit, 5)", "1000"},
    {"default(null, null)", "null"},
    {"default(false, true)", "false"},
    {"len('añb')", "3"},
    {"len([1, 2])", "2"},
    {"len(params.map)", "1"},
    {"len('')", "0"},
    {"contains('abc', 'bc')", "true"},
    {"contains('abc', '')", "true"},
    {"contains('abc', 'x')", "false"},
    {"contains([1, 2.0], 2)", "true"},
    {"contains(['a'], 'b')", "false"},
    {"contains([null], null)", "true"},
    {"contains(params.map, 'k')", "true"},
    {"contains(params.map, 'j')", "false"},
    {"starts_with('abc', 'ab')", "true"},
    {"starts_with('abc', 'b')", "false"},
    {"ends_with('abc', 'bc')", "true"},
    {"ends_with('abc', 'b')", "false"},
    {"lower('ÀBc')", "\"Àbc\""},
    {"upper('aBñ')", "\"ABñ\""},
    {"trim(' \\n a b\\t')", "\"a b\""},
    {"trim('  ')", "\"\""},
    {"replace('a-b-c', '-', '+')", "\"a+b+c\""},
    {"replace('aaa', 'aa', 'b')", "\"ba\""},
    {"replace('abc', 'x', 'y')", "\"abc\""},
    {"replace('aa', 'a', '')", "\"\""},
    {"split('a,b,,c', ',')", R"(["a","b","","c"])"},
    {"split('', ',')", R"([""])"},
    {"split('a--b', '--')", R"(["a","b"])"},
    {"join(['a', 1, true, 0.5], ', ')", "\"a, 1, true, 0.5\""},
    {"join([], ',')", "\"\""},
    {"int('42')", "42"},
    {"int('-7')", "-7"},
    {"int(3.9)", "3"},
    {"int(-3.9)", "-3"},
    {"int(5)", "5"},
    {"int(number('3.7'))", "3"},
    {"number('1.5')", "1.5"},
    {"number('3')", "3"},
    {"number('1e2')", "100.0"},
    {"number(2)", "2"},
    {"string(1)", "\"1\""},
    {"string(true)", "\"true\""},
    {"string(0.25)", "\"0.25\""},
    {"string('a')", "\"a\""},
    {"round(2.5)", "3"},
    {"round(-2.5)", "-3"},
    {"round(2.4)", "2"},
    {"round(7)", "7"},
    {"round(3.14159, 2)", "3.14"},
    {"round(5, 2)", "5"},
    {"round(1e300, 15)", "1e+300"},
    {"min([3, 1, 2])", "1"},
    {"max([3, 1, 2])", "3"},
    {"min(2, 1.5)", "1.5"},
    {"max('a', 'b')", "\"b\""},
    {"min([])", "null"},
    {"max(1, 2, 3, 4, 5)", "5"},
    {"min([[]][0])", "null"},
    {"range(3)", "[0,1,2]"},
    {"range(2, 5)", "[2,3,4]"},
    {"range(5, 0, -2)", "[5,3,1]"},
    {"range(0)", "[]"},
    {"range(3, 1)", "[]"},
    {"range(9223372036854775806, 9223372036854775807, 5)", "[9223372036854775806]"},
    {"pluck(tasks.sweep.outputs, 'loss')", "[0.5,null,0.25,null]"},
    {"compact(pluck(tasks.sweep.outputs, 'loss'))", "[0.5,0.25]"},
    {"argmin(pluck(tasks.sweep.outputs, 'loss'))", "2"},
    {"argmax(pluck(tasks.sweep.outputs, 'loss'))", "0"},
    {"argmin([])", "null"},
    {"argmax([null])", "null"},
    {"argmin([1, 1])", "0"},
    {"argmax(['b', 'c', 'c'])", "1"},
    {"tasks.sweep.outputs[argmin(pluck(tasks.sweep.outputs, 'loss'))].loss", "0.25"},
    {"json('{\"a\": [1, 2]}').a[1]", "2"},
    {"json('null')", "null"},
    {"to_json(params.list)", "\"[3,1,2]\""},
    {"to_json('a')", "\"\\\"a\\\"\""},
    {"to_json(null)", "\"null\""},
    {"basename('gs://bucket/raw/data.csv')", "\"data.csv\""},
    {"basename('/a/b/')", "\"b\""},
    {"basename('a')", "\"a\""},
    {"basename('/')", "\"/\""},
    {"basename('')", "\"\""},
    {"hash('abc')", "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\""},
    {"hash([1]) == hash('[1]')", "true"},
    {"format_time(run.logical_date, '%Y/%m/%d %H:%M:%S')", "\"2024/11/01 01:00:00\""},
    {"format_time(run.ds, 'date')", "\"2024-11-01\""},
    {"format_time('2024-03-05T06:07:08.25Z', '%y %j %B %b %A %a %u %w %G %V %f %F %T %s %z %%')",
     "\"24 065 March Mar Tuesday Tue 2 2 2024 10 250000 2024-03-05 06:07:08 1709618828 +0000 %\""},
    {"format_time(run.logical_date, '%z')", "\"+0100\""},
    {"format_time('2024-11-01T00:00:00-09:30', '%s %z')", "\"1730453400 -0930\""},
    {"format_time('2024-12-30', 'week')", "\"2025-W01\""},
    {"format_time('2021-01-03', 'week')", "\"2020-W53\""},
    {"format_time(run.logical_date, 'unix')", "\"1730419200\""},
    {"format_time(run.logical_date, 'compact')", "\"20241101T010000\""},
    {"format_time(run.logical_date, 'time')", "\"01:00:00\""},
    {"format_time(run.logical_date, 'datetime')", "\"2024-11-01 01:00:00\""},
    {"add_time(run.ds, '1d')", "\"2024-11-02\""},
    {"add_time(run.ds, '-1d')", "\"2024-10-31\""},
    {"add_time(run.ds, '90m')", "\"2024-11-01T01:30:00Z\""},
    {"add_time(run.logical_date, '-2h')", "\"2024-10-31T23:00:00+01:00\""},
    {"add_time('2024-11-01T00:00:00.5Z', '1s')", "\"2024-11-01T00:00:01.500000Z\""},
};

TEST(Evaluate, CallsEveryFunction) {
  std::string all;
  for (const Row& row : kCalls) {
    const auto value = eval(row.expression);
    ASSERT_TRUE(value) << row.expression << ": " << value.error().message;
    EXPECT_EQ(value->dump(), row.json) << row.expression;
    all += row.expression;
  }
  for (const Function& function : functions())
    EXPECT_NE(all.find(std::string(function.name) + "("), std::string::npos) << function.name << " has no row";
}

struct Refusal {
  const char* expression;
  const char* message;
};

const Refusal kRefusals[] = {
    {"9223372036854775807 + 1", "`9223372036854775807 + 1` does not fit 64 bits"},
    {"-9223372036854775807 - 2", "`-9223372036854775807 - 2` does not fit 64 bits"},
    {"params.big * 2", "`params.big * 2` does not fit 64 bits"},
    {"(-params.big - 1) / -1", "`(-params.big - 1) / -1` does not fit 64 bits"},
    {"-(-params.big - 1)", "`-(-params.big - 1)` does not fit 64 bits"},
    {"1 / 0", "`1 / 0` divides by zero"},
    {"1 % 0", "`1 % 0` divides by zero"},
    {"1.0 / 0", "`1.0 / 0` divides by zero"},
    {"1e308 * 10", "`1e308 * 10` is too large a number"},
    {"1.5 % 1", "`1.5 % 1`: `%` takes integers"},
    {"params.mode + 1", "`params.mode + 1` has string on its left and integer on its right"},
    {"params.mode - 1", "`params.mode` is string, `-` takes number"},
    {"params.mode < 1", "`params.mode < 1` has string on its left and integer on its right"},
    {"params.mode == 1", "`params.mode == 1` has string on its left and integer on its right"},
    {"params.list < 1", "`params.list` is array, `<` takes number or string"},
    {"!params.limit", "`params.limit` is integer, `!` takes boolean"},
    {"params.limit && true", "`params.limit` is integer, `&&` takes boolean"},
    {"params.limit ? 1 : 2", "the condition `params.limit` is integer, it takes boolean"},
    {"params.limit.x", "`params.limit.x`: integer cannot be indexed by string"},
    {"params.list['a']", "`params.list['a']`: array cannot be indexed by string"},
    {"params.map[0]", "`params.map[0]`: object cannot be indexed by integer"},
    {"tasks.sweep.outputs.loss", "`tasks.sweep.outputs.loss`: the tasks gave a list, which has no member `loss`"},
    {"params.none + 1", "null-value: `params.none` is null"},
    {"params.none < 1", "null-value: `params.none` is null"},
    {"-params.none", "null-value: `params.none` is null"},
    {"!params.none", "null-value: `params.none` is null"},
    {"params.none || true", "null-value: `params.none` is null"},
    {"params.none ? 1 : 2", "null-value: `params.none` is null"},
    {"lower(params.none)", "null-value: `params.none` is null"},
    {"lower(params.limit)", "argument 1 of `lower` is integer, it takes string"},
    {"contains(params.mode, 1)", "`contains` looks for integer in string"},
    {"int('3.7')", "`int`: `3.7` is no whole number"},
    {"int('')", "`int`: `` is no whole number"},
    {"int(1e19)", "`int`: 1e+19 does not fit 64 bits"},
    {"round(1e19)", "`round`: 1e+19 does not fit 64 bits"},
    {"round(1.5, 16)", "`round` keeps 0 to 15 digits, not 16"},
    {"number('nan')", "`number`: `nan` is no number"},
    {"number('1e999')", "`number`: `1e999` is no number"},
    {"string(params.list)", "argument 1 of `string` is array, it takes boolean or number or string"},
    {"replace('a', '', 'b')", "`replace` has no text to look for: argument 2 is empty"},
    {"split('a', '')", "`split` has no separator: argument 2 is empty"},
    {"join([1, null], ',')", "null-value: `join` met null in its list"},
    {"join([[1]], ',')", "`join` met array in its list"},
    {"min([1, null])", "null-value: `min` met null"},
    {"max([1, 'a'])", "`max` cannot order integer and string"},
    {"min(1)", "`min` of one integer"},
    {"argmax([true])", "`argmax` cannot order boolean and boolean"},
    {"range(1, 2, 0)", "`range` has a step of 0"},
    {"pluck([1], 'a')", "`pluck` met integer in its list"},
    {"json('{')", "`json`: not valid JSON at byte 2 near `{`"},
    {"format_time('soon', 'date')", "`soon` is no date"},
    {"format_time(run.ds, 'dat')", "`dat` is no time format"},
    {"format_time(run.ds, '%Q')", "`%Q` is no part of a time"},
    {"format_time(run.ds, '%')", "`%` is no part of a time"},
    {"add_time(run.ds, '1x')", "`1x` is no duration"},
    {"add_time('9999-12-31', '1d')", "`add_time` leaves the years 0000-9999"},
    {"add_time('0000-01-01', '-1s')", "`add_time` leaves the years 0000-9999"},
    {"secrets.KEY", "`secrets.KEY` stands where no secret may be"},
    {"1 +", "a value is missing before `}}`"},
};

TEST(Evaluate, RefusalsAreErrorsThatNameThePart) {
  for (const Refusal& row : kRefusals) {
    const auto value = eval(row.expression);
    ASSERT_FALSE(value) << row.expression << " gave " << value->dump();
    EXPECT_EQ(value.error().message, row.message) << row.expression;
  }
}

TEST(Render, ReplacesExpressionsInsideText) {
  const Scope scope{names(), nullptr};
  const auto text = [&](const char* written) { return render(Template{written, {}}, scope); };
  EXPECT_EQ(text("plain $HOME {{ x }}")->text, "plain $HOME {{ x }}");
  EXPECT_EQ(text("a ${{ params.limit }} b${{params.mode}}${{ 1.50 }}${{ true }}")->text, "a 1000 bfast1.5true");
  EXPECT_EQ(text("${{ '}}' }}}}")->text, "}}}}");
  EXPECT_EQ(text("${{ '${{ x }}' }}")->text, "${{ x }}");
  EXPECT_EQ(text("x ${{ params.none }}").error().message, "null-value: `params.none` is null");
  EXPECT_EQ(text("x ${{ params.none }}").error().help, "give it a value for that case: `default(params.none, …)`");
  EXPECT_EQ(text("${{ params.none }}").error().code, ErrorCode::InvalidArgument);
  EXPECT_EQ(text("${{ params.list }}").error().message, "`params.list` is array and has no text");
  EXPECT_EQ(text("${{ 1").error().message, "`${{` is never closed");
}

TEST(Evaluate, GivesPlainTextAndMixedTextAsStrings) {
  const Scope scope{names(), nullptr};
  EXPECT_EQ(evaluate(Template{"plain", {}}, scope)->dump(), "\"plain\"");
  EXPECT_EQ(evaluate(Template{" ${{ 1 }}", {}}, scope)->dump(), "\" 1\"");
  EXPECT_EQ(evaluate(Template{"${{ 1 }}${{ 2 }}", {}}, scope)->dump(), "\"12\"");
}

TEST(Render, MarksWhatASecretFlowsInto) {
  const std::map<std::string, Secret> secrets{{"KEY", Secret("s3cret")}};
  const Scope scope{names(), &secrets};
  const auto text = [&](const char* written) { return render(Template{written, {}}, scope); };
  EXPECT_EQ(text("k=${{ secrets.KEY }}")->text, "k=s3cret");
  EXPECT_TRUE(text("k=${{ secrets.KEY }} ${{ 1 }}")->secret);
  EXPECT_TRUE(text("${{ len(secrets['KEY']) }}")->secret) << "even its length tells something";
  EXPECT_FALSE(text("${{ true ? 'a' : secrets.KEY }}")->secret);
  EXPECT_FALSE(text("${{ 1 }}")->secret);
  EXPECT_EQ(text("${{ secrets.NONE }}").error().code, ErrorCode::NotFound);
  EXPECT_EQ(evaluate(Template{"${{ secrets.KEY }}", {}}, scope).error().code, ErrorCode::Forbidden);
  EXPECT_EQ(evaluate(Template{"a${{ secrets.KEY }}", {}}, scope).error().code, ErrorCode::Forbidden);
}

TEST(Render, ErrorsDoNotQuoteASecret) {
  const std::map<std::string, Secret> secrets{{"KEY", Secret("s3cret")}};
  const Scope scope{names(), &secrets};
  for (const char* expression :
       {"int(secrets.KEY)", "number(secrets.KEY)", "json(secrets.KEY)", "add_time(secrets.KEY, '1d')",
        "add_time(run.ds, secrets.KEY)", "format_time(run.ds, secrets.KEY)", "format_time(secrets.KEY, 'date')"}) {
    const auto rendered = render(Template{std::string("${{ ") + expression + " }}", {}}, scope);
    ASSERT_FALSE(rendered) << expression;
    EXPECT_EQ(rendered.error().message, "`" + std::string(expression) + "` has no value for the secret it reads");
    EXPECT_EQ(rendered.error().help, "");
  }
}

TEST(Render, ShellTextTakesNoValueThatAShellCouldRead) {
  const std::map<std::string, Secret> secrets{{"KEY", Secret("abc")}};
  const Scope scope{names(), &secrets};
  const auto text = [&](const char* written) { return render(Template{written, {}}, scope, TextUse::Shell); };
  EXPECT_EQ(text("echo ${{ params.limit }} ${{ params.mode }} ${{ -1.5 }} ${{ params.on }} ; ls")->text,
            "echo 1000 fast -1.5 true ; ls");
  for (const char* refused : {"${{ params.text }}", "${{ ';' }}", "${{ '' }}", "${{ '-rf' }}", "${{ '$(id)' }}",
                              "${{ 'a\\nb' }}", "${{ secrets.KEY }}", "${{ 'é' }}"}) {
    const auto rendered = text(refused);
    ASSERT_FALSE(rendered) << refused;
    EXPECT_TRUE(rendered.error().message.starts_with("expr-in-shell: ")) << rendered.error().message;
  }
}

}  // namespace
}  // namespace slipway::dag
