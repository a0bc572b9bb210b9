#include "pods/rollout_work.h"

#include <algorithm>
#include <variant>

#include "slipway/base/file.h"
#include "slipway/pods/service_objects.h"

namespace slipway::pods {
namespace {

using run::FailureClass;

constexpr std::string_view kManager = "slipway";
constexpr std::size_t kRecordBytesMax = 4U << 20U;
constexpr std::size_t kReplyShown = 300;
constexpr Duration kRecreateGrace = std::chrono::seconds(5);
constexpr int kStoppedExit = 143;

Value::Array array_of(const std::vector<Value>& objects) { return {objects.begin(), objects.end()}; }
std::vector<Value> objects_of(const Value& from, std::string_view name) {
  const Value* all = from.find(name);
  return all != nullptr && all->is_array() ? all->as_array() : std::vector<Value>{};
}
bool flag_of(const Value& from, std::string_view name) {
  const Value* flag = from.find(name);
  return flag != nullptr && *flag == Value(true);
}

// Why a rollout ends badly.
struct Trouble {
  FailureClass failure = FailureClass::User;
  std::string message;
  bool superseded = false;  // what is there now is somebody else's
};
// The daemon ends; nothing is to be decided any more.
struct Ending {};
// Somebody wants it to stop.
struct Stopped {};
// Of a step: nothing where it was done.
using Stop = std::variant<Trouble, Ending, Stopped>;
using Step = std::optional<Stop>;

std::string with_causes(const kube::Failure& failure) {
  std::string text = failure.message.empty() ? std::string(kube::kFailureKinds.doc(failure.kind)) : failure.message;
  for (const kube::FailureCause& cause : failure.causes)
    if (!cause.message.empty() && text.find(cause.message) == std::string::npos) text += "; " + cause.message;
  return text;
}

class Work {
 public:
  Work(RolloutPlan plan, const RolloutOptions& options, const Clock& clock, RolloutControl& control)
      : plan_(std::move(plan)),
        options_(options),
        clock_(clock),
        control_(control),
        deadline_(plan_.started_at + (plan_.service ? plan_.service->rollout_timeout : Duration(0))) {}

  std::optional<exec::Exited> run() {
    if (plan_.ending) return put_back();
    Step trouble = remember();
    if (!trouble) trouble = bring_about();
    if (!trouble) trouble = wait_for_all();
    if (!trouble && plan_.service && plan_.service->smoke) trouble = smoke();
    if (!trouble) trouble = promote();
    if (!trouble) return succeeded();
    if (std::holds_alternative<Ending>(*trouble)) return std::nullopt;
    return failed(*trouble);
  }

 private:
  // --- calls
  // Until the server says what it thinks of it: outages, limits and races pass.
  std::variant<kube::Answer, Stop> insist(const kube::ApiCall& call, const std::string& what, bool until_stop = true) {
    for (const MonoInstant begun = clock_.monotonic();;) {
      auto answer = control_.ask(call, until_stop);
      if (!answer) return interruption();
      if (*answer || !passes(*answer->failure)) return std::move(*answer);
      const std::string words = what + ": " + with_causes(*answer->failure);
      control_.note(words);
      if ((plan_.service && is_late()) || clock_.monotonic() - begun >= options_.outage_longest)
        return Stop(Trouble{FailureClass::Launch, words});
      if (!control_.pause(options_.poll, until_stop)) return interruption();
    }
  }
  static bool passes(const kube::Failure& failure) {
    switch (failure.kind) {
      case kube::FailureKind::Unreachable:
      case kube::FailureKind::Interrupted:
      case kube::FailureKind::Unauthorized:
      case kube::FailureKind::QuotaExceeded:
      case kube::FailureKind::Expired:
      case kube::FailureKind::TooManyRequests:
      case kube::FailureKind::Overloaded:
      case kube::FailureKind::Unexpected: return true;
      case kube::FailureKind::Forbidden:
      case kube::FailureKind::NotFound:
      case kube::FailureKind::AlreadyExists:
      case kube::FailureKind::Conflict:
      case kube::FailureKind::Invalid:
      case kube::FailureKind::TooLarge:
      case kube::FailureKind::Misconfigured: return false;
    }
    return false;
  }
  [[nodiscard]] Stop interruption() const {
    if (control_.ending()) return Ending{};
    return Stopped{};
  }
  [[nodiscard]] bool is_late() const { return clock_.now() >= deadline_; }

