// The expression language of ${{ … }}: typed, total, no I/O, bounded (10,000 steps + 8 per element read; results of at
// most 128 KiB). Grammar, functions and names: docs/dag-format.md, "Expressions".
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "slipway/base/diagnostics.h"
#include "slipway/base/enum_table.h"
#include "slipway/base/result.h"
#include "slipway/base/secret.h"
#include "slipway/base/value.h"
#include "slipway/dag/template.h"

namespace slipway::dag {

enum class StaticType : unsigned char { Any, Null, Boolean, Integer, Number, String, Array, Object };
inline constexpr EnumTable<StaticType, 8> kStaticTypes{{{
    {StaticType::Any, "any", "known only when the task is rendered"},
    {StaticType::Null, "null", "the literal null"},
    {StaticType::Boolean, "boolean", "true or false"},
    {StaticType::Integer, "integer", "64 bits, signed"},
    {StaticType::Number, "number", "an integer or a 64-bit floating-point number, never infinite or NaN"},
    {StaticType::String, "string", "UTF-8 text"},
    {StaticType::Array, "array", "a list"},
    {StaticType::Object, "object", "a map from string to any value"},
}}};

// What a name may be used for, answered while checking a file.
struct NameInfo {
  StaticType type = StaticType::Any;
  bool secret = false;
  std::vector<std::string> enum_values;  // set where the type is a string limited to these
};

// Resolves a dotted name to what is known of it, or an error (message + help) that becomes a diagnostic: NotFound is
// `unknown-name`, Forbidden is `forbidden-name` (a secret outside env), anything else is `unreachable-name`.
// Names asked for: {params|vars|secrets|run|dag|env|outputs, NAME}, {tasks, ID, outputs, NAME}, {tasks, ID,
// state|attempts|…}, {item}, {index}; and any shorter form that somebody writes, such as {params} or {tasks, ID,
// outputs}. What follows (`item.x`, `params.list[0]`) is checked by type alone. The first word is always one of these
// roots.
using NameResolver = std::function<Result<NameInfo>(const std::vector<std::string>& path)>;

// What checking a template tells.
struct TemplateInfo {
  StaticType type = StaticType::String;  // of the value where the whole text is one expression, else String
  bool secret = false;                   // a secret flows into it
  bool shell_safe = true;                // every expression in it has a type that may stand in shell text (see docs)
  std::vector<SourceSpan> shell_unsafe;  // spans of those that may not
  std::set<std::vector<std::string>> names;  // every dotted name it reads
  bool constant = false;                     // it has expressions and they read no name (constant `when` is a mistake)
};

// Parses and type-checks every expression of `text`; problems go to `diagnostics`, placed inside the file. Their codes:
// expr-syntax, expr-type, null-value, unknown-function, and those of NameResolver.
[[nodiscard]] TemplateInfo check_template(const Template& text, const NameResolver& names, Diagnostics& diagnostics);

// The values that expressions see. `names` is an object with the members params, vars, run, dag, env, tasks, outputs,
// item, index as they apply; an absent or null value is null.
struct Scope {
  Value names;
  const std::map<std::string, Secret>* secrets = nullptr;  // null where secrets may not be used
};

struct Rendered {
  std::string text;
  bool secret = false;  // mask it wherever people see it
};

enum class TextUse : unsigned char {
  Plain,
  Shell,  // for `run:` text: a value that is no boolean, number or safe word is an error, whatever was declared
};

// The text with every expression replaced. Null inside a text, or in arithmetic, is an error of code InvalidArgument
// whose message begins with "null-value:"; an array or object is one too (to_json makes text of it).
[[nodiscard]] Result<Rendered> render(const Template& text, const Scope& scope, TextUse use = TextUse::Plain);

// The value of a template that is exactly one expression, or else the rendered text. Secrets are refused: a value has
// no mark.
[[nodiscard]] Result<Value> evaluate(const Template& text, const Scope& scope);

struct FunctionDoc {
  std::string_view signature;  // "round(x, digits = 0)"
  std::string_view result;     // a type, or how it follows from the arguments
  std::string_view doc;
};
// Every function, in the order of the documentation.
[[nodiscard]] std::vector<FunctionDoc> expression_functions();

}  // namespace slipway::dag
