#include "cli/post.h"

#include "slipway/notify/courier.h"

namespace slipway::cli {
namespace {

Result<notify::Target> find_target(const std::map<std::string, NotifyTarget, std::less<>>& targets,
                                   const Post::OpenSecret& open_secret, const std::string& name) {
  const auto found = targets.find(name);
  if (found == targets.end())
    return Error{ErrorCode::NotFound, "the config has no notify target `" + name + "`",
                 "write notify: {" + name + ": {webhook: …}} into slipway.yaml"};
  const NotifyTarget& entry = found->second;
  notify::Target target;
  target.name = name;
  target.kind = notify::kTargetKinds.parse(entry.kind).value_or(notify::TargetKind::Webhook);
  target.url = entry.url;
  target.username = entry.username;
  target.from = entry.from;
  target.to = entry.to;
  if (!entry.secret.empty()) {
    auto secret = open_secret(entry.secret);
    if (!secret) return secret.error().in("secret of target `" + name + "`");
    target.secret = *std::move(secret);
  }
  return target;
}

}  // namespace

struct Post::Parts {
  std::unique_ptr<http::Transport> transport = http::make_curl_transport();
  std::unique_ptr<http::Mailer> mailer = http::make_curl_mailer();
  std::unique_ptr<notify::Notifier> notifier = notify::make_notifier(*transport, *mailer);
  std::unique_ptr<notify::Courier> courier;
};

Post::Post(std::map<std::string, NotifyTarget, std::less<>> targets, OpenSecret open_secret, const Clock& clock,
           const Logger& log, std::function<void(std::string id)> done)
    : parts_(std::make_unique<Parts>()) {
  parts_->courier = std::make_unique<notify::Courier>(
      [targets = std::move(targets), open_secret = std::move(open_secret)](const std::string& name) {
        return find_target(targets, open_secret, name);
      },
      *parts_->notifier, clock, log,
      [done = std::move(done)](notify::Outcome outcome) { done(std::move(outcome.id)); });
}

Post::~Post() = default;

void Post::deliver(run::Notice notice) { parts_->courier->deliver(std::move(notice)); }

}  // namespace slipway::cli
