// An expected failure of the environment, as a value. Text that people wrote (YAML, JSON config) reports
// Diagnostics instead; a broken invariant is SLIPWAY_ASSERT.
#pragma once

#include <string>
#include <string_view>

#include "slipway/base/enum_table.h"

namespace slipway {

// What kind of failure it is: enough for a caller to choose what to do (retry, exit code, HTTP status).
enum class ErrorCode : unsigned char {
  InvalidArgument,
  NotFound,
  Conflict,
  Unauthorized,
  Forbidden,
  Unavailable,
  TimedOut,
  Cancelled,
  TooLarge,
  Io,
  Corrupt,
  Unsupported,
  Internal,
};

inline constexpr EnumTable<ErrorCode, 13> kErrorCodes{{{
    {ErrorCode::InvalidArgument, "invalid-argument", "the request itself is wrong; repeating it cannot help"},
    {ErrorCode::NotFound, "not-found", "the named thing does not exist"},
    {ErrorCode::Conflict, "conflict", "the thing exists already, or its state forbids the action"},
    {ErrorCode::Unauthorized, "unauthorized", "no valid credentials were given"},
    {ErrorCode::Forbidden, "forbidden", "the credentials do not permit the action"},
    {ErrorCode::Unavailable, "unavailable", "a peer did not answer; repeating may help"},
    {ErrorCode::TimedOut, "timed-out", "the time limit passed first"},
    {ErrorCode::Cancelled, "cancelled", "somebody asked to stop"},
    {ErrorCode::TooLarge, "too-large", "a stated limit was exceeded"},
    {ErrorCode::Io, "io", "the operating system refused a read or a write"},
    {ErrorCode::Corrupt, "corrupt", "stored data does not have the form it must have"},
    {ErrorCode::Unsupported, "unsupported", "this build or version cannot do it"},
    {ErrorCode::Internal, "internal", "a fault of slipway; please report it"},
}}};

struct Error {
  ErrorCode code = ErrorCode::Internal;
  std::string message;  // lower case, subject first, no full stop: "home /x is locked by pid 12"
  std::string help;     // the cure, may be empty: "stop it, or choose another --home"

  // The same error with where it happened put in front: "reading config.json: <message>".
  [[nodiscard]] Error in(std::string_view where) const;

  bool operator==(const Error&) const = default;
};

// Error for a failed system call: code Io (NotFound for ENOENT), message "<what>: <strerror>".
[[nodiscard]] Error errno_error(std::string_view what, int error_number);

}  // namespace slipway
