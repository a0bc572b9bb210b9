// How a run looks: the table of `run get`, the tree of `run watch`, one plain line per change. Pure: from the API's
// body to text.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "slipway/base/time.h"
#include "slipway/base/value.h"

namespace slipway::cli {

// What a task last said of itself: a `progress {json}` line of its log.
struct Progress {
  std::optional<std::int64_t> step, steps;
  std::optional<double> loss, eta_s;

  // "step 120/500  loss 0.412  eta 12s"; empty if nothing is known.
  [[nodiscard]] std::string text() const;
};
// Reads "progress {…}"; nullopt for any other line.
[[nodiscard]] std::optional<Progress> parse_progress(std::string_view line);

struct ViewOptions {
  std::size_t width = 80;
  std::size_t height_max =
      24;  // longer runs: groups are folded, then failed and active tasks stay, the rest is counted
  bool color = false;
  bool ascii = false;
  Instant now;
  std::optional<double>
      usual_s;  // how long earlier runs of the DAG took; then the head says how long it may still take
};

// The median of how long the runs of {"runs"} took that are over, in seconds, `except` left out; nullopt without any.
[[nodiscard]] std::optional<double> usual_duration(const Value& body, std::string_view except);

// "finetune" or "finetune[3]".
[[nodiscard]] std::string task_name(const Value& task);
// The tree, a line per element, no line breaks.
[[nodiscard]] std::vector<std::string> draw_run(const Value& body, const std::map<std::string, Progress>& progress,
                                                const ViewOptions& options);
// One line for a change of a task, or "" if `before` (null at first) and `after` show the same: "12:00:01 finetune
// active".
[[nodiscard]] std::string change_line(const Value& before, const Value& after, Instant now);
// True once the run's state is terminal.
[[nodiscard]] bool is_over(const Value& body);
// 0 success, 1 failed, 9 cancelled.
[[nodiscard]] int exit_code_of_run(const Value& body);

}  // namespace slipway::cli