  static kube::ObjectPath path(const Value& object) { return *kube::path_of(object); }

  // What the server says against an object. A fault of what was written, or of rights: trying again cannot help.
  static Trouble refusal(const Value& object, const kube::Failure& failure) {
    std::string text = kube::object_name(object) + " was refused: " + with_causes(failure);
    if (failure.kind == kube::FailureKind::Conflict)
      text +=
          " (leave the field out of the manifest, or take it from its manager: kubectl apply --server-side "
          "--field-manager slipway --force-conflicts)";
    if (failure.kind == kube::FailureKind::Forbidden && failure.message.find(" cannot ") != std::string::npos)
      text += " (give the daemon's account this right, see docs/operations.md)";
    return {FailureClass::Config, std::move(text)};
  }

  // --- before anything is changed: what to put back
  Step remember() {
    if (!plan_.service || plan_.remembered) return {};
    const auto record = read_record(options_.home, plan_.service->name);
    if (record) {
      plan_.previous_revision = record->revision;
      plan_.previous = record->objects;
    }
    for (const Value& object : plan_.objects)
      if (const std::string kind = object.get_string("kind"); kind == "Deployment" || kind == "Service")
        if (auto step = remember(object, record.has_value())) return step;
    plan_.remembered = true;
    return keep();
  }
  Step remember(const Value& object, bool recorded) {
    auto answer = insist(kube::get_call(path(object)), kube::object_name(object) + " cannot be read");
    if (Stop* stop = std::get_if<Stop>(&answer)) return std::move(*stop);
    const kube::Answer& found = std::get<kube::Answer>(answer);
    if (!found && found.failure->kind == kube::FailureKind::NotFound) {
      plan_.absent.push_back(object);
      return {};
    }
    if (!found) return refusal(object, *found.failure);
    // Nobody has kept what was applied before: what the server shows of it.
    if (!recorded) plan_.previous.push_back(kube::without_status(found.object));
    if (!recorded && plan_.previous_revision.empty())
      plan_.previous_revision = kube::annotation_of(found.object, kRevisionAnnotation);
    return {};
  }
  Step keep() {
    const auto kept = control_.keep(plan_);
    if (!kept) return Trouble{FailureClass::Launch, kept.error().message};
    return {};
  }

  // --- applying
  Step bring_about() {
    if (plan_.applied) return {};
    for (const Value& object : plan_.objects) {
      const std::string kind = object.get_string("kind");
      if (plan_.recreate && (kind == "Deployment" || kind == "Service"))
        if (auto step = remove(object, true)) return step;
      if (auto step = apply(object, false, true)) return step;
    }
    plan_.applied = true;
    return keep();
  }

  Step apply(const Value& object, bool force, bool until_stop) {
    const kube::ApplyOptions how{.field_manager = std::string(kManager), .force = force};
    auto answer = insist(kube::apply_call(path(object), object, how), kube::object_name(object) + " is not applied yet",
                         until_stop);
    if (Stop* stop = std::get_if<Stop>(&answer)) return std::move(*stop);
    const kube::Answer& done = std::get<kube::Answer>(answer);
    if (!done) return refusal(object, *done.failure);
    control_.say(kube::object_name(object) + " applied in namespace " + path(object).namespace_name);
    return {};
  }

