#include "dag/structure.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "dag/scalar_rules.h"
#include "slipway/base/ids.h"
#include "slipway/base/time.h"

namespace slipway::dag {
namespace {

using text::Entry;
using text::Node;
using text::NodeKind;

// Words of other tools, and ours.
struct Foreign {
  std::string_view theirs;
  std::string_view help;
};
constexpr std::array kForeign{
    Foreign{"depends", "tasks name what they wait for in `needs`"},
    Foreign{"depends_on", "tasks name what they wait for in `needs`"},
    Foreign{"dependencies", "tasks name what they wait for in `needs`"},
    Foreign{"upstream", "tasks name what they wait for in `needs`"},
    Foreign{"command", "a command is `run: [program, argument]`, or `run: text` for the shell"},
    Foreign{"cmd", "a command is `run: [program, argument]`, or `run: text` for the shell"},
    Foreign{"script", "a command is `run: [program, argument]`, or `run: text` for the shell"},
    Foreign{"bash_command", "a command is `run: [program, argument]`, or `run: text` for the shell"},
    Foreign{"shell", "a command is `run: [program, argument]`, or `run: text` for the shell"},
    Foreign{"retries", "write `retry: {limit: 2}`"},
    Foreign{"retry_delay", "write `retry: {limit: 2, delay: 30s}`"},
    Foreign{"retryStrategy", "write `retry: {limit: 2}`"},
    Foreign{"execution_timeout", "write `timeout: 30m`"},
    Foreign{"timeout-minutes", "write `timeout: 30m`"},
    Foreign{"activeDeadlineSeconds", "write `timeout: 30m`"},
    Foreign{"if", "write `when: ${{ … }}`"},
    Foreign{"condition", "write `when: ${{ … }}`"},
    Foreign{"environment", "write `env: {NAME: value}`"},
    Foreign{"working-directory", "write `workdir`"},
    Foreign{"working_dir", "write `workdir`"},
    Foreign{"cwd", "write `workdir`"},
    Foreign{"continue-on-error", "write `continue_on_error`"},
    Foreign{"steps", "write `tasks:`, a map from id to task"},
    Foreign{"jobs", "write `tasks:`, a map from id to task"},
    Foreign{"dag_id", "write `dag: the-id`"},
    Foreign{"schedule_interval", "write `schedule: \"@daily\"`"},
    Foreign{"cron", "write `schedule: {cron: \"@daily\"}`"},
    Foreign{"timezone", "write `schedule: {cron: …, timezone: Europe/Paris}`"},
    Foreign{"start_date", "write `schedule: {cron: …, start: 2024-11-01}`"},
    Foreign{"catchup", "write `schedule: {cron: …, missed: last}`; `missed: all` is catchup"},
    Foreign{"concurrency", "write `max_active_runs` or `max_active_tasks`"},
    Foreign{"parameters", "write `params`"},
    Foreign{"with_items", "write `for_each`"},
    Foreign{"withItems", "write `for_each`"},
    Foreign{"withParam", "write `for_each`"},
    Foreign{"matrix", "write `for_each`"},
    Foreign{"expand", "write `for_each`"},
    Foreign{"serviceAccountName", "write `service_account`"},
    Foreign{"nodeSelector", "write `pod: {nodeSelector: …}`"},
    Foreign{"tolerations", "write `pod: {tolerations: …}`"},
    Foreign{"volumes", "write `pod: {volumes: …}`"},
};

// The help for the word of another tool that is nearest to `word`, if any.
std::string nearest_foreign(const std::string& word) {
  std::vector<std::string> theirs;
  for (const Foreign& foreign : kForeign) theirs.emplace_back(foreign.theirs);
  const auto close = nearest(word, theirs);
  const auto found =
      std::find_if(kForeign.begin(), kForeign.end(), [&](const Foreign& f) { return close && f.theirs == *close; });
  return found == kForeign.end() ? std::string() : std::string(found->help);
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

std::string quoted(std::string_view text) {
  const bool cut = text.size() > 60;
  return "`" + std::string(text.substr(0, 60)) + (cut ? "…`" : "`");
}

// "`on_oom.max`": the field without the names of tasks and parameters before it.
std::string label(const Field& field) {
  std::string_view path = field.path;
  for (const std::string_view prefix : {"tasks.*.", "params.*.", "groups.*."})
    if (path.starts_with(prefix)) path.remove_prefix(prefix.size());
  if (path == "tasks.*") return "a task";
  if (path == "params.*") return "a parameter";
  if (path.ends_with(".*")) return "an entry of `" + std::string(path.substr(0, path.size() - 2)) + "`";
  return "`" + std::string(path) + "`";
}

std::string describe(const Shape& shape) {
  switch (shape.form) {
    case Shape::Form::Map: return "a map";
    case Shape::Form::List: {
      std::string items;
      for (const Shape& item : shape.items) items += (items.empty() ? "" : " or ") + describe(item);
      return "a list, each item " + items;
    }
    case Shape::Form::Scalar: break;
  }
  if (shape.scalar == ScalarType::Word) return "one of " + joined(shape.words);
  return std::string(kScalarTypes.doc(shape.scalar));
}

std::string describe(const std::vector<Shape>& shapes) {
  std::string out;
  for (const Shape& shape : shapes) out += (out.empty() ? "" : ", or ") + describe(shape);
  return out;
}

bool is_whole(const Node& node) {
  return node.kind == NodeKind::Integer ||
         (node.kind == NodeKind::Number && std::trunc(node.number) == node.number && std::abs(node.number) < 9e15);
}

bool is_finite_number(const Node& node) {
  return node.kind == NodeKind::Integer || (node.kind == NodeKind::Number && std::isfinite(node.number));
}

bool in_range(const Node& node, const Shape& shape) {
  return node.number >= shape.minimum && node.number <= shape.maximum;
}

// The type of the node alone, before its value is looked at.
bool has_type(const Node& node, const Shape& shape) {
  if (shape.form == Shape::Form::Map) return node.kind == NodeKind::Map;
  if (shape.form == Shape::Form::List) return node.kind == NodeKind::List;
  switch (shape.scalar) {
    case ScalarType::Prose:
    case ScalarType::Text:
    case ScalarType::Template:
    case ScalarType::Duration:
    case ScalarType::Factor:
    case ScalarType::Id:
    case ScalarType::Name:
    case ScalarType::Word: return node.kind == NodeKind::Text;
    case ScalarType::Value:
      return node.kind == NodeKind::Text || node.kind == NodeKind::Boolean || is_finite_number(node);
    case ScalarType::Boolean: return node.kind == NodeKind::Boolean;
    case ScalarType::Integer: return is_whole(node);
    case ScalarType::Number: return is_finite_number(node);
    case ScalarType::Quantity: return node.kind == NodeKind::Text || is_finite_number(node);
    case ScalarType::Any:
    case ScalarType::Json: return true;
    case ScalarType::Object: return node.kind == NodeKind::Map;
  }
  return false;
}

bool has_value(const Node& node, const Shape& shape) {
  if (shape.form != Shape::Form::Scalar) return true;
  switch (shape.scalar) {
    case ScalarType::Duration: return parse_duration(node.scalar).has_value();
    case ScalarType::Factor: return is_factor(node.scalar);
    case ScalarType::Id: return is_id(node.scalar);
    case ScalarType::Name: return is_name(node.scalar);
    case ScalarType::Word: return std::find(shape.words.begin(), shape.words.end(), node.scalar) != shape.words.end();
    case ScalarType::Integer:
    case ScalarType::Number: return in_range(node, shape);
    case ScalarType::Quantity: return node.kind == NodeKind::Text ? is_quantity(node.scalar) : node.number >= 0;
    case ScalarType::Prose:
    case ScalarType::Text:
    case ScalarType::Template:
    case ScalarType::Value:
    case ScalarType::Boolean:
    case ScalarType::Any:
    case ScalarType::Json:
    case ScalarType::Object: return true;
  }
  return false;
}

std::string number_text(double number) {
  std::string out = std::to_string(number);
  out.erase(out.find_last_not_of('0') + 1);
  if (out.ends_with('.')) out.pop_back();
  return out;
}

std::string range_text(const Shape& shape) {
  if (std::isinf(shape.maximum)) return number_text(shape.minimum) + " or more";
  return number_text(shape.minimum) + " to " + number_text(shape.maximum);
}

std::string meant(const std::string& word) { return word.empty() ? "" : "did you mean `" + word + "`?"; }

std::string meant_id(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool upper = c >= 'A' && c <= 'Z';
    out += upper ? static_cast<char>(c - 'A' + 'a') : c == ' ' || c == '/' ? '-' : c;
  }
  return is_id(out) ? out : std::string();
}

// Types as other languages call them.
constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kTypeNames{{{"float", "number"},
                                                                                   {"double", "number"},
                                                                                   {"int", "integer"},
                                                                                   {"str", "string"},
                                                                                   {"text", "string"},
                                                                                   {"bool", "boolean"},
                                                                                   {"list", "array"},
                                                                                   {"dict", "object"},
                                                                                   {"map", "object"}}};

std::string cure_word(const Node& node, const Shape& shape) {
  const auto has = [&](std::string_view word) {
    return std::find(shape.words.begin(), shape.words.end(), word) != shape.words.end();
  };
  for (const auto& [theirs, ours] : kTypeNames)
    if (node.scalar == theirs && has(ours)) return meant(std::string(ours));
  const auto word = nearest(node.scalar, shape.words);
  return word ? meant(*word) : "it takes one of: " + joined(shape.words);
}

// How to repair a scalar of the right type and a wrong value, or of a wrong type that is easily mended.
std::string cure(const Node& node, const Shape& shape) {
  if (node.scalar.find("${{") != std::string::npos) return "an expression cannot stand here: write the value itself";
  switch (shape.scalar) {
    case ScalarType::Duration: {
      const auto word = meant_duration(node.scalar);
      return word.empty() ? "write numbers with units in falling order: 30s, 10m, 1h30m, 2d" : meant(word);
    }
    case ScalarType::Quantity: {
      const auto word = meant_quantity(node.scalar);
      return word.empty() ? "write a number with m, k, M, G, T, Ki, Mi, Gi or Ti behind it: 500m, 32Gi" : meant(word);
    }
    case ScalarType::Word: return cure_word(node, shape);
    case ScalarType::Id: {
      const auto word = meant_id(node.scalar);
      return word.empty()
                 ? "an id has a-z, 0-9, `-`, `.`, `_`, at most 100 of them, and begins and ends with a letter or digit"
                 : meant(word);
    }
    case ScalarType::Boolean: return "write true or false; YAML 1.2 reads yes, no, on and off as text";
    case ScalarType::Prose:
    case ScalarType::Text:
    case ScalarType::Template: return node.is_scalar() ? "put it in quotes: \"" + node.scalar + "\"" : "write one text";
    case ScalarType::Name: return "a name has letters, digits and `_`, and no digit in front";
    case ScalarType::Factor: return "write x and a number: x1.5";
    case ScalarType::Integer: return "write a whole number";
    case ScalarType::Number: return "write a number";
    case ScalarType::Value: return "write one text, number or boolean; to_json(x) makes text of anything";
    case ScalarType::Any:
    case ScalarType::Json:
    case ScalarType::Object: return "write {key: value}";
  }
  return {};
}

// How to repair a value that has none of the types the field takes.
std::string cure_type(const Node& node, const Field& field, const Shape& first) {
  const std::string written = node.is_scalar() ? node.scalar : "…";
  if (field.path == "tasks") return "write each task below its id:  download: {run: …}";
  if (field.path == "tasks.*") return "write {run: " + written + "}";
  if (field.path == "params.*") return "write {type: …, default: " + written + "}";
  if (field.path == "schedule")
    return "write {cron: \"" + (node.kind == NodeKind::Text ? node.scalar : "@daily") + "\"}";
  if (first.form == Shape::Form::List) return node.is_scalar() ? "write [" + written + "]" : "write [a, b]";
  if (first.form == Shape::Form::Scalar) return cure(node, first);
  const auto known = field.known_keys();
  if (known.empty()) return "write {NAME: value}";
  return "write {" + known.front() + ": " + written + "}" + (known.size() > 1 ? "; it takes: " + joined(known) : "");
}

class Checker {
 public:
  explicit Checker(Diagnostics& out) : out_(out) {}

