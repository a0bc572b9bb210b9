// What a task of kind wait, approve or dag waits for, made from its templates.
#pragma once

#include <optional>
#include <string>

#include "engine/render.h"
#include "slipway/dag/expr.h"

namespace slipway::engine {

struct RenderedWait {
  Value what;                  // run::WaitState::what; for kind dag without the run
  std::optional<Instant> due;  // kinds for and until
  std::string reason;          // "until 2024-11-01T06:00:00Z", for people
  Value params;                // kind dag: of the sub-run
};

// `now` is when the wait begins. An error becomes the task's failure, class render.
[[nodiscard]] Result<RenderedWait> render_wait(const RenderInput& input, Instant now);

// Texts inside `value` rendered; one that is a whole expression keeps the type of its value. `field` names the place in
// errors.
[[nodiscard]] Result<Value> render_json(const Value& value, const dag::Scope& scope, const std::string& field);
// Every text inside `value` as a template, for sched::names_for.
void collect_templates(const Value& value, std::vector<dag::Template>& templates);

}  // namespace slipway::engine