  // With what depends on it, until the server knows it no more.
  Step remove(const Value& object, bool until_stop) {
    kube::DeleteOptions how{.grace = kRecreateGrace, .propagation = kube::Propagation::Foreground};
    bool told = false;
    while (true) {
      auto answer = insist(kube::get_call(path(object)), kube::object_name(object) + " cannot be read", until_stop);
      if (Stop* stop = std::get_if<Stop>(&answer)) return std::move(*stop);
      const kube::Answer& found = std::get<kube::Answer>(answer);
      if (!found && found.failure->kind == kube::FailureKind::NotFound) return {};
      if (!found) return refusal(object, *found.failure);
      if (is_late()) return Trouble{FailureClass::User, stuck(found.object)};
      if (!told) {
        how.uid = found.object.find("metadata")->get_string("uid");
        auto deleted =
            insist(kube::delete_call(path(object), how), kube::object_name(object) + " is not deleted yet", until_stop);
        if (Stop* stop = std::get_if<Stop>(&deleted)) return std::move(*stop);
        const kube::Answer& done = std::get<kube::Answer>(deleted);
        const bool gone = !done && (done.failure->kind == kube::FailureKind::NotFound ||
                                    done.failure->kind == kube::FailureKind::Conflict);
        if (!done && !gone) return refusal(object, *done.failure);
        control_.say(kube::object_name(object) + " deleted, with what belongs to it");
        told = !gone;
      }
      control_.note(kube::object_name(object) + " is being deleted");
      if (!control_.pause(options_.poll, until_stop)) return interruption();
    }
  }
  static std::string stuck(const Value& object) {
    std::string text = kube::object_name(object) + " is not gone in time";
    const Value* finalizers = object.find("metadata")->find("finalizers");
    if (finalizers != nullptr && finalizers->is_array() && !finalizers->as_array().empty())
      text += ": it waits for " + finalizers->dump();
    return text;
  }

  // --- waiting
  Step wait_for_all() {
    for (const Value& object : plan_.objects)
      if (kube::has_rollout(object))
        if (auto step = wait_for(object)) return step;
    return {};
  }

  Step wait_for(const Value& object) {
    std::string said;
    while (true) {
      auto answer = insist(kube::get_call(path(object)), kube::object_name(object) + " cannot be read");
      if (Stop* stop = std::get_if<Stop>(&answer)) return std::move(*stop);
      const kube::Answer& found = std::get<kube::Answer>(answer);
      if (!found) return refusal(object, *found.failure);
      if (const std::string other = kube::annotation_of(found.object, kRevisionAnnotation);
          plan_.service && other != plan_.id.str())
        return Trouble{
            FailureClass::User,
            kube::object_name(object) + " is by now what " + (other.empty() ? "somebody else" : other) + " has applied",
            true};
      const kube::RolloutView view = kube::judge_object(found.object);
      std::string words = kube::object_name(object) + ": " + view.words;
      if (words != said) control_.say(words);
      said = words;
      if (view.stage == kube::RolloutStage::Done) return {};
      if (auto step = look_at_pods(found.object, words)) return step;
      control_.note(words);
      if (view.stage == kube::RolloutStage::Failed) return Trouble{FailureClass::User, words};
      if (plan_.service && is_late())
        return Trouble{FailureClass::User,
                       words + ", not rolled out within " + to_text(plan_.service->rollout_timeout)};
      if (!control_.pause(options_.poll, true)) return interruption();
    }
  }

  // What the Deployment itself does not tell. `words` gains it.
  Step look_at_pods(const Value& deployment, std::string& words) {
    const std::string selector = kube::selector_of(deployment);
    if (deployment.get_string("kind") != "Deployment" || selector.empty() || !plan_.service) return {};
    auto answer =
        insist(kube::list_call({kube::kPods, path(deployment).namespace_name, ""}, {.label_selector = selector}),
               "pods cannot be listed");
    if (Stop* stop = std::get_if<Stop>(&answer)) return std::move(*stop);
    const kube::Answer& listed = std::get<kube::Answer>(answer);
    if (!listed) return {};  // they are only words
    const kube::PodTroubleView worst = kube::worst_pod(listed.object, kRevisionAnnotation, plan_.id.str());
    if (worst.trouble == kube::PodTrouble::None) {
      troubled_since_.reset();
      return {};
    }
    words += "; " + worst.words;
    const bool waits = worst.trouble == kube::PodTrouble::Image || worst.trouble == kube::PodTrouble::Config;
    if (!waits) troubled_since_.reset();
    if (waits && !troubled_since_) troubled_since_ = clock_.monotonic();
    const bool too_long = waits && clock_.monotonic() - *troubled_since_ >= options_.image_grace;
    const bool crashes = worst.trouble == kube::PodTrouble::Crash && worst.restarts >= options_.crashes_max;
    if (!worst.hopeless && !too_long && !crashes) return {};
    if (crashes) show_log(path(deployment).namespace_name, worst);
    return Trouble{FailureClass::User, worst.words};
  }

