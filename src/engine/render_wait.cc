#include "engine/render_wait.h"

#include <algorithm>

#include "slipway/base/file_uri.h"
#include "slipway/sched/scope.h"

namespace slipway::engine {
namespace {

Error failed(const std::string& field, const Error& error) {
  return {ErrorCode::InvalidArgument, field + ": " + error.message, error.help};
}

class WaitRenderer {
 public:
  WaitRenderer(const RenderInput& input, Instant now) : in_(input), now_(now) {
    std::vector<dag::Template> texts;
    if (in_.task.wait) texts.push_back(in_.task.wait->target);
    if (in_.task.approve) texts.push_back(in_.task.approve->message);
    if (in_.task.sub_dag) collect_templates(in_.task.sub_dag->params, texts);
    std::vector<const dag::Template*> named;
    for (const dag::Template& text : texts) named.push_back(&text);
    scope_.names = sched::names_for(in_.snapshot, in_.run, named, &in_.run.state.tasks.at(in_.id.key));
  }

  Result<RenderedWait> render() {
    if (in_.task.approve) return approve(*in_.task.approve);
    if (in_.task.sub_dag) return sub_dag(*in_.task.sub_dag);
    return wait(*in_.task.wait);
  }

 private:
  Result<RenderedWait> approve(const dag::Approve& approve) {
    const auto message = dag::render(approve.message, scope_);
    if (!message) return failed("approve.message", message.error());
    const std::string text = message->text.empty() ? in_.task.description : message->text;
    Value::Array by(approve.by.begin(), approve.by.end());
    Value::Object fields;
    for (const dag::Param& field : approve.fields) fields.emplace(field.name, field.schema);
    return RenderedWait{
        Value::Object{{"kind", "approve"}, {"message", text}, {"by", std::move(by)}, {"fields", std::move(fields)}},
        std::nullopt,
        "for a person" + (text.empty() ? "" : ": " + text),
        {}};
  }

  Result<RenderedWait> sub_dag(const dag::SubDag& sub_dag) {
    SLIPWAY_TRY_ASSIGN(Value params, render_json(sub_dag.params, scope_, "dag.params"));
    return RenderedWait{Value::Object{{"kind", "dag"}, {"dag", sub_dag.id.str()}}, std::nullopt, {}, std::move(params)};
  }

  Result<RenderedWait> wait(const dag::Wait& wait) {
    const std::string kind(dag::kWaitKinds.text(wait.kind));
    if (wait.kind == dag::WaitKind::For)
      return RenderedWait{Value::Object{{"kind", kind}, {"target", to_text(wait.duration)}},
                          now_ + wait.duration,
                          "for " + to_text(wait.duration),
                          {}};
    const auto rendered = dag::render(wait.target, scope_);
    if (!rendered) return failed("wait." + kind, rendered.error());
    RenderedWait out{Value::Object{{"kind", kind}, {"target", rendered->text}}, std::nullopt, {}, {}};
    switch (wait.kind) {
      case dag::WaitKind::For: break;
      case dag::WaitKind::Until: {
        const auto instant = parse_rfc3339(rendered->text);
        if (!instant) return failed("wait.until", instant.error());
        out.due = *instant;
        out.reason = "until " + to_rfc3339(*instant);
        break;
      }
      case dag::WaitKind::File: {
        SLIPWAY_TRY_ASSIGN(const std::string path, file_path(rendered->text));
        out.what["target"] = path;
        out.reason = "for the file " + path;
        break;
      }
      case dag::WaitKind::Http: out.reason = "for " + rendered->text + " to answer 2xx"; break;
      case dag::WaitKind::Run: out.reason = "for run " + rendered->text + " to end"; break;
      case dag::WaitKind::Dataset: out.reason = "for dataset " + rendered->text + " to be updated"; break;
    }
    return out;
  }

  // A relative path lies in the run's workspace, as `workdir` does.
  [[nodiscard]] Result<std::string> file_path(std::string text) const {
    if (is_file_uri(text)) {
      auto path = path_of_file_uri(text);
      if (!path) return path.error().in("wait.file");
      return path;
    }
    if (text.find("://") != std::string::npos)
      return Error{ErrorCode::InvalidArgument, "wait.file: `" + text + "` is no path of this machine",
                   "write a path, or file:///path"};
    if (text.empty()) return Error{ErrorCode::InvalidArgument, "wait.file: the path is empty", {}};
    return text.front() == '/' ? text : in_.options.home + "/workspace/" + in_.id.run.str() + "/" + text;
  }

  const RenderInput& in_;
  Instant now_;
  dag::Scope scope_;
};

Result<Value> render_text(const dag::Template& text, const dag::Scope& scope, const std::string& field) {
  if (auto value = dag::evaluate(text, scope)) return value;
  const auto rendered = dag::render(text, scope);
  if (!rendered) return failed(field, rendered.error());
  return Value(rendered->text);
}

}  // namespace

Result<Value> render_json(const Value& value, const dag::Scope& scope, const std::string& field) {
  if (value.is_string() && value.as_string().find("${{") != std::string::npos)
    return render_text({value.as_string(), {}}, scope, field);
  Value out = value;
  if (value.is_array())
    for (Value& element : out.as_array()) {
      SLIPWAY_TRY_ASSIGN(element, render_json(element, scope, field));
    }
  if (value.is_object())
    for (auto& [name, member] : out.as_object()) {
      SLIPWAY_TRY_ASSIGN(member, render_json(member, scope, field + "." + name));
    }
  return out;
}

void collect_templates(const Value& value, std::vector<dag::Template>& templates) {
  if (value.is_string()) templates.push_back({value.as_string(), {}});
  if (value.is_array())
    for (const Value& element : value.as_array()) collect_templates(element, templates);
  if (value.is_object())
    for (const auto& [name, member] : value.as_object()) collect_templates(member, templates);
}

Result<RenderedWait> render_wait(const RenderInput& input, Instant now) { return WaitRenderer(input, now).render(); }

}  // namespace slipway::engine
