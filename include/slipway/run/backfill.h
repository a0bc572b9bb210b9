// A backfill: the ticks of one schedule in a range, run beside whatever the schedule does by itself.
#pragma once

#include <optional>
#include <string>

#include "slipway/base/enum_table.h"
#include "slipway/base/ids.h"
#include "slipway/base/time.h"
#include "slipway/base/value.h"

namespace slipway::run {

// What becomes of a tick that has a run already. A run that is not over is left alone.
enum class Reprocess : unsigned char { None, Failed, All };
inline constexpr EnumTable<Reprocess, 3> kReprocess{{{
    {Reprocess::None, "none", "its run stays as it is"},
    {Reprocess::Failed, "failed", "a run that failed or was cancelled is retried"},
    {Reprocess::All, "all", "its run is cleared"},
}}};

enum class BackfillState : unsigned char { Running, Success, Failed, Cancelled };
inline constexpr EnumTable<BackfillState, 4> kBackfillStates{{{
    {BackfillState::Running, "running", "ticks are left, or runs of it are not over"},
    {BackfillState::Success, "success", "every tick was dealt with, and its runs succeeded"},
    {BackfillState::Failed, "failed", "a run of it did not succeed, or it could not go on"},
    {BackfillState::Cancelled, "cancelled", "somebody asked to stop it"},
}}};

struct Backfill {
  std::string id;  // of the form of a run id
  DagId dag;
  std::string schedule;
  Instant first, last;   // ticks from first to last, both included
  bool reverse = false;  // the newest first
  int max_active = 1;    // runs of it that are not over, at a time
  Reprocess reprocess = Reprocess::None;
  Value params;  // object, over those of the schedule, for the runs that it makes
  Instant created_at;

  BackfillState state = BackfillState::Running;
  std::string reason;           // why it could not go on; else empty
  std::optional<Instant> next;  // the tick to be dealt with next; nullopt: none any more
  int ticks = 0;                // in the range when it began
  // Ticks dealt with: a run was made, was opened again, or stays as it is.
  int created = 0, cleared = 0, left = 0;
  // Its runs that are over, by how they ended.
  int succeeded = 0, failed = 0, cancelled = 0;
  std::optional<Instant> ended_at;  // no tick is dealt with any more, and its runs are over

  // Runs of it that are not over.
  [[nodiscard]] int open() const { return created + cleared - succeeded - failed - cancelled; }
  bool operator==(const Backfill&) const = default;
};

}  // namespace slipway::run