  // The last words of a container that crashes: its pod goes with the roll-back.
  void show_log(const std::string& namespace_name, const kube::PodTroubleView& of) {
    kube::ApiCall call = kube::log_call({kube::kPods, namespace_name, of.pod},
                                        {.container = of.container, .previous = true, .tail_lines = 50});
    call.raw = true;
    call.timeout = std::chrono::seconds(10);
    const auto answer = control_.ask(std::move(call), true);
    if (!answer || !*answer) return;
    control_.say("--- last lines of pod " + of.pod);
    for (std::string_view rest = answer->text; !rest.empty();) {
      const auto end = rest.find('\n');
      control_.say(std::string(rest.substr(0, end)));
      rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    }
    control_.say("---");
  }

  // --- asking
  [[nodiscard]] kube::ProxyRequest smoke_request() const {
    const exec::ServiceSpec& service = *plan_.service;
    const Value& front = *front_of(plan_.objects, service.port);
    const kube::ObjectPath at = path(front);
    return {.namespace_name = at.namespace_name,
            .service = at.name,
            .port = front_port(front, service.port),
            .post = service.smoke->post,
            .path = service.smoke->path,
            .body = service.smoke->body,
            .timeout = options_.smoke_timeout};
  }

  Step smoke() {
    const exec::ServiceSpec::Smoke& wanted = *plan_.service->smoke;
    if (front_of(plan_.objects, plan_.service->port) == nullptr) return {};
    const kube::ApiCall call = kube::proxy_call(smoke_request());
    const std::string what = std::string("smoke request ") + (wanted.post ? "POST " : "GET ") + wanted.path;
    for (const MonoInstant begun = clock_.monotonic();;) {
      control_.note(what);
      const auto answer = control_.ask(call, true);
      if (!answer) return interruption();
      if (*answer) return judge_reply(what, answer->text);
      const std::string words = what + ": " + with_causes(*answer->failure);
      if (answer->failure->kind == kube::FailureKind::Forbidden)
        return refusal(*front_of(plan_.objects, plan_.service->port), *answer->failure);
      if (!passes(*answer->failure) || clock_.monotonic() - begun >= options_.smoke_patience)
        return Trouble{FailureClass::User, words};
      if (!control_.pause(options_.poll, true)) return interruption();
    }
  }
  Step judge_reply(const std::string& what, const std::string& reply) {
    const std::string& expected = plan_.service->smoke->expect;
    const std::string shown = reply.substr(0, kReplyShown);
    if (expected.empty() || reply.find(expected) != std::string::npos) {
      control_.say(what + " answered " + shown);
      return {};
    }
    return Trouble{FailureClass::User, what + " answered `" + shown + "`, which does not hold `" + expected + "`"};
  }

  // --- the end
  Step promote() {
    if (!plan_.service) return {};
    const auto kept = write_record(options_.home, plan_.service->name, {plan_.id.str(), plan_.objects});
    if (!kept) return Trouble{FailureClass::Launch, kept.error().message};
    return {};
  }

  exec::Exited succeeded() {
    exec::Exited exited{.id = plan_.id, .at = clock_.now()};
    control_.note("");
    if (!plan_.service) return exited;
    control_.say("revision " + plan_.id.str() + " is live");
    Value outputs(Value::Object{{"revision", plan_.id.str()}});
    if (const Value* front = front_of(plan_.objects, plan_.service->port)) {
      const int port = front_port(*front, plan_.service->port);
      const kube::ObjectPath at = path(*front);
      outputs["url"] = "http://" + at.name + "." + at.namespace_name + ".svc:" + std::to_string(port);
      const auto seen = control_.ask(kube::get_call(at), true);
      const std::string host = seen && *seen ? kube::external_host(seen->object) : "";
      if (!host.empty()) outputs["external_url"] = "http://" + host + ":" + std::to_string(port);
    }
    exited.output = outputs.dump();
    return exited;
  }

