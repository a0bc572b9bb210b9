#include "slipway/notify/notifier.h"

namespace slipway::notify {
namespace {

constexpr Duration kTimeout = std::chrono::seconds(15);
constexpr std::size_t kReplyBytesMax = 64U << 10U;

// 429 and 5xx pass; every other refusal would be repeated for ever.
Result<void> judge(const Target& target, const Result<http::Reply>& reply) {
  if (!reply) return reply.error();
  if (reply->status >= 200 && reply->status < 300) return {};
  const bool passes = reply->status == 429 || reply->status == 408 || reply->status >= 500;
  return Error{
      passes ? ErrorCode::Unavailable : ErrorCode::InvalidArgument,
      "target `" + target.name + "` answered " + std::to_string(reply->status),
      reply->status >= 300 && reply->status < 400 ? "redirects are not followed: write the final address" : ""};
}

class WireNotifier final : public Notifier {
 public:
  WireNotifier(http::Transport& transport, http::Mailer& mailer) : transport_(transport), mailer_(mailer) {}

  Result<void> send(const Target& target, const run::Notice& notice, Instant now) override {
    switch (target.kind) {
      case TargetKind::Webhook: return judge(target, post_signed(target, notice, now));
      case TargetKind::Slack: return judge(target, post(target, slack_body(notice), {}));
      case TargetKind::Teams: return judge(target, post(target, teams_body(notice), {}));
      case TargetKind::Mail: return mail(target, notice);
    }
    return {};
  }

 private:
  Result<http::Reply> post(const Target& target, std::string body, http::Headers headers) {
    headers["Content-Type"] = "application/json";
    headers["User-Agent"] = "slipway";
    http::Call call;
    call.method = "POST";
    call.url = target.url;
    call.headers = std::move(headers);
    call.body = std::move(body);
    call.timeout = kTimeout;
    call.reply_bytes_max = kReplyBytesMax;
    call.refuse_link_local = true;
    return transport_.send(call);
  }

  Result<http::Reply> post_signed(const Target& target, const run::Notice& notice, Instant now) {
    std::string body = webhook_body(notice);
    const std::int64_t seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
    http::Headers headers{{"Webhook-Id", notice.id}, {"Webhook-Timestamp", std::to_string(seconds)}};
    if (!target.secret.empty())
      headers["Webhook-Signature"] = webhook_signature(target.secret, notice.id, seconds, body);
    return post(target, std::move(body), std::move(headers));
  }

  Result<void> mail(const Target& target, const run::Notice& notice) {
    http::Mail mail;
    mail.url = target.url;
    mail.username = target.username;
    mail.password = target.secret;
    mail.from = target.from;
    mail.to = target.to;
    mail.subject = "slipway: " + headline(notice);
    mail.text = headline(notice) + "\n\n" + notice.data.dump_pretty() + "\n";
    mail.message_id = notice.id + ".slipway";
    for (char& c : mail.message_id)
      if (c == '/' || c == '@') c = '.';
    mail.message_id += "@" + target.from.substr(target.from.find('@') + 1);
    mail.date = notice.at;
    mail.timeout = kTimeout;
    return mailer_.send(mail);
  }

  http::Transport& transport_;
  http::Mailer& mailer_;
};

}  // namespace

std::unique_ptr<Notifier> make_notifier(http::Transport& transport, http::Mailer& mailer) {
  return std::make_unique<WireNotifier>(transport, mailer);
}

}  // namespace slipway::notify
