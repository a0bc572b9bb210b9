// The requests we make of the Kubernetes API and what its answers mean, as values: no I/O here.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "slipway/base/enum_table.h"
#include "slipway/base/error.h"
#include "slipway/base/time.h"
#include "slipway/base/value.h"
#include "slipway/http/message.h"

namespace slipway::kube {

struct ResourceType {
  std::string_view group;  // "" is the core group
  std::string_view version;
  std::string_view plural;
};
inline constexpr ResourceType kPods{"", "v1", "pods"};
inline constexpr ResourceType kServices{"", "v1", "services"};
inline constexpr ResourceType kEvents{"", "v1", "events"};
inline constexpr ResourceType kConfigMaps{"", "v1", "configmaps"};
inline constexpr ResourceType kDeployments{"apps", "v1", "deployments"};
inline constexpr ResourceType kReplicaSets{"apps", "v1", "replicasets"};
inline constexpr ResourceType kJobs{"batch", "v1", "jobs"};
inline constexpr ResourceType kAutoscalers{"autoscaling", "v2", "horizontalpodautoscalers"};
inline constexpr ResourceType kAccessReviews{"authorization.k8s.io", "v1", "selfsubjectaccessreviews"};

// A collection, or with a name one object.
struct ObjectPath {
  ResourceType type;
  std::string namespace_name;  // empty: of the cluster, or of all namespaces
  std::string name;

  // "/apis/apps/v1/namespaces/a/deployments/b".
  [[nodiscard]] std::string str() const;
};

enum class Verb : unsigned char { Get, List, Watch, Log, Create, Patch, Delete };
inline constexpr EnumTable<Verb, 7> kVerbs{{{
    {Verb::Get, "get", "one object"},
    {Verb::List, "list", "a page of a collection"},
    {Verb::Watch, "watch", "changes of a collection, one JSON object a line"},
    {Verb::Log, "log", "what a container printed"},
    {Verb::Create, "create", "a new object"},
    {Verb::Patch, "patch", "a change of an object, or with server-side apply its creation"},
    {Verb::Delete, "delete", "the end of an object"},
}}};

struct ApiCall {
  Verb verb = Verb::Get;
  std::string method = "GET";
  std::string path;                                        // with the query
  std::vector<std::pair<std::string, std::string>> query;  // not yet escaped
  std::string body;
  std::string content_type;
  // A second time does what once does, so it is sent again when nobody knows whether the first arrived: reads, creates
  // by a fixed name (AlreadyExists then), merge patches, deletes of a uid.
  bool repeatable = true;
  bool raw = false;  // the answer is handed over as text, to be parsed where it keeps nobody waiting
  Duration timeout = std::chrono::seconds(60);

