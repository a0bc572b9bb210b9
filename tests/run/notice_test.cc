#include "slipway/run/notice.h"

#include <gtest/gtest.h>

namespace slipway::run {
namespace {

Notice notice(NoticeKind kind, Value::Object more = {}) {
  more["dag"] = "demo";
  more["run"] = "01r";
  return {"01r/x@ops", "ops", kind, Instant{}, std::move(more)};
}

TEST(Notice, HeadlineSaysWhatHappened) {
  EXPECT_EQ(headline(notice(NoticeKind::Success)), "demo: run 01r succeeded");
  EXPECT_EQ(headline(notice(NoticeKind::Failure)), "demo: run 01r failed");
  EXPECT_EQ(headline(notice(NoticeKind::Failure, {{"failures", Value::Array{"a: exit code 1 (user)"}}})),
            "demo: run 01r failed: a: exit code 1 (user)");
  EXPECT_EQ(headline(notice(NoticeKind::Failure, {{"failures", Value::Array{"a: x", "b: y", "c: z"}}})),
            "demo: run 01r failed: a: x and 2 more");
  EXPECT_EQ(headline(notice(NoticeKind::Retry,
                            {{"task", "a"}, {"reason", "exit code 1"}, {"retry_at", "2024-11-01T00:00:30Z"}})),
            "demo: run 01r: task a failed and will be tried again at 2024-11-01T00:00:30Z: exit code 1");
  EXPECT_EQ(headline(notice(NoticeKind::Deadline)), "demo: run 01r is not over, and its deadline has passed");
}

}  // namespace
}  // namespace slipway::run
