// Who listens hears what is committed, once, in order, also over a gap.
#include "slipway/api/event_stream.h"

#include "api/api_fixture.h"

namespace slipway::api {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class TurnedClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return kNoon; }
  [[nodiscard]] MonoInstant monotonic() const override { return at; }
  MonoInstant at;
};

class EventStreamTest : public ::testing::Test {
 protected:
  std::vector<run::Event> story(int number) {
    Story story(header(number));
    story.start();
    return story.events;
  }
  std::shared_ptr<http::LaterReply> listen(const std::string& last_id = "", const RunId& run = {}) {
    return expect_ok(stream.listen(run, last_id));
  }
  // The ids of messages, without their epoch, and their names.
  static std::vector<std::string> heard(http::LaterReply& reply) {
    std::vector<std::string> found;
    std::istringstream lines(reply.take().bytes);
    std::string id;
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("id: ")) id = line.substr(line.find('-') + 1);
      if (line.starts_with("event: ")) found.push_back(id + " " + line.substr(7));
    }
    return found;
  }
  [[nodiscard]] static std::string id(int number) {
    return std::to_string(to_micros(kNoon)) + "-" + std::to_string(number);
  }

  TurnedClock clock;
  EventStream stream{clock, {.kept_max = 6, .listeners_max = 2, .unsent_bytes_max = 4'096}};
};

TEST_F(EventStreamTest, TellsWhatIsCommittedFromNowOn) {
  stream.on_committed(story(1));
  const auto count = story(1).size();
  const auto reply = listen();
  const auto first = reply->take();
  EXPECT_EQ(first.head->content_type, "text/event-stream");
  EXPECT_EQ(first.bytes, "id: " + id(static_cast<int>(count)) + "\nevent: ready\ndata: {}\n\n");
  stream.on_committed({story(2).front()});
  EXPECT_EQ(heard(*reply), std::vector{std::to_string(count + 1) + " run_created"});
}

TEST_F(EventStreamTest, AMessageIsTheEventAsTheApiShowsIt) {
  const auto reply = listen();
  (void)reply->take();
  const auto event = story(1)[1];
  stream.on_committed({event});
  const std::string bytes = reply->take().bytes;
  const auto data = expect_ok(parse_json(bytes.substr(bytes.find("data: ") + 6)));
  EXPECT_EQ(data.get_string("run"), run_id(1).str());
  EXPECT_EQ(data.get_int("seq"), 2);
  EXPECT_EQ(data.find("event")->dump(), run::to_value(event.body).dump());
}

TEST_F(EventStreamTest, OneMayListenToARun) {
  const auto reply = listen("", run_id(2));
  (void)reply->take();
  stream.on_committed(story(1));
  EXPECT_THAT(reply->take().bytes, IsEmpty());
  stream.on_committed(story(2));
  EXPECT_THAT(reply->take().bytes, HasSubstr(run_id(2).str()));
}

TEST_F(EventStreamTest, WhoComesBackHearsWhatItMissed) {
  listen()->lose();
  const auto event = story(1).front();
  stream.on_committed({event, event, event});
  EXPECT_EQ(heard(*listen(id(1))), (std::vector<std::string>{"1 ready", "2 run_created", "3 run_created"}));
  EXPECT_EQ(heard(*listen(id(3))), std::vector<std::string>{"3 ready"});
}

TEST_F(EventStreamTest, NothingIsKeptForNobody) {
  const auto event = story(1).front();
  stream.on_committed({event});
  EXPECT_EQ(heard(*listen(id(0))), std::vector<std::string>{"1 reset"}) << "nobody had listened";
  stream.on_committed({event});
  EXPECT_EQ(heard(*listen(id(1))).size(), 2U);
  clock.at += std::chrono::minutes(16);
  stream.beat();  // both have listened long enough
  stream.on_committed({event});
  EXPECT_EQ(heard(*listen(id(2))), (std::vector<std::string>{"2 ready", "3 run_created"})) << "they may come back";
  clock.at += std::chrono::minutes(16);
  stream.beat();
  clock.at += std::chrono::minutes(2);
  stream.beat();
  stream.on_committed({event});
  EXPECT_EQ(heard(*listen(id(3))), std::vector<std::string>{"4 reset"});
}

TEST_F(EventStreamTest, WhoMissedTooMuchIsTold) {
  listen()->lose();
  const auto event = story(1).front();
  stream.on_committed({event, event, event, event, event, event, event, event});
  EXPECT_EQ(heard(*listen(id(1))), std::vector<std::string>{"8 reset"}) << "2 is not kept any more";
  EXPECT_EQ(heard(*listen(id(2))).size(), 7U);
}

TEST_F(EventStreamTest, AnIdOfAnotherLifeIsToldToo) {
  stream.on_committed({story(1).front()});
  EXPECT_EQ(heard(*listen("17-1")), std::vector<std::string>{"1 reset"});
  EXPECT_EQ(heard(*listen(id(9))), std::vector<std::string>{"1 reset"});
}

TEST_F(EventStreamTest, ListenersAreBoundedAndWhoDoesNotReadIsCutOff) {
  const auto slow = listen();
  const auto other = listen();
  EXPECT_EQ(stream.listen({}, "").error().code, ErrorCode::Unavailable);
  const auto event = story(1).front();
  for (int n = 0; n < 100; ++n) {
    stream.on_committed({event});
    (void)other->take();
  }
  EXPECT_TRUE(slow->take().cut);
  EXPECT_TRUE(stream.listen({}, "")) << "its place is free";
}

TEST_F(EventStreamTest, IsKeptAliveAndEndsAfterAWhile) {
  const auto reply = listen();
  (void)reply->take();
  stream.beat();
  EXPECT_EQ(reply->take().bytes, ": \n\n");
  stream.beat();
  EXPECT_EQ(reply->take().bytes, "") << "not so soon again";
  clock.at += std::chrono::minutes(16);
  stream.beat();
  EXPECT_TRUE(reply->take().ended);
}

}  // namespace
}  // namespace slipway::api
