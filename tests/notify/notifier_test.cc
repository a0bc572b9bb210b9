#include "slipway/notify/notifier.h"

#include <gtest/gtest.h>

namespace slipway::notify {
namespace {

class FakeTransport final : public http::Transport {
 public:
  Result<http::Reply> send(const http::Call& call) override {
    calls.push_back(call);
    return reply;
  }
  Result<http::Reply> reply = http::Reply{200, {}, ""};
  std::vector<http::Call> calls;
};

class FakeMailer final : public http::Mailer {
 public:
  Result<void> send(const http::Mail& mail) override {
    mails.push_back(mail);
    return {};
  }
  std::vector<http::Mail> mails;
};

struct NotifierTest : testing::Test {
  FakeTransport transport;
  FakeMailer mailer;
  std::unique_ptr<Notifier> notifier = make_notifier(transport, mailer);
  run::Notice notice{"01r/failure@ops", "ops", run::NoticeKind::Failure, Instant{},
                     Value::Object{{"dag", "demo"}, {"run", "01r"}}};
  Instant now = from_micros(1'614'265'330'999'999);

  Result<void> send(TargetKind kind, const std::string& secret = {}) {
    Target target;
    target.name = "ops";
    target.kind = kind;
    target.url = "https://example.org/hook";
    target.secret = Secret(secret);
    target.from = "slipway@example.org";
    target.to = {"ops@example.org"};
    return notifier->send(target, notice, now);
  }
};

TEST_F(NotifierTest, WebhookIsSignedAndNamesItsId) {
  ASSERT_TRUE(send(TargetKind::Webhook, "key"));
  const http::Call& call = transport.calls.at(0);
  EXPECT_EQ(call.method, "POST");
  EXPECT_EQ(call.url, "https://example.org/hook");
  EXPECT_EQ(call.body, webhook_body(notice));
  EXPECT_EQ(call.headers.at("webhook-id"), "01r/failure@ops");
  EXPECT_EQ(call.headers.at("webhook-timestamp"), "1614265330");
  EXPECT_EQ(call.headers.at("webhook-signature"), webhook_signature(Secret("key"), notice.id, 1614265330, call.body));
  EXPECT_EQ(call.headers.at("content-type"), "application/json");
  EXPECT_TRUE(call.refuse_link_local);
  EXPECT_EQ(call.redirects_max, 0);
}

TEST_F(NotifierTest, WebhookWithoutASecretIsNotSigned) {
  ASSERT_TRUE(send(TargetKind::Webhook));
  EXPECT_EQ(transport.calls.at(0).headers.count("webhook-signature"), 0U);
}

TEST_F(NotifierTest, ChatRoomsGetTheirForm) {
  ASSERT_TRUE(send(TargetKind::Slack));
  ASSERT_TRUE(send(TargetKind::Teams));
  EXPECT_EQ(transport.calls.at(0).body, slack_body(notice));
  EXPECT_EQ(transport.calls.at(1).body, teams_body(notice));
}

TEST_F(NotifierTest, MailHasASubjectAndAnIdThatARepetitionKeeps) {
  ASSERT_TRUE(send(TargetKind::Mail, "password"));
  const http::Mail& mail = mailer.mails.at(0);
  EXPECT_EQ(mail.subject, "slipway: demo: run 01r failed");
  EXPECT_EQ(mail.to, std::vector<std::string>{"ops@example.org"});
  EXPECT_EQ(mail.message_id, "01r.failure.ops.slipway@example.org");
  EXPECT_EQ(mail.password.reveal(), "password");
  EXPECT_NE(mail.text.find("\"dag\": \"demo\""), std::string::npos);
}

TEST_F(NotifierTest, OnlyPassingRefusalsAreWorthAnotherTry) {
  const std::pair<int, bool> table[] = {{200, true},  {204, true},  {301, false}, {400, false},
                                        {404, false}, {410, false}, {299, true}};
  for (const auto& [status, ok] : table) {
    transport.reply = http::Reply{status, {}, ""};
    const auto sent = send(TargetKind::Webhook);
    EXPECT_EQ(sent.has_value(), ok) << status;
    EXPECT_EQ(ok || sent.error().code == ErrorCode::InvalidArgument, true) << status;
  }
  for (const int status : {408, 429, 500, 502, 503}) {
    transport.reply = http::Reply{status, {}, ""};
    EXPECT_EQ(send(TargetKind::Slack).error().code, ErrorCode::Unavailable) << status;
  }
  transport.reply = Error{ErrorCode::TimedOut, "slow", {}};
  EXPECT_EQ(send(TargetKind::Teams).error().code, ErrorCode::TimedOut);
}

}  // namespace
}  // namespace slipway::notify