  void check(const Node& node, const Field& field) {
    if (node.kind != NodeKind::Null) check(node, field, field.shapes);
  }

  void check_map(const Node& node, const Field& field, ScalarType keys) {
    for (const Entry& entry : node.entries) {
      const Field* child = field.child(entry.key);
      if (child == nullptr) {
        unknown_key(entry, field);
        continue;
      }
      if (child->key == "*" && keys != ScalarType::Text) check_key(entry, *child, keys);
      check(entry.value, *child);
    }
  }

 private:
  void check(const Node& node, const Field& field, const std::vector<Shape>& shapes) {
    const auto same_type =
        std::find_if(shapes.begin(), shapes.end(), [&](const Shape& s) { return has_type(node, s); });
    if (same_type == shapes.end()) return wrong_type(node, field, shapes);
    if (const Shape* shape = fitting_value(node, shapes)) {
      if (shape->form == Shape::Form::List) {
        for (const Node& item : node.items) check(item, field, shape->items);
      } else if (shape->form == Shape::Form::Map) {
        check_map(node, field, shape->scalar);
      }
      return;
    }
    bad_value(node, field, *same_type);
  }

  static const Shape* fitting_value(const Node& node, const std::vector<Shape>& shapes) {
    for (const Shape& shape : shapes)
      if (has_type(node, shape) && has_value(node, shape)) return &shape;
    return nullptr;
  }

