#include "cli/retention.h"

#include <algorithm>

namespace slipway::cli {

Result<engine::Retention> retention_from(const Config& config) {
  engine::Retention retention;
  const Resolved runs = config.get("retention_runs");
  if (runs.value.empty() || runs.value.size() > 7 || runs.value.find_first_not_of("0123456789") != std::string::npos)
    return Error{ErrorCode::InvalidArgument,
                 "`" + runs.value + "` (" + runs.origin + ") is no number of runs for `retention_runs`",
                 "write a number up to 9999999; 0 = no bound"};
  retention.runs = std::stoi(runs.value);
  const Resolved age = config.get("retention_age");
  const auto parsed = parse_duration(age.value);
  if (!parsed)
    return Error{ErrorCode::InvalidArgument,
                 "`" + age.value + "` (" + age.origin + ") is no duration for `retention_age`",
                 "write 90d; 0s = no bound"};
  retention.age = *parsed;
  return retention;
}

}  // namespace slipway::cli
