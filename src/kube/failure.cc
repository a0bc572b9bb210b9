#include <algorithm>
#include <array>
#include <charconv>

#include "slipway/kube/api.h"

namespace slipway::kube {
namespace {

constexpr std::size_t kForeignTextMax = 300;
constexpr std::int64_t kRetrySecondsMax = 86'400;

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

bool has_cause(const Failure& failure, std::string_view reason) {
  return std::any_of(failure.causes.begin(), failure.causes.end(),
                     [&](const FailureCause& cause) { return cause.reason == reason; });
}

FailureKind kind_by_status(const Failure& failure) {
  switch (failure.status) {
    case 401: return FailureKind::Unauthorized;
    case 403: return contains(failure.message, "exceeded quota") ? FailureKind::QuotaExceeded : FailureKind::Forbidden;
    case 404: return FailureKind::NotFound;
    case 409: return FailureKind::Conflict;
    case 410: return FailureKind::Expired;
    case 408: return FailureKind::Overloaded;
    case 413: return FailureKind::TooLarge;
    case 429: return FailureKind::TooManyRequests;
    case 400:
    case 405:
    case 406:
    case 415:
    case 422: return FailureKind::Invalid;
    case 501:
    case 505: return FailureKind::Unexpected;
  }
  return failure.status >= 500 && failure.status < 600 ? FailureKind::Overloaded : FailureKind::Unexpected;
}

FailureKind kind_of(const Failure& failure) {
  if (failure.reason == "AlreadyExists") return FailureKind::AlreadyExists;
  if (failure.reason == "Expired" || failure.reason == "Gone") return FailureKind::Expired;
  // 504: this server's cache is behind the version asked for; only a new list helps.
  if (has_cause(failure, "ResourceVersionTooLarge")) return FailureKind::Expired;
  // 500 of server-side apply for a field that the schema does not have: it is the object that is wrong.
  if (contains(failure.message, "failed to create typed patch object")) return FailureKind::Invalid;
  return kind_by_status(failure);
}

std::optional<Duration> seconds_of(std::string_view text) {
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || seconds < 0) return std::nullopt;
  return std::chrono::seconds(std::min(seconds, kRetrySecondsMax));
}

void read_details(const Value& details, Failure& failure) {
  const std::int64_t seconds = details.get_int("retryAfterSeconds");
  if (seconds > 0) failure.retry_after = std::chrono::seconds(std::min(seconds, kRetrySecondsMax));
  const Value* causes = details.find("causes");
  if (causes == nullptr || !causes->is_array()) return;
  for (const Value& cause : causes->as_array())
    failure.causes.push_back({cause.get_string("reason"), cause.get_string("message"), cause.get_string("field")});
}

void read_status(const Value& status, Failure& failure) {
  failure.reason = status.get_string("reason");
  failure.message = status.get_string("message");
  if (const Value* details = status.find("details")) read_details(*details, failure);
}

// What a proxy or load balancer says: its first words, on one line.
std::string foreign_text(std::string_view body) {
  std::string out(body.substr(0, kForeignTextMax));
  for (char& c : out)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  return out;
}

struct KindRow {
  ErrorCode code;
  const char* help;
};
constexpr std::array<KindRow, 15> kKindRows{{
    {ErrorCode::Unavailable, "is the server up, and its address right?"},
    {ErrorCode::Unavailable, ""},
    {ErrorCode::Unauthorized, "log in again; is the token expired, or of another cluster?"},
    {ErrorCode::Forbidden, "give the account the right, or change what the policy refuses"},
    {ErrorCode::TooLarge, "wait for others to end, or raise the ResourceQuota"},
    {ErrorCode::NotFound, ""},
    {ErrorCode::Conflict, ""},
    {ErrorCode::Conflict, ""},
    {ErrorCode::Unavailable, "list again"},
    {ErrorCode::InvalidArgument, ""},
    {ErrorCode::Unavailable, "the server limits requests; try later"},
    {ErrorCode::Unavailable, ""},
    {ErrorCode::TooLarge, ""},
    {ErrorCode::InvalidArgument, ""},
    {ErrorCode::Unsupported, "is this the address of a Kubernetes API server?"},
}};
static_assert(kKindRows.size() == kFailureKinds.size());

}  // namespace

Failure failure_of_reply(int status, const http::Headers& headers, std::string_view body) {
  Failure failure;
  failure.status = status;
  auto parsed = parse_json(body, {.bytes_max = 1U << 20U});
  if (parsed && parsed->get_string("kind") == "Status") {
    read_status(*parsed, failure);
  } else {
    failure.message = "HTTP status " + std::to_string(status);
    if (!body.empty()) failure.message += ": " + foreign_text(body);
  }
  if (const auto it = headers.find("Retry-After"); it != headers.end())
    if (const auto delay = seconds_of(it->second)) failure.retry_after = delay;
  failure.kind = kind_of(failure);
  return failure;
}

Failure failure_of_status(const Value& status) {
  Failure failure;
  failure.status = static_cast<int>(status.get_int("code"));
  read_status(status, failure);
  failure.kind = kind_of(failure);
  return failure;
}

Error Failure::to_error(std::string_view call) const {
  const KindRow& row = kKindRows[static_cast<std::size_t>(kind)];
  std::string text = std::string(call) + ": " + (message.empty() ? std::string(kFailureKinds.doc(kind)) : message);
  return {row.code, std::move(text), row.help};
}

}  // namespace slipway::kube
