#include <algorithm>

#include "dag/draft.h"
#include "dag/reader.h"

namespace slipway::dag {

namespace {

void read_notify(Draft& draft) {
  for (const text::Node* node : read_many(draft.root.find("notify"))) {
    if (node->kind != text::NodeKind::Map) continue;
    NotifyRule rule;
    rule.span = node->span;
    assign(rule.to, read_text(node->find("to")));
    if (const text::Node* on = node->find("on"); is_written(on)) {
      rule.on.clear();
      for (const text::Node* word : read_many(on))
        if (const auto kind = read_word(word, kNoticeKinds)) rule.on.push_back(*kind);
    }
    if (rule.to.empty())
      draft.out.error("missing-field", node->span, "this notification has no `to`",
                      "name a target of the server's config: to: ops");
    draft.dag.notify.push_back(std::move(rule));
  }
}

// A deadline that tells nobody would be a wish.
void read_deadline(Draft& draft) {
  const text::Node* node = draft.root.find("deadline");
  if (!is_written(node) || node->kind != text::NodeKind::Map) return;
  Deadline deadline;
  assign(deadline.notify, read_text(node->find("notify")));
  if (const auto after = read_duration(node->find("after"))) {
    deadline.after = *after;
  } else if (!is_written(node->find("after"))) {
    draft.out.error("missing-field", node->span, "the deadline has no `after`", "write after: 3h");
  }
  const auto hears = [](const NotifyRule& rule) {
    return std::find(rule.on.begin(), rule.on.end(), NoticeKind::Deadline) != rule.on.end();
  };
  if (deadline.notify.empty() && std::none_of(draft.dag.notify.begin(), draft.dag.notify.end(), hears))
    draft.out.warning("no-effect", node->span, "nobody is told when the deadline passes",
                      "write notify: NAME here, or `on: [deadline]` in `notify`");
  draft.dag.deadline = std::move(deadline);
}

}  // namespace

void read_top_level(Draft& draft) {
  const text::Node& root = draft.root;
  Dag& dag = draft.dag;
  if (const auto id = read_text(root.find("dag"))) dag.id = DagId(*id);
  assign(dag.description, read_text(root.find("description")));
  assign(dag.doc, read_text(root.find("doc")));
  assign(dag.owner, read_text(root.find("owner")));
  for (const text::Node* tag : read_many(root.find("tags"))) dag.tags.push_back(tag->scalar);
  assign(dag.run_result, read_word(root.find("run_result"), kRunResultRules));
  assign(dag.max_active_runs, read_int(root.find("max_active_runs")));
  assign(dag.max_active_tasks, read_int(root.find("max_active_tasks")));
  assign(dag.priority_class, read_word(root.find("priority_class"), kPriorityClasses));
  assign(dag.weight, read_number(root.find("weight")));
  assign(dag.timeout, read_duration(root.find("timeout")));
  assign(dag.paused_on_create, read_bool(root.find("paused_on_create")));
  if (const text::Node* retention = root.find("retention"); is_written(retention)) {
    assign(dag.retention.runs, read_int(retention->find("runs")));
    assign(dag.retention.age, read_duration(retention->find("age")));
  }
  read_notify(draft);
  read_deadline(draft);
  if (const text::Node* vars = root.find("vars"); is_written(vars) && vars->kind == text::NodeKind::Map)
    for (const text::Entry& entry : vars->entries) dag.vars.emplace(entry.key, text::to_value(entry.value));
}

}  // namespace slipway::dag
