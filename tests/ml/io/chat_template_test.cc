#include "slipway/ml/chat_template.h"

#include <gtest/gtest.h>

#include "ml/io/fixtures.h"
#include "slipway/ml/tokenizer.h"
#include "support/files.h"
#include "support/temp_folder.h"

namespace slipway::ml {
namespace {

using test::spill;
using test::TempFolder;

std::vector<ChatMessage> messages_of(const Value& list) {
  std::vector<ChatMessage> messages;
  for (const Value& one : list.as_array()) messages.push_back({one.get_string("role"), one.get_string("content")});
  return messages;
}

class ChatGolden : public testing::TestWithParam<std::string> {};

TEST_P(ChatGolden, RendersAndEncodesAsTransformers) {
  const auto chat = ChatTemplate::load(model_fixture(GetParam(), "fp32"));
  ASSERT_TRUE(chat) << chat.error().message;
  const auto tokenizer = Tokenizer::load(model_fixture(GetParam(), "fp32"));
  ASSERT_TRUE(tokenizer);
  for (const Value& row : json_lines(golden(GetParam(), "chat.jsonl"))) {
    const auto text = chat->render(messages_of(*row.find("messages")), row.find("add_generation_prompt")->as_bool());
    ASSERT_EQ(text.has_value(), !row.find("text")->is_null()) << row.dump();
    if (!text) {
      EXPECT_EQ(text.error().code, ErrorCode::InvalidArgument);
      EXPECT_NE(text.error().message.find("System role not supported"), std::string::npos);
      continue;
    }
    EXPECT_EQ(*text, row.find("text")->as_string());
    const auto ids = tokenizer->encode(*text, SpecialTokens::Omit);
    EXPECT_EQ(Value(Value::Array(ids.begin(), ids.end())), *row.find("ids"));
  }
}

INSTANTIATE_TEST_SUITE_P(Tiny, ChatGolden, testing::ValuesIn(kTinyModels),
                         [](const auto& tested) { return tested.param.substr(5); });

std::string rendered(std::string_view source) {
  const auto chat = ChatTemplate::parse(source, *parse_json(R"({"x":3,"s":" Ab ","l":[1,2,3],"o":{"k":"v"}})"));
  if (!chat) return "parse: " + chat.error().message;
  const std::vector<ChatMessage> messages = {{"user", "hi"}, {"assistant", "yo"}};
  const auto text = chat->render(messages, true);
  return text ? *text : "render: " + text.error().message;
}

// Expected texts: jinja2 3.1 with trim_blocks and lstrip_blocks.
TEST(Jinja, ComputesAsJinja2) {
  struct Row {
    std::string source;
    std::string text;
  };
  for (const Row& row : std::vector<Row>{
           {"{{ x + 1 }}|{{ x // 2 }}|{{ -x % 2 }}|{{ x / 2 }}|{{ x ~ 'a' }}|{{ +x }}", "4|1|1|1.5|3a|3"},
           {"{{ 'a' + s|trim + 'b' }}|{{ s.strip().lower() }}|{{ s | upper }}", "aAbb|ab| AB "},
           {"{{ l[0] }}{{ l[-1] }}{{ l[1:] }}{{ l[::-1] }}{{ s[1:3] }}", "13[2, 3][3, 2, 1]Ab"},
           {"{{ o.k }}{{ o['k'] }}{{ o.none }}{{ nothing }}{{ none }}{{ true }}", "vvNoneTrue"},
           {"{{ 'yes' if x == 3 and not x > 4 else 'no' }}{{ 'gone' if false }}", "yes"},
           {"{{ 2 in l }}{{ 5 not in l }}{{ 'b' in 'abc' }}{{ 'k' in o }}", "TrueTrueTrueTrue"},
           {"{{ y is defined }}{{ x is defined and x is not none }}{{ o is mapping }}{{ 'a' is string }}",
            "FalseTrueTrueTrue"},
           {"{{ l | length }}{{ l | join('-') }}{{ l | first }}{{ l | last }}{{ y | default('d') }}", "31-2-313d"},
           {"{{ o | tojson }}{{ [1, 'a', none] | tojson }}{{ {'a': 1}.keys() | list }}",
            R"({"k": "v"}[1, "a", null]['a'])"},
           {"{% for m in messages %}{{ loop.index }}{{ m.role }}{% if not loop.last %},{% endif %}{% endfor %}",
            "1user,2assistant"},
           {"{% for k, v in o.items() %}{{ k }}={{ v }}{% endfor %}", "k=v"},
           {"{% for i in range(3) if i != 1 %}{{ i }}{% endfor %}{% for i in [] %}a{% else %}e{% endfor %}", "02e"},
           {"{% set n = namespace(a=1) %}{% for i in l %}{% set n.a = n.a + i %}{% endfor %}{{ n.a }}", "7"},
           {"{% set v = 1 %}{% for i in l %}{% set v = i %}{% endfor %}{{ v }}", "1"},
           {"{% for i in l %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", "1"},
           {"a\n  {% if true %}\nb\n  {% endif %}\nc", "a\nb\nc"},
           {"a  {{- ' b ' -}}  c", "a b c"},
           {"a\n{%- if true -%}\n b \n{%- endif %}\nc", "abc"},
           {"{# note #}x{% generation %}y{% endgeneration %}", "xy"},
           {"{% if messages[0]['role'] == 'system' %}s{% elif add_generation_prompt %}g{% else %}n{% endif %}\n", "g"},
           {"{{ 'a\\n\\'b' }}{{ \"q\" 'r' }}", "a\n'bqr"},
           {"{{ strftime_now is defined }}{{ '\u00a0\u3000 x\x1f' | trim }}{{ 'xxaxx'.strip('x') }}", "Falsexa"},
       })
    EXPECT_EQ(rendered(row.source), row.text) << row.source;
}

TEST(Jinja, RefusesWithAReason) {
  struct Row {
    std::string source;
    std::string says;
  };
  for (const Row& row : std::vector<Row>{
           {"{{ raise_exception('no such role') }}", "render: chat template: no such role"},
           {"{% macro f() %}{% endmacro %}", "the statement `macro` is not in the subset"},
           {"{{ x | pprint }}", "the filter `pprint` is not in the subset"},
           {"{{ x is odd }}", "the test `odd` is not in the subset"},
           {"{{ strftime_now('%d') }}", "the function `strftime_now` is not in the subset"},
           {"{{ s.encode() }}", "the method `encode` of a string is not in the subset"},
           {"{% if x %}", "`endif` is missing"},
           {"{{ x ", "not closed"},
           {"{%", "not closed"},
           {"a{#-", "not closed"},
           {"\n\n{{ 1 + }}", "line 3"},
           {"{{ nothing.member }}", "undefined `nothing`"},
           {"{{ 1 + 'a' }}", "cannot compute +"},
           {"{{ +s }}{{ -nothing }}", "cannot compute +"},
           {"{{ 1 // 0 }}", "division by zero"},
           {"{% set n = namespace(a='x') %}{% for i in range(60) %}{% set n.a = n.a + n.a %}{% endfor %}",
            "grows without end"},
           {"{% for i in range(9999) %}{% for j in range(9999) %}{% if j %}{% endif %}{% endfor %}{% endfor %}",
            "does not come to an end"},
           {"{{ 9223372036854775 * 9223372036854775 }}", "too large"},
           {"{% for i in 5 %}{% endfor %}", "cannot loop"},
           {"{% for i in range(100000000) %}{% endfor %}", "a range without end"},
           {"{{ " + std::string(5000, '(') + "1" + std::string(5000, ')') + " }}", "nested too deeply"},
           {"{{ " + std::string(5000, '-') + "1 }}", "nested too deeply"},
       })
    EXPECT_NE(rendered(row.source).find(row.says), std::string::npos)
        << row.source.substr(0, 80) << " -> " << rendered(row.source);
}

TEST(ChatTemplate, IsFoundInBothPlaces) {
  const TempFolder folder;
  spill(folder / "tokenizer_config.json",
        R"({"bos_token":{"content":"<b>"},"chat_template":[{"name":"tool","template":"t"},
    {"name":"default","template":"{{ bos_token }}d"}]})");
  EXPECT_EQ(*ChatTemplate::load(folder.path())->render({}, false), "<b>d");
  spill(folder / "chat_template.jinja", "{{ bos_token }}j\n");
  EXPECT_EQ(*ChatTemplate::load(folder.path())->render({}, false), "<b>j");
  const TempFolder base;
  spill(base / "tokenizer_config.json", "{}");
  const auto none = ChatTemplate::load(base.path());
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::NotFound);
  EXPECT_NE(none.error().message.find("no chat_template"), std::string::npos);
}

}  // namespace
}  // namespace slipway::ml
