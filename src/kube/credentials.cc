#include "slipway/kube/credentials.h"

#include <algorithm>
#include <mutex>

#include "kube/exec_plugin.h"
#include "kube/pem.h"
#include "slipway/base/file.h"
#include "slipway/base/value.h"

namespace slipway::kube {
namespace {

// The kubelet renews a token at 80 % of its life and asks to read it again once a minute.
constexpr Duration kTokenFileEvery = std::chrono::seconds(50);
constexpr Duration kCertificateFileEvery = std::chrono::minutes(5);
constexpr std::size_t kTokenBytesMax = 64U << 10U;
constexpr Duration kMetadataTimeout = std::chrono::seconds(10);
constexpr Duration kMetadataRefreshBefore = std::chrono::minutes(5);
constexpr Duration kMetadataUnusableBefore = std::chrono::minutes(1);
constexpr Duration kRefusedFetchPause = std::chrono::seconds(10);

// A certificate of the config, with or without a token beside it.
class FileSource final : public IdentitySource {
 public:
  FileSource(UserConfig user, const Clock& clock) : user_(std::move(user)), clock_(clock) {}

  Result<Identity> fetch() override {
    Identity identity;
    SLIPWAY_TRY_ASSIGN(const Secret certificate, read_pem(user_.certificate, "client-certificate"));
    SLIPWAY_TRY_ASSIGN(identity.key_pem, read_pem(user_.key, "client-key"));
    identity.certificate_pem = certificate.reveal();
    if (!user_.certificate.file.empty()) identity.refresh_at = clock_.now() + kCertificateFileEvery;
    identity.token = user_.token;
    if (user_.login != Login::TokenFile) return identity;
    SLIPWAY_TRY_ASSIGN(std::string token, read_whole_file(user_.token_file, kTokenBytesMax));
    while (!token.empty() && (token.back() == '\n' || token.back() == ' ')) token.pop_back();
    if (token.empty())
      return Error{ErrorCode::Unauthorized, "token file " + user_.token_file.string() + " is empty",
                   "write the token into it"};
    identity.token = Secret(std::move(token));
    identity.refresh_at = clock_.now() + kTokenFileEvery;
    return identity;
  }

 private:
  UserConfig user_;
  const Clock& clock_;
};

class ExecSource final : public IdentitySource {
 public:
  ExecSource(const ClientConfig& config, std::string_view ca_pem, const IdentityTools& tools)
      : exec_(config.user.exec),
        run_(tools.run),
        env_(exec_environment(tools.environment, exec_, exec_info(config, ca_pem))) {}

  Result<Identity> fetch() override {
    const auto end = run_({.command = exec_.command, .args = exec_.args, .env = env_});
    if (!end || end->exit_code != 0) return exec_failure(exec_, end);
    return read_exec_reply(exec_, end->output);
  }

 private:
  ExecConfig exec_;
  ProgramRunner run_;
  std::vector<std::pair<std::string, std::string>> env_;
};

class MetadataSource final : public IdentitySource {
 public:
  MetadataSource(const std::string& host, const IdentityTools& tools)
      : url_("http://" + host + "/computeMetadata/v1/instance/service-accounts/default/token"),
        transport_(*tools.transport),
        clock_(tools.clock) {}

  Result<Identity> fetch() override {
    auto reply = transport_.send({.url = url_,
                                  .headers = {{"Metadata-Flavor", "Google"}},
                                  .timeout = kMetadataTimeout,
                                  .reply_bytes_max = kTokenBytesMax,
                                  .direct = true});
    if (!reply) return reply.error().in("metadata server");
    if (reply->status != 200)
      return Error{reply->status == 404 ? ErrorCode::Unauthorized : ErrorCode::Unavailable,
                   "metadata server: " + url_ + " answers " + std::to_string(reply->status),
                   "does this machine or pod have a Google service account?"};
    const auto body = parse_json(reply->body);
    const std::int64_t seconds = body ? body->get_int("expires_in") : 0;
    Identity identity;
    if (body) identity.token = Secret(body->get_string("access_token"));
    if (identity.token.empty() || seconds <= 0)
      return Error{ErrorCode::Unauthorized, "metadata server: its answer holds no token", {}};
    const Instant expires = clock_.now() + std::chrono::seconds(seconds);
    identity.refresh_at = expires - kMetadataRefreshBefore;
    identity.unusable_at = expires - kMetadataUnusableBefore;
    return identity;
  }

