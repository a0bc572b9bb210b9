// What somebody asked to be told. Notices are committed with the change that causes them and sent afterwards, at least
// once: the id stays the same, so that a receiver can tell a repetition.
#pragma once

#include <string>

#include "slipway/base/time.h"
#include "slipway/base/value.h"
#include "slipway/dag/dag.h"

namespace slipway::run {

using dag::kNoticeKinds;
using dag::NoticeKind;

struct Notice {
  std::string id;      // "RUN/failure@ops": one happening, one target
  std::string target;  // its name in the server's config
  NoticeKind kind = NoticeKind::Failure;
  Instant at;  // of the happening
  // {"dag", "run", "state", "trigger", "logical_date", "failures": […], "url"}, for `retry` also {"task", "attempt",
  // "reason", "retry_at"}
  Value data;

  bool operator==(const Notice&) const = default;
};

// "demo: run 01j… failed: finetune: exit code 1 (user)"
[[nodiscard]] std::string headline(const Notice& notice);

}  // namespace slipway::run
