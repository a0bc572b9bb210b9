#include <gtest/gtest.h>

#include "slipway/notify/notifier.h"

namespace slipway::notify {
namespace {

run::Notice failure() {
  return {"01r/failure@ops", "ops", run::NoticeKind::Failure, from_micros(1'730'442'600'000'000),
          Value::Object{{"dag", "demo"},
                        {"run", "01r"},
                        {"failures", Value::Array{"a: <exit> & \"1\""}},
                        {"url", "http://127.0.0.1:8480/runs/01r"}}};
}

TEST(Bodies, WebhookNamesTheTypeTheInstantAndTheRun) {
  EXPECT_EQ(webhook_body(failure()), R"({"data":{"dag":"demo","failures":["a: <exit> & \"1\""],"run":"01r",)"
                                     R"("url":"http://127.0.0.1:8480/runs/01r"},"id":"01r/failure@ops",)"
                                     R"("timestamp":"2024-11-01T06:30:00.000000Z","type":"slipway.run.failure"})");
}

// The example of the specification, and two keys whose signatures another implementation made.
TEST(Bodies, SignatureIsThatOfStandardWebhooks) {
  EXPECT_EQ(webhook_signature(Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "msg_p5jXN8AQM9LWM0D4loKWxJek",
                              1614265330, R"({"test": 2432232314})"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  EXPECT_EQ(webhook_signature(Secret("secret"), "id", 1, "body"), "v1,9B5YClxBsTRwBx8HAr63WE8WGNAI5scE+LpN4MVSXgM=");
  EXPECT_EQ(webhook_signature(Secret(std::string(100, 'k')), "id", 1, "body"),
            "v1,gXIz7R0KUQC1QhTzTaLqCNfOSrfKzJaBQXK0+sTV9s0=");
}

TEST(Bodies, SlackEscapesItsMarkup) {
  EXPECT_EQ(slack_body(failure()),
            R"({"text":"demo: run 01r failed: a: &lt;exit&gt; &amp; \"1\"\n<http://127.0.0.1:8480/runs/01r>"})");
}

TEST(Bodies, TeamsGetsAnAdaptiveCardWithALink) {
  const auto body = parse_json(teams_body(failure()));
  ASSERT_TRUE(body);
  EXPECT_EQ(body->get_string("type"), "message");
  const Value& card = *body->find("attachments")->as_array().at(0).find("content");
  EXPECT_EQ(card.get_string("type"), "AdaptiveCard");
  EXPECT_EQ(card.find("body")->as_array().at(0).get_string("text"), "demo: run 01r failed: a: <exit> & \"1\"");
  EXPECT_EQ(card.find("actions")->as_array().at(0).get_string("url"), "http://127.0.0.1:8480/runs/01r");
}

}  // namespace
}  // namespace slipway::notify