 private:
  std::string url_;
  http::Transport& transport_;
  const Clock& clock_;
};

Result<Identity> checked(Result<Identity> fetched, Instant now) {
  if (!fetched) return fetched;
  if (fetched->unusable_at && *fetched->unusable_at <= now)
    return Error{ErrorCode::Unauthorized, "the credentials were expired at " + to_rfc3339(*fetched->unusable_at),
                 "log in again; is the machine's clock right?"};
  const std::string& token = fetched->token.reveal();
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
  if (std::any_of(token.begin(), token.end(), is_control))
    return Error{ErrorCode::Unauthorized, "the token holds a space or a control character", "is it the right file?"};
  return fetched;
}

}  // namespace

Result<std::unique_ptr<IdentitySource>> make_identity_source(const ClientConfig& config, const IdentityTools& tools) {
  switch (config.user.login) {
    case Login::Exec: {
      SLIPWAY_TRY_ASSIGN(const Secret ca, read_pem(config.cluster.ca, "certificate-authority"));
      return std::unique_ptr<IdentitySource>(std::make_unique<ExecSource>(config, ca.reveal(), tools));
    }
    case Login::Metadata:
      SLIPWAY_ASSERT(tools.transport != nullptr);
      return std::unique_ptr<IdentitySource>(std::make_unique<MetadataSource>(config.user.metadata_host, tools));
    case Login::Anonymous:
    case Login::Certificate:
    case Login::Token:
    case Login::TokenFile: break;
  }
  SLIPWAY_TRY(read_pem(config.user.certificate, "client-certificate"));
  SLIPWAY_TRY(read_pem(config.user.key, "client-key"));
  return std::unique_ptr<IdentitySource>(std::make_unique<FileSource>(config.user, tools.clock));
}

struct IdentityCache::State {
  State(std::unique_ptr<IdentitySource> s, const Clock& c, Logger l)
      : source(std::move(s)), clock(c), log(std::move(l)) {}

  const std::unique_ptr<IdentitySource> source;
  const Clock& clock;
  const Logger log;
  std::mutex fetching;       // held while the source works
  mutable std::mutex mutex;  // of what follows
  std::shared_ptr<const Identity> identity;
  bool refused = false;                    // the server did not take it
  std::optional<MonoInstant> pause_until;  // the source failed, or was asked because of a refusal
  std::optional<Error> error;              // of the last failed fetch

  [[nodiscard]] Held look() const {
    const Instant now = clock.now();
    if (!identity || refused || (identity->unusable_at && now >= *identity->unusable_at)) return {};
    return {identity, identity->refresh_at && now >= *identity->refresh_at};
  }
  [[nodiscard]] bool paused() const { return pause_until && clock.monotonic() < *pause_until; }
};

IdentityCache::IdentityCache(std::unique_ptr<IdentitySource> source, const Clock& clock, Logger log)
    : state_(std::make_unique<State>(std::move(source), clock, std::move(log))) {}
IdentityCache::~IdentityCache() = default;

IdentityCache::Held IdentityCache::held() const {
  const std::lock_guard lock(state_->mutex);
  Held held = state_->look();
  if (state_->paused()) held.stale = false;
  return held;
}

Result<std::shared_ptr<const Identity>> IdentityCache::refresh() {
  const std::lock_guard one(state_->fetching);
  bool refused = false;
  {
    const std::lock_guard lock(state_->mutex);
    const Held held = state_->look();
    if (held.identity && (!held.stale || state_->paused())) return held.identity;
    if (!held.identity && state_->paused())
      return state_->error.value_or(
          Error{ErrorCode::Unauthorized, "the server does not take the credentials", "log in again"});
    refused = state_->refused;
  }
  auto fetched = checked(state_->source->fetch(), state_->clock.now());
  const std::lock_guard lock(state_->mutex);
  const bool pause = !fetched || refused || (fetched->refresh_at && *fetched->refresh_at <= state_->clock.now());
  state_->pause_until = pause ? std::optional(state_->clock.monotonic() + kRefusedFetchPause) : std::nullopt;
  if (fetched) {
    state_->identity = std::make_shared<const Identity>(*std::move(fetched));
    state_->refused = false;
    state_->error.reset();
    return state_->identity;
  }
  state_->error = fetched.error();
  const Held held = state_->look();
  if (!held.identity) return fetched.error();
  state_->log.warn("credentials could not be refreshed", {{"error", fetched.error().message}});
  return held.identity;
}

void IdentityCache::rejected(const std::shared_ptr<const Identity>& identity) {
  const std::lock_guard lock(state_->mutex);
  if (state_->identity == identity) state_->refused = true;
}

}  // namespace slipway::kube
