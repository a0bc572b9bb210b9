// The expression language of ${{ … }}: typed, total, no I/O, bounded (10,000 steps + 8 per element read; results of at
// most 128 KiB). Grammar, functions and names: docs/dag-format.md, "Expressions".
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "slipway/base/diagnostics.h"
#include "slipway/base/result.h"
#include "slipway/base/secret.h"
#include "slipway/base/value.h"
#include "slipway/dag/template.h"

namespace slipway::dag {

enum class StaticType : unsigned char { Any, Null, Boolean, Integer, Number, String, Array, Object };

// What a name may be used for, answered while checking a file.
struct NameInfo {
  StaticType type = StaticType::Any;
  bool secret = false;
  std::vector<std::string> enum_values;  // set where the type is a string limited to these
};

// Resolves a dotted name ("params.limit", "tasks.train.outputs.loss") to what is known of it, or an error (message +
// help).
using NameResolver = std::function<Result<NameInfo>(const std::vector<std::string>& path)>;

// What checking a template tells.
struct TemplateInfo {
  StaticType type = StaticType::String;  // of the value where the whole text is one expression, else String
  bool secret = false;                   // a secret flows into it
  bool shell_safe = true;                // every expression in it has a type that may stand in shell text (see docs)
  std::vector<SourceSpan> shell_unsafe;  // spans of those that may not
  std::set<std::vector<std::string>> names;  // every dotted name it reads
  bool constant = false;                     // an expression that reads no name (constant `when` is a mistake)
};

// Parses and type-checks every expression of `text`; problems go to `diagnostics`, placed inside the file.
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

// The text with every expression replaced. Null inside a text, or in arithmetic, is an error of code InvalidArgument
// whose message begins with "null-value:".
[[nodiscard]] Result<Rendered> render(const Template& text, const Scope& scope);

// The value of a template that is exactly one expression, or of a plain text (then the text itself).
[[nodiscard]] Result<Value> evaluate(const Template& text, const Scope& scope);

}  // namespace slipway::dag
