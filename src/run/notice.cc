#include "slipway/run/notice.h"

namespace slipway::run {
namespace {

std::string first_failure(const Value& data) {
  const Value* failures = data.find("failures");
  if (failures == nullptr || !failures->is_array() || failures->as_array().empty()) return {};
  const Value& first = failures->as_array().front();
  const std::size_t more = failures->as_array().size() - 1;
  return ": " + (first.is_string() ? first.as_string() : first.dump()) +
         (more == 0 ? "" : " and " + std::to_string(more) + " more");
}

}  // namespace

std::string headline(const Notice& notice) {
  const std::string run = notice.data.get_string("dag") + ": run " + notice.data.get_string("run");
  switch (notice.kind) {
    case NoticeKind::Failure: return run + " failed" + first_failure(notice.data);
    case NoticeKind::Success: return run + " succeeded";
    case NoticeKind::Retry:
      return run + ": task " + notice.data.get_string("task") + " failed and will be tried again at " +
             notice.data.get_string("retry_at") + ": " + notice.data.get_string("reason");
    case NoticeKind::Deadline: return run + " is not over, and its deadline has passed";
  }
  return run;
}

}  // namespace slipway::run