  void check_key(const Entry& entry, const Field& field, ScalarType keys) {
    Node key;
    key.kind = NodeKind::Text;
    key.scalar = entry.key;
    Shape shape;
    shape.scalar = keys;
    if (!has_value(key, shape))
      out_.error("bad-value", entry.key_span,
                 quoted(entry.key) + " is no " + std::string(kScalarTypes.text(keys)) + " for " + label(field),
                 cure(key, shape));
  }

  void wrong_type(const Node& node, const Field& field, const std::vector<Shape>& shapes) {
    out_.error(
        "wrong-type", node.span,
        label(field) + " takes " + describe(shapes) + "; this is " + std::string(text::kNodeKinds.text(node.kind)),
        cure_type(node, field, shapes.front()));
  }

  void bad_value(const Node& node, const Field& field, const Shape& shape) {
    const bool numeric = shape.scalar == ScalarType::Integer || shape.scalar == ScalarType::Number;
    if (numeric) {
      out_.error("bad-value", node.span, label(field) + " is " + node.scalar + ", and it takes " + range_text(shape),
                 "write a number in that range");
      return;
    }
    const bool word = shape.scalar == ScalarType::Word;
    out_.error("bad-value", node.span,
               quoted(node.scalar) +
                   (word ? " is no word of " : " is no " + std::string(kScalarTypes.text(shape.scalar)) + " for ") +
                   label(field),
               cure(node, shape));
  }