  std::optional<exec::Exited> failed(const Stop& stop) {
    exec::Exited exited{.id = plan_.id};
    const Trouble* const trouble = std::get_if<Trouble>(&stop);
    if (trouble != nullptr) {
      exited.exit_code = 1;
      exited.failure = trouble->failure;
      exited.message = trouble->message;
    } else {
      exited.exit_code = kStoppedExit;
      exited.message = "it was stopped before it was live";
    }
    control_.say(exited.message);
    plan_.ending = std::move(exited);
    if (!plan_.service || !plan_.remembered || (trouble != nullptr && trouble->superseded)) return ended();
    if (const auto kept = control_.keep(plan_); !kept) control_.say(kept.error().message);
    return put_back();
  }
  exec::Exited ended() {
    control_.note("");
    plan_.ending->at = clock_.now();
    return *plan_.ending;
  }
  std::optional<exec::Exited> put_back() {
    const auto restored = restore();
    if (!restored) return std::nullopt;
    plan_.ending->message += "; " + *restored;
    control_.say(*restored);
    return ended();
  }

  // What was live is applied again, by force: nobody has changed it since. In words; nothing: the daemon ends.
  std::optional<std::string> restore() {
    control_.note("puts back what was live before");
    deadline_ = clock_.now() + options_.restore_longest;
    for (const Value& object : plan_.absent)
      if (const auto step = remove(object, false)) {
        if (std::holds_alternative<Ending>(*step)) return std::nullopt;
        return "what it had made could not be deleted: " + std::get<Trouble>(*step).message;
      }
    if (plan_.previous.empty()) return "no revision was live before; what it had made is deleted";
    for (const Value& object : plan_.previous)
      if (const auto step = apply(object, true, false)) {
        if (std::holds_alternative<Ending>(*step)) return std::nullopt;
        return "the revision before could not be put back: " + std::get<Trouble>(*step).message;
      }
    return await_previous();
  }
  std::optional<std::string> await_previous() {
    const std::string name =
        plan_.previous_revision.empty() ? "what was there before" : "revision " + plan_.previous_revision;
    for (const Value& object : plan_.previous) {
      if (object.get_string("kind") != "Deployment") continue;
      while (true) {
        auto answer = insist(kube::get_call(path(object)), kube::object_name(object) + " cannot be read", false);
        if (Stop* stop = std::get_if<Stop>(&answer)) {
          if (std::holds_alternative<Ending>(*stop)) return std::nullopt;
          return name + " is applied again, and nothing is known of it";
        }
        const kube::Answer& found = std::get<kube::Answer>(answer);
        const kube::RolloutView view =
            found ? kube::judge_object(found.object) : kube::RolloutView{kube::RolloutStage::Failed, "it is gone"};
        if (view.stage == kube::RolloutStage::Done) break;
        if (view.stage == kube::RolloutStage::Failed || is_late())
          return name + " is applied again, and not ready: " + view.words;
        if (!control_.pause(options_.poll, false)) return std::nullopt;
      }
    }
    return name + " is live again";
  }

