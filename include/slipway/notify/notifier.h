// Tells people and programs: webhooks (signed as https://www.standardwebhooks.com describes), chat rooms, mail.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "slipway/base/enum_table.h"
#include "slipway/base/result.h"
#include "slipway/base/secret.h"
#include "slipway/http/mail.h"
#include "slipway/http/transport.h"
#include "slipway/run/notice.h"

namespace slipway::notify {

enum class TargetKind : unsigned char { Webhook, Slack, Teams, Mail };
inline constexpr EnumTable<TargetKind, 4> kTargetKinds{{{
    {TargetKind::Webhook, "webhook", "POST of a JSON object, signed where there is a secret"},
    {TargetKind::Slack, "slack", "an incoming webhook of Slack, or of what takes its form"},
    {TargetKind::Teams, "teams", "a workflow webhook of Microsoft Teams: an adaptive card"},
    {TargetKind::Mail, "mail", "mail over SMTP"},
}}};

// Where notices go; an entry of the server's config.
struct Target {
  std::string name;
  TargetKind kind = TargetKind::Webhook;
  std::string url;              // https://… or smtp://…
  Secret secret;                // webhook: key of the signature; mail: password
  std::string username;         // mail
  std::string from;             // mail
  std::vector<std::string> to;  // mail
};

// Thread-safe.
class Notifier {
 public:
  virtual ~Notifier() = default;
  // One try. Unavailable and TimedOut are worth another; any other error is final.
  [[nodiscard]] virtual Result<void> send(const Target& target, const run::Notice& notice, Instant now) = 0;
};

// Both must outlive the notifier. Nothing is sent to link-local addresses (a cloud's metadata server is one).
[[nodiscard]] std::unique_ptr<Notifier> make_notifier(http::Transport& transport, http::Mailer& mailer);

// --- parts, for tests ------------------------------------------------------------------------------------------------

// {"id", "type": "slipway.run.failure", "timestamp", "data"}
[[nodiscard]] std::string webhook_body(const run::Notice& notice);
// "v1,<base64 of HMAC-SHA256 over id.timestamp.body>"; `timestamp` in whole seconds since 1970. A key "whsec_…" is
// base64 behind the prefix, any other is taken as it is.
[[nodiscard]] std::string webhook_signature(const Secret& key, const std::string& id, std::int64_t timestamp,
                                            const std::string& body);
[[nodiscard]] std::string slack_body(const run::Notice& notice);
[[nodiscard]] std::string teams_body(const run::Notice& notice);

}  // namespace slipway::notify