  void unknown_key(const Entry& entry, const Field& field) {
    const auto known = field.known_keys();
    const bool root = field.path.empty();
    const bool task = field.body->path == "tasks.*";
    const std::string where = root ? "a DAG" : label(field);
    std::string help;
    const auto foreign =
        std::find_if(kForeign.begin(), kForeign.end(), [&](const Foreign& f) { return f.theirs == entry.key; });
    const bool of_task = root && language().child("tasks")->child("x")->child(entry.key) != nullptr;
    const bool of_dag = task && language().child(entry.key) != nullptr;
    if (of_task) {
      help = "`" + entry.key + "` belongs to a task: put it below `tasks.<id>`, or below `defaults` for all of them";
    } else if (of_dag) {
      help = "`" + entry.key + "` belongs to the DAG: put it at the top level";
    } else if (foreign != kForeign.end() && (root || task)) {
      help = foreign->help;
    } else if (const auto word = nearest(entry.key, known)) {
      help = meant(*word);
    } else if (const std::string theirs = root || task ? nearest_foreign(entry.key) : ""; !theirs.empty()) {
      help = theirs;
    } else {
      help = known.size() > 12 ? "`slipway dag explain` lists what there is" : "it takes: " + joined(known);
    }
    out_.error("unknown-key", entry.key_span, quoted(entry.key) + " is no field of " + where, help);
  }

  Diagnostics& out_;
};

}  // namespace

void check_structure(const Node& root, Diagnostics& diagnostics) {
  Checker checker(diagnostics);
  checker.check_map(root, language(), ScalarType::Text);
  for (const std::string_view key : {"dag", "tasks"}) {
    const Node* node = root.find(key);
    if (node != nullptr && node->kind != NodeKind::Null) continue;
    const auto place = node != nullptr ? root.find_entry(key)->key_span : SourceSpan{};
    diagnostics.error("missing-field", place, "the file has no `" + std::string(key) + "`",
                      key == "dag" ? "begin it with `dag: the-id`; the id names the DAG in runs and addresses"
                                   : "write `tasks:` and below it each task by its id");
  }
}

bool fits(const Node& node, const Shape& shape) { return has_type(node, shape) && has_value(node, shape); }

const Shape* fitting(const Node& node, const std::vector<Shape>& shapes) {
  const auto found = std::find_if(shapes.begin(), shapes.end(), [&](const Shape& shape) { return fits(node, shape); });
  return found == shapes.end() ? nullptr : &*found;
}

}  // namespace slipway::dag
