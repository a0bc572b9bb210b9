#include "dag/kinds.h"

#include <algorithm>

#include "dag/params.h"
#include "dag/reader.h"

namespace slipway::dag {
namespace {

using text::Entry;
using text::Node;
using text::NodeKind;

bool is_literal(const Node& node) { return node.is_scalar() && node.scalar.find("${{") == std::string::npos; }

// What can be said of a target before any run exists.
void check_target(const Node& node, WaitKind kind, Diagnostics& out) {
  if (!is_literal(node)) return;
  const std::string& text = node.scalar;
  const auto scheme = text.find("://");
  if (kind == WaitKind::Until && !parse_rfc3339(text))
    out.error("bad-date", node.span, "`" + text + "` is no instant",
              "write 2024-11-01T06:30:00Z, or an expression such as ${{ add_time(run.logical_date, '2h') }}");
  if (kind == WaitKind::File && scheme != std::string::npos && !text.starts_with("file://"))
    out.error("bad-wait", node.span,
              "a wait for a file looks at this machine's disk, and this is " + text.substr(0, scheme),
              "write a path, or let a task with a command look at the store");
  if (kind == WaitKind::Http && !text.starts_with("http://") && !text.starts_with("https://"))
    out.error("bad-wait", node.span, "`" + text + "` is no address", "begin it with https:// or http://");
  if (kind == WaitKind::Dataset) check_dataset(node, out);
}

}  // namespace

void check_dataset(const Node& node, Diagnostics& out) {
  if (!is_literal(node)) return;
  const std::string& text = node.scalar;
  const auto colon = text.find(':');
  const bool good = colon != std::string::npos && colon > 0 && colon + 1 < text.size() &&
                    text.find_first_of(" \t\n") == std::string::npos;
  if (!good)
    out.error("bad-dataset", node.span, "`" + text + "` is no URI", "write scheme:rest, such as s3://bucket/path");
}

void read_wait(const Node* node, Task& task, Diagnostics& out) {
  Wait& wait = task.wait.emplace();
  if (!is_written(node) || node->kind != NodeKind::Map) return;
  const Node* target = nullptr;
  int ways = 0;
  for (const auto& row : kWaitKinds.rows()) {
    const Node* written = node->find(row.text);
    if (!is_written(written)) continue;
    ++ways;
    wait.kind = row.value;
    target = written;
  }
  if (ways != 1)
    return out.error("bad-wait", node->span,
                     ways == 0 ? "this waits for nothing" : "this waits for more than one thing",
                     "give exactly one of for, until, file, http, run, dataset; two tasks can wait for two things");
  if (wait.kind == WaitKind::For)
    assign(wait.duration, read_duration(target));
  else
    assign(wait.target, read_template(target));
  check_target(*target, wait.kind, out);
  const Node* poll = node->find("poll");
  assign(wait.poll, read_duration(poll));
  if (is_written(poll) && wait.kind != WaitKind::File && wait.kind != WaitKind::Http)
    out.warning("no-effect", poll->span, "`poll` has an effect only where a file or an address is looked at",
                "remove it: the end of this wait is noticed at once");
  if (wait.poll < std::chrono::seconds(1))
    out.error("bad-wait", poll->span, "it would look more often than once a second", "write poll: 1s or more");
}

void read_approve(const Node* node, Task& task, Diagnostics& out) {
  Approve& approve = task.approve.emplace();
  if (!is_written(node) || node->kind != NodeKind::Map) return;
  assign(approve.message, read_template(node->find("message")));
  for (const Node* who : read_many(node->find("by"))) approve.by.push_back(who->scalar);
  const Node* fields = node->find("fields");
  if (!is_written(fields) || fields->kind != NodeKind::Map) return;
  for (const Entry& entry : fields->entries) approve.fields.push_back(read_param(entry, out));
}

void read_sub_dag(const Node* node, Task& task, Diagnostics& out) {
  SubDag& sub_dag = task.sub_dag.emplace();
  sub_dag.params = Value::Object{};
  if (!is_written(node)) return;
  if (node->is_scalar()) {
    sub_dag.id = DagId(node->scalar);
    return;
  }
  if (node->kind != NodeKind::Map) return;
  if (const auto id = read_text(node->find("id"))) sub_dag.id = DagId(*id);
  if (sub_dag.id.empty())
    out.error("missing-field", node->span, "task `" + task.id.str() + "` does not say which DAG it starts",
              "write dag: {id: other-dag}");
  if (const Node* params = node->find("params"); is_written(params) && params->kind == NodeKind::Map)
    sub_dag.params = text::to_value(*params);
}

void read_data(const Node& node, Task& task, Diagnostics& out) {
  const auto read_uris = [&](std::string_view field, std::vector<Template>& uris) {
    for (const Node* uri : read_many(node.find(field))) {
      if (auto text = read_template(uri)) uris.push_back(*std::move(text));
      check_dataset(*uri, out);
    }
  };
  read_uris("produces", task.produces);
  read_uris("consumes", task.consumes);
  if (const Node* vars = node.find("set_vars"); is_written(vars) && vars->kind == NodeKind::Map)
    task.set_vars = text::to_value(*vars);
  const Node* cache = node.find("cache");
  if (!is_written(cache) || cache->kind != NodeKind::Map) return;
  task.cache.emplace();
  for (const Node* part : read_many(cache->find("key")))
    if (auto text = read_template(part)) task.cache->key.push_back(*std::move(text));
  if (task.image && !task.image->has_expression() && task.image->text.find("@sha256:") == std::string::npos)
    out.warning("not-cached", cache->span, "results are not kept: the image `" + task.image->text + "` may change",
                "name it by digest: name@sha256:…");
}

void read_shares(const Entry& entry, ValueType type, Check& check, Diagnostics& out) {
  check.within = read_number(entry.value.find("within"));
  check.missing = read_number(entry.value.find("missing"));
  check.rows = read_number(entry.value.find("rows"));
  check.drift = read_number(entry.value.find("drift"));
  const bool number = type == ValueType::Number || type == ValueType::Integer || type == ValueType::Any;
  const bool object = type == ValueType::Object || type == ValueType::Any;
  const auto wrong = [&](const char* field, const char* takes) {
    out.error("bad-check", entry.value.find(field)->span,
              "`" + std::string(field) + "` looks at " + takes + ", and output `" + entry.key + "` is declared " +
                  std::string(kValueTypes.text(type)),
              "declare it so, or remove the condition");
  };
  if (check.within && !number) wrong("within", "a number");
  if (check.missing && !object) wrong("missing", "the member `missing` of an object");
  if (check.drift && !object) wrong("drift", "the member `drift` of an object");
  if (check.rows && !object && type != ValueType::Array) wrong("rows", "the member `rows` of an object, or a list");
}

}  // namespace slipway::dag