  RolloutPlan plan_;
  const RolloutOptions& options_;
  const Clock& clock_;
  RolloutControl& control_;
  Instant deadline_;  // of a service: of its rollout, later of its being put back
  std::optional<MonoInstant> troubled_since_;
};

std::filesystem::path record_file(const std::filesystem::path& home, const ServiceId& name) {
  return home / "services" / name.str() / "cluster.json";
}

Value service_value(const exec::ServiceSpec& service) {
  Value value(Value::Object{{"name", service.name.str()},
                            {"port", service.port},
                            {"rollout_timeout_s", to_seconds(service.rollout_timeout)}});
  if (service.smoke)
    value["smoke"] = Value::Object{{"post", service.smoke->post},
                                   {"path", service.smoke->path},
                                   {"body", service.smoke->body},
                                   {"expect", service.smoke->expect}};
  return value;
}

exec::ServiceSpec service_of(const Value& value, const DagId& dag) {
  exec::ServiceSpec service;
  service.name = ServiceId(value.get_string("name"));
  service.dag = dag;
  service.port = static_cast<int>(value.get_int("port"));
  if (const Value* seconds = value.find("rollout_timeout_s"); seconds != nullptr && seconds->is_number())
    service.rollout_timeout = Duration(static_cast<std::int64_t>(seconds->as_double() * 1e6));
  if (const Value* smoke = value.find("smoke"))
    service.smoke = {flag_of(*smoke, "post"), smoke->get_string("path"), smoke->get_string("body"),
                     smoke->get_string("expect")};
  return service;
}

}  // namespace

Value RolloutPlan::to_value() const {
  Value value(Value::Object{{"attempt", id.str()},
                            {"dag", dag.str()},
                            {"objects", array_of(objects)},
                            {"recreate", recreate},
                            {"started_at", to_rfc3339(started_at)},
                            {"previous_revision", previous_revision},
                            {"previous", array_of(previous)},
                            {"absent", array_of(absent)},
                            {"remembered", remembered},
                            {"applied", applied}});
  if (service) value["service"] = service_value(*service);
  if (ending)
    value["ending"] = Value::Object{{"exit_code", ending->exit_code},
                                    {"class", run::kFailureClasses.text(ending->failure)},
                                    {"message", ending->message}};
  return value;
}

Result<RolloutPlan> RolloutPlan::parse(std::string_view text) {
  SLIPWAY_TRY_ASSIGN(const Value value, parse_json(text, {.bytes_max = kRecordBytesMax}));
  RolloutPlan plan;
  const auto id = AttemptId::parse(value.get_string("attempt"));
  if (!id) return Error{ErrorCode::InvalidArgument, "it names no attempt", {}};
  plan.id = *id;
  plan.dag = DagId(value.get_string("dag"));
  plan.objects = objects_of(value, "objects");
  plan.recreate = flag_of(value, "recreate");
  SLIPWAY_TRY_ASSIGN(plan.started_at, parse_rfc3339(value.get_string("started_at")));
  plan.previous_revision = value.get_string("previous_revision");
  plan.previous = objects_of(value, "previous");
  plan.absent = objects_of(value, "absent");
  plan.remembered = flag_of(value, "remembered");
  plan.applied = flag_of(value, "applied");
  if (const Value* ending = value.find("ending")) {
    plan.ending = exec::Exited{.id = plan.id};
    plan.ending->exit_code = static_cast<int>(ending->get_int("exit_code"));
    plan.ending->failure = run::kFailureClasses.parse(ending->get_string("class")).value_or(FailureClass::User);
    plan.ending->message = ending->get_string("message");
  }
  if (const Value* service = value.find("service")) plan.service = service_of(*service, plan.dag);
  return plan;
}

std::optional<ServiceRecord> read_record(const std::filesystem::path& home, const ServiceId& name) {
  const auto text = read_whole_file(record_file(home, name), kRecordBytesMax);
  const auto value = text ? parse_json(*text, {.bytes_max = kRecordBytesMax}) : Result<Value>(text.error());
  if (!value || !value->is_object()) return std::nullopt;
  return ServiceRecord{value->get_string("revision"), objects_of(*value, "objects")};
}

Result<void> write_record(const std::filesystem::path& home, const ServiceId& name, const ServiceRecord& record) {
  const auto file = record_file(home, name);
  std::error_code error;
  std::filesystem::create_directories(file.parent_path(), error);
  if (error) return errno_error("folder " + file.parent_path().string(), error.value());
  return write_whole_file(
      file, Value(Value::Object{{"revision", record.revision}, {"objects", array_of(record.objects)}}).dump());
}

Result<void> remove_record(const std::filesystem::path& home, const ServiceId& name) {
  const auto file = record_file(home, name);
  std::error_code error;
  std::filesystem::remove(file, error);
  return error ? errno_error(file.parent_path().string(), error.value()) : Result<void>();
}

std::optional<exec::Exited> run_rollout(RolloutPlan plan, const RolloutOptions& options, const Clock& clock,
                                        RolloutControl& control) {
  return Work(std::move(plan), options, clock, control).run();
}

}  // namespace slipway::pods