  // "create /api/v1/namespaces/a/pods", for errors and logs.
  [[nodiscard]] std::string str() const;
  // The path with the escaped query.
  [[nodiscard]] std::string target() const;
};

[[nodiscard]] ApiCall get_call(const ObjectPath& object);

struct ListOptions {
  std::string label_selector;
  std::string field_selector;
  int limit = 500;               // objects of a page; 0: all at once
  std::string continue_token;    // of the page before; then no resource_version is sent
  std::string resource_version;  // empty: what is true now, not what some cache holds
};
[[nodiscard]] ApiCall list_call(const ObjectPath& collection, const ListOptions& options);

struct WatchOptions {
  std::string label_selector;
  std::string field_selector;
  std::string resource_version;                // of the list, or the last seen
  Duration limit = std::chrono::seconds(300);  // the server ends the watch then; whole seconds
};
[[nodiscard]] ApiCall watch_call(const ObjectPath& collection, const WatchOptions& options);

struct WriteOptions {
  bool dry_run = false;  // judged by everything, stored by nothing
  bool strict = true;    // unknown and double fields are errors; otherwise they are dropped in silence
};
// `object` needs metadata.name: with generateName a lost reply would leave a second one. Asserts it, except where the
// kind has no names (reviews).
[[nodiscard]] ApiCall create_call(const ObjectPath& collection, const Value& object, const WriteOptions& options = {});

// RFC 7386: members are replaced, null removes, lists are replaced whole.
[[nodiscard]] ApiCall merge_patch_call(const ObjectPath& object, const Value& patch, const WriteOptions& options = {});

struct ApplyOptions {
  std::string field_manager;  // who owns the fields; the same for ever
  bool force = false;         // takes fields over from other managers; otherwise Conflict names them
  WriteOptions write;
};
// Server-side apply: creates what is absent; fields sent earlier and left out now are removed.
[[nodiscard]] ApiCall apply_call(const ObjectPath& object, const Value& wanted, const ApplyOptions& options);

enum class Propagation : unsigned char { Background, Foreground, Orphan };
inline constexpr EnumTable<Propagation, 3> kPropagations{{{
    {Propagation::Background, "Background", "dependants go after it"},
    {Propagation::Foreground, "Foreground", "it goes after its dependants"},
    {Propagation::Orphan, "Orphan", "dependants stay"},
}}};
struct DeleteOptions {
  std::string uid;  // only this very object: Conflict if another has its name; empty: whatever has the name
  std::optional<Duration> grace;  // whole seconds; absent: the object's own; 0 does not prove that its process ended
  Propagation propagation = Propagation::Background;
  bool dry_run = false;
};
[[nodiscard]] ApiCall delete_call(const ObjectPath& object, const DeleteOptions& options);

struct LogOptions {
  std::string container;
  bool follow = false;
  bool previous = false;   // of the container's instance before
  std::string since_time;  // RFC 3339; acts on whole seconds
  std::optional<std::int64_t> tail_lines;
};
// Every line begins with the kubelet's time.
[[nodiscard]] ApiCall log_call(const ObjectPath& pod, const LogOptions& options);

// What kind of refusal: enough to choose what to do. In doubt `Status.reason` decides, then the HTTP status.
enum class FailureKind : unsigned char {
  Unreachable,
  Interrupted,
  Unauthorized,
  Forbidden,
  QuotaExceeded,
  NotFound,
  AlreadyExists,
  Conflict,
  Expired,
  Invalid,
  TooManyRequests,
  Overloaded,
  TooLarge,
  Misconfigured,
  Unexpected,
};
inline constexpr EnumTable<FailureKind, 15> kFailureKinds{{{
    {FailureKind::Unreachable, "unreachable", "no connection; the server has not seen the request"},
    {FailureKind::Interrupted, "interrupted", "the connection broke or the time limit passed; it may have been done"},
    {FailureKind::Unauthorized, "unauthorized", "401: the credentials are not taken, also after asking for new ones"},
    {FailureKind::Forbidden, "forbidden", "403: rights, admission or pod security; repeating cannot help"},
    {FailureKind::QuotaExceeded, "quota-exceeded", "403 of a ResourceQuota; helps when others end"},
    {FailureKind::NotFound, "not-found", "404"},
    {FailureKind::AlreadyExists, "already-exists", "409: the name is taken, perhaps by our own lost create"},
    {FailureKind::Conflict, "conflict",
     "409: changed meanwhile, a precondition does not hold, or another manager owns it"},
    {FailureKind::Expired, "expired", "410: the version or page asked for is forgotten; list again"},
    {FailureKind::Invalid, "invalid", "400, 422: the object is wrong; the causes name its fields"},
    {FailureKind::TooManyRequests, "too-many-requests", "429: not done, come back later"},
    {FailureKind::Overloaded, "overloaded", "5xx that passes; it may have been done"},
    {FailureKind::TooLarge, "too-large", "413, or a reply over the limit"},
    {FailureKind::Misconfigured, "misconfigured", "the config cannot work: certificate, URL, plugin"},
    {FailureKind::Unexpected, "unexpected", "an answer that no API server gives"},
}}};

struct FailureCause {
  std::string reason;  // "FieldValueInvalid"
  std::string message;
  std::string field;  // "spec.containers[0].image"

  bool operator==(const FailureCause&) const = default;
};

struct Failure {
  FailureKind kind = FailureKind::Unexpected;
  int status = 0;      // HTTP, or of the Status object; 0: no answer
  std::string reason;  // Status.reason: "AlreadyExists"
  std::string message;
  std::vector<FailureCause> causes;
  std::optional<Duration> retry_after;
  bool maybe_done = false;  // a try before this answer, or this one, may have changed the object

  // "create /api/v1/…: <message>", code and cure by kind.
  [[nodiscard]] Error to_error(std::string_view call) const;
};

// `body` is a Status object, or anything else a proxy may say. `status` is not 2xx.
[[nodiscard]] Failure failure_of_reply(int status, const http::Headers& headers, std::string_view body);
// An ERROR event of a watch: its object is a Status.
[[nodiscard]] Failure failure_of_status(const Value& status);

// What a call came to: an object (null for logs and watches), or a failure.
struct Answer {
  Value object;
  std::string text;  // of a raw call, instead of the object
  std::optional<Failure> failure;

  explicit operator bool() const { return !failure.has_value(); }
};

}  // namespace slipway::kube
