// Events <-> JSON. Each event is described once; Writer and Reader walk the same description. Members at their default
// are left out, and a reader takes an absent one as the default, so that fields can be added for ever.
#include <array>
#include <type_traits>

#include "slipway/run/run.h"

namespace slipway::run {
namespace {

// --- scalars
// ----------------------------------------------------------------------------------------------------------

constexpr const auto& table(AttemptState) { return kAttemptStates; }
constexpr const auto& table(TaskState) { return kTaskStates; }
constexpr const auto& table(RunState) { return kRunStates; }
constexpr const auto& table(FailureClass) { return kFailureClasses; }
constexpr const auto& table(TriggerKind) { return kTriggerKinds; }

template <class E>
requires std::is_enum_v<E> Value encode(E value) { return table(value).text(value); }
Value encode(bool value) { return value; }
Value encode(int value) { return value; }
Value encode(const std::string& value) { return value; }
Value encode(const Value& value) { return value; }
Value encode(Instant value) { return to_rfc3339(value); }
Value encode(Duration value) { return static_cast<std::int64_t>(value.count()); }  // microseconds
Value encode(const AttemptId& value) { return value.str(); }
Value encode(const TaskKey& value) { return value.str(); }
template <class Tag>
Value encode(const Id<Tag>& value) {
  return value.str();
}
Value encode(const ParentTask& parent);
template <class T>
Value encode(const std::optional<T>& value) {
  return value ? encode(*value) : Value();
}
template <class T>
Value encode(const std::vector<T>& values) {
  Value::Array array;
  for (const T& value : values) array.push_back(encode(value));
  return array;
}
Value encode(const RunHeader& header);

template <class E>
requires std::is_enum_v<E>
bool decode(const Value& value, E& target) {
  const auto parsed = value.is_string() ? table(E{}).parse(value.as_string()) : std::nullopt;
  if (parsed) target = *parsed;
  return parsed.has_value();
}
bool decode(const Value& value, bool& target) {
  if (value.is_bool()) target = value.as_bool();
  return value.is_bool();
}
bool decode(const Value& value, int& target) {
  if (value.is_int()) target = static_cast<int>(value.as_int());
  return value.is_int() && value.as_int() == target;
}
bool decode(const Value& value, std::string& target) {
  if (value.is_string()) target = value.as_string();
  return value.is_string();
}
bool decode(const Value& value, Value& target) {
  target = value;
  return true;
}
bool decode(const Value& value, Instant& target) {
  const auto parsed = value.is_string() ? parse_rfc3339(value.as_string()) : Result<Instant>(Error{});
  if (parsed) target = *parsed;
  return parsed.has_value();
}
bool decode(const Value& value, Duration& target) {
  if (value.is_int()) target = Duration(value.as_int());
  return value.is_int();
}
bool decode(const Value& value, AttemptId& target) {
  const auto parsed = value.is_string() ? AttemptId::parse(value.as_string()) : std::nullopt;
  if (parsed) target = *parsed;
  return parsed.has_value();
}
bool decode(const Value& value, TaskKey& target) {
  // The key's text form is the middle of an attempt id, whose parser is strict.
  const auto parsed = value.is_string() ? AttemptId::parse("r/" + value.as_string() + "/1") : std::nullopt;
  if (parsed) target = parsed->key;
  return parsed.has_value();
}
template <class Tag>
bool decode(const Value& value, Id<Tag>& target) {
  if (value.is_string()) target = Id<Tag>(value.as_string());
  return value.is_string();
}
bool decode(const Value& value, ParentTask& parent);
template <class T>
bool decode(const Value& value, std::optional<T>& target) {
  T inner{};
  const bool ok = decode(value, inner);
  if (ok) target = std::move(inner);
  return ok;
}
template <class T>
bool decode(const Value& value, std::vector<T>& target) {
  if (!value.is_array()) return false;
  for (const Value& element : value.as_array()) {
    T inner{};
    if (!decode(element, inner)) return false;
    target.push_back(std::move(inner));
  }
  return true;
}
bool decode(const Value& value, RunHeader& header);

// --- the two walkers
// --------------------------------------------------------------------------------------------------

struct Writer {
  Value::Object out;

  template <class T>
  void required(const char* name, const T& member) {
    out.emplace(name, encode(member));
  }
  template <class T>
  void optional(const char* name, const T& member) {
    if (!(member == T{})) out.emplace(name, encode(member));
  }
};

struct Reader {
  const Value& in;
  std::string problem = {};

