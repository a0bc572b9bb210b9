// What the process says to its caller. Documented in docs/cli.md; scripts depend on these numbers.
#pragma once

#include <array>
#include <string_view>

#include "slipway/base/error.h"
#include "slipway/base/step.h"

namespace slipway::cli {

struct ExitCode {
  int number;
  std::string_view name;
  std::string_view doc;
};

inline constexpr int kOk = 0, kFailed = 1, kUsage = 2, kInvalid = 3, kAuth = 4, kNotFound = 5, kConflict = 6,
                     kUnreachable = 7, kTimedOut = 8, kCancelled = 9, kPartial = 10, kChanges = 20,
                     kNonFinite = kStepNonFinite, kInternal = 70, kResumable = kStepInterrupted, kInterrupted = 130;

inline constexpr std::array<ExitCode, 16> kExitCodes{{
    {kOk, "ok", "done; what was acknowledged is on disk"},
    {kFailed, "failed", "the run or task ended badly"},
    {kUsage, "usage", "the command line is wrong"},
    {kInvalid, "invalid", "a DAG, a config file or data is wrong; the diagnostics say where"},
    {kAuth, "auth", "the token is missing, wrong or lacks the right"},
    {kNotFound, "not found", "no such DAG, run, task, variable or file"},
    {kConflict, "conflict", "it exists already, or its state forbids the action"},
    {kUnreachable, "unreachable", "no daemon answers at the server's address"},
    {kTimedOut, "timed out", "--timeout passed"},
    {kCancelled, "cancelled", "the run or task was cancelled"},
    {kPartial, "partial", "some of several items failed"},
    {kChanges, "changes", "`dag plan`: the file would change something"},
    {kNonFinite, "non-finite", "training: a loss or gradient was no finite number"},
    {kInternal, "internal", "a fault of slipway; please report it"},
    {kResumable, "resumable", "training was asked to stop and left a checkpoint; the same command goes on from it"},
    {kInterrupted, "interrupted", "Ctrl-C"},
}};

[[nodiscard]] constexpr int exit_code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::InvalidArgument:
    case ErrorCode::TooLarge:
    case ErrorCode::Corrupt:
    case ErrorCode::Unsupported: return kInvalid;
    case ErrorCode::NotFound: return kNotFound;
    case ErrorCode::Conflict: return kConflict;
    case ErrorCode::Unauthorized:
    case ErrorCode::Forbidden: return kAuth;
    case ErrorCode::Unavailable: return kUnreachable;
    case ErrorCode::TimedOut: return kTimedOut;
    case ErrorCode::Cancelled: return kCancelled;
    case ErrorCode::Io:
    case ErrorCode::Internal: return kInternal;
  }
  return kInternal;
}

}  // namespace slipway::cli