  template <class T>
  void required(const char* name, T& member) {
    if (in.find(name) == nullptr) problem = std::string("event lacks `") + name + "`";
    optional(name, member);
  }
  template <class T>
  void optional(const char* name, T& member) {
    const Value* found = in.find(name);
    if (found != nullptr && !decode(*found, member))
      problem = std::string("event has an unusable `") + name + "`: " + found->dump();
  }
};

// --- the descriptions
// -------------------------------------------------------------------------------------------------

template <class Walker, class Parent>
void describe_parent(Walker& walk, Parent& parent) {
  walk.required("run", parent.run);
  walk.required("task", parent.key);
  walk.required("generation", parent.generation);
  walk.required("depth", parent.depth);
}

template <class Walker, class W>
void describe_waiting(Walker& walk, W& waiting) {
  walk.required("what", waiting.what);
  walk.required("since", waiting.since);
  walk.optional("due", waiting.due);
  walk.optional("deadline", waiting.deadline);
}

template <class Walker, class Header>
void describe_header(Walker& walk, Header& header) {
  walk.required("id", header.id);
  walk.required("dag", header.dag);
  walk.required("version", header.version);
  walk.required("trigger", header.trigger);
  walk.optional("schedule", header.schedule);
  walk.required("logical_date", header.logical_date);
  walk.required("interval_start", header.interval_start);
  walk.required("interval_end", header.interval_end);
  walk.optional("params", header.params);
  walk.required("created_at", header.created_at);
  walk.optional("idempotency_key", header.idempotency_key);
  walk.optional("previous", header.previous);
  walk.optional("resumed_from", header.resumed_from);
  walk.optional("parent", header.parent);
}

template <class Body>
concept OfAttempt = requires(Body body) {
  AttemptId(body.id);
};

template <class Walker, class Body>
void describe_attempt(Walker& walk, Body& body) {
  using B = std::remove_const_t<Body>;
  walk.required("attempt", body.id);
  if constexpr (std::is_same_v<B, AttemptOpened>) {
    walk.required("executor", body.executor);
    walk.optional("rendered", body.rendered);
  } else if constexpr (std::is_same_v<B, AttemptStarted>) {
    walk.required("to", body.to);
    walk.optional("identity", body.identity);
    walk.optional("deadline", body.deadline);
    walk.optional("at", body.at);
  } else if constexpr (std::is_same_v<B, AttemptStopping>) {
    walk.required("cause", body.cause);
    walk.optional("reason", body.reason);
  } else if constexpr (std::is_same_v<B, AttemptEnded>) {
    walk.required("to", body.to);
    walk.optional("failure", body.failure);
    walk.optional("reason", body.reason);
    walk.optional("exit_code", body.exit_code);
    walk.optional("outputs", body.outputs);
    walk.required("task_to", body.task_to);
    walk.optional("retry_at", body.retry_at);
    walk.optional("infra_budget", body.infra_budget);
    walk.optional("memory_step", body.memory_step);
    walk.optional("at", body.at);
    walk.optional("vars", body.vars);
    walk.optional("datasets", body.datasets);
  }
}

// `Body` is one of the event structs, const for a Writer.
template <class Walker, class Body>
void describe(Walker& walk, Body& body) {
  using B = std::remove_const_t<Body>;
  if constexpr (std::is_same_v<B, RunCreated>) {
    walk.required("run", body.header);
    walk.required("tasks", body.tasks);
    walk.optional("backfill", body.backfill);
  } else if constexpr (std::is_same_v<B, RunMoved>) {
    walk.required("to", body.to);
    walk.optional("failures", body.failures);
    walk.optional("cause", body.cause);
    walk.optional("now", body.now);
  } else if constexpr (std::is_same_v<B, TaskExpanded>) {
    walk.required("task", body.task);
    walk.required("items", body.items);
  } else if constexpr (std::is_same_v<B, TaskMoved>) {
    walk.required("task", body.key);
    walk.required("to", body.to);
    walk.optional("reason", body.reason);
    walk.optional("failure", body.failure);
    walk.optional("outputs", body.outputs);
    walk.optional("cached", body.cached);
    walk.optional("vars", body.vars);
  } else if constexpr (std::is_same_v<B, TaskWaiting>) {
    walk.required("task", body.key);
    walk.required("what", body.what);
    walk.optional("due", body.due);
    walk.optional("deadline", body.deadline);
    walk.optional("reason", body.reason);
  } else if constexpr (OfAttempt<B>) {
    describe_attempt(walk, body);
  } else if constexpr (std::is_same_v<B, TaskReset> || std::is_same_v<B, TaskClearing>) {
    walk.required("task", body.key);
  } else if constexpr (std::is_same_v<B, RunReopened>) {
    walk.optional("backfill", body.backfill);
  } else if constexpr (std::is_same_v<B, TaskMarked>) {
    walk.required("task", body.key);
    walk.required("to", body.to);
    walk.optional("reason", body.reason);
  } else if constexpr (std::is_same_v<B, RunMarked>) {
    walk.required("to", body.to);
    walk.optional("reason", body.reason);
  } else if constexpr (std::is_same_v<B, ClockMoved>) {
    walk.required("by_us", body.by);
  } else if constexpr (std::is_same_v<B, RunReversioned>) {
    walk.required("version", body.version);
    walk.optional("params", body.params);
    walk.optional("added", body.added);
    walk.optional("removed", body.removed);
  } else {
    static_assert(std::is_same_v<B, DeadlinePassed>);
  }
}

Value encode(const RunHeader& header) {
  Writer writer;
  describe_header(writer, header);
  return std::move(writer.out);
}

Value encode(const ParentTask& parent) {
  Writer writer;
  describe_parent(writer, parent);
  return std::move(writer.out);
}

bool decode(const Value& value, ParentTask& parent) {
  Reader reader{value};
  describe_parent(reader, parent);
  return reader.problem.empty();
}

bool decode(const Value& value, RunHeader& header) {
  Reader reader{value};
  describe_header(reader, header);
  return reader.problem.empty();
}

// In the order of EventBody's alternatives.
constexpr std::array<std::string_view, std::variant_size_v<EventBody>> kKinds{
    "run_created",   "run_moved",   "task_moved",   "attempt_opened",  "attempt_started", "attempt_stopping",
    "attempt_ended", "task_reset",  "run_reopened", "task_expanded",   "deadline_passed", "clock_moved",
    "task_clearing", "task_marked", "run_marked",   "run_reversioned", "task_waiting"};

template <std::size_t I = 0>
Result<EventBody> read_as(std::size_t kind, const Value& value) {
  if constexpr (I == std::variant_size_v<EventBody>) {
    return Error{ErrorCode::Corrupt, "event of unknown kind", {}};
  } else {
    if (kind != I) return read_as<I + 1>(kind, value);
    std::variant_alternative_t<I, EventBody> body{};
    Reader reader{value};
    describe(reader, body);
    if (!reader.problem.empty()) return Error{ErrorCode::Corrupt, reader.problem, {}};
    return EventBody(std::move(body));
  }
}

}  // namespace

std::string_view kind_of(const EventBody& body) { return kKinds[body.index()]; }

Value to_value(const EventBody& body) {
  Writer writer;
  writer.out.emplace("kind", kind_of(body));
  std::visit([&](const auto& event) { describe(writer, event); }, body);
  return std::move(writer.out);
}

Result<EventBody> event_from_value(const Value& value) {
  const std::string kind = value.get_string("kind");
  std::size_t index = 0;
  while (index < kKinds.size() && kKinds[index] != kind) ++index;
  if (index == kKinds.size()) return Error{ErrorCode::Corrupt, "event of unknown kind `" + kind + "`", {}};
  return read_as(index, value);
}

Value to_value(const std::optional<WaitState>& waiting) {
  if (!waiting) return {};
  Writer writer;
  describe_waiting(writer, *waiting);
  return std::move(writer.out);
}

Value to_value(const std::optional<ParentTask>& parent) { return encode(parent); }

Result<std::optional<WaitState>> waiting_from_value(const Value& value) {
  if (value.is_null()) return std::optional<WaitState>();
  WaitState waiting;
  Reader reader{value};
  describe_waiting(reader, waiting);
  if (!reader.problem.empty()) return Error{ErrorCode::Corrupt, reader.problem, {}};
  return std::optional(std::move(waiting));
}

Result<std::optional<ParentTask>> parent_from_value(const Value& value) {
  if (value.is_null()) return std::optional<ParentTask>();
  ParentTask parent;
  if (!decode(value, parent)) return Error{ErrorCode::Corrupt, "the parent of a run is unusable: " + value.dump(), {}};
  return std::optional(std::move(parent));
}

}  // namespace slipway::run
