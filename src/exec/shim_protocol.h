// What the executor and slipway-shimd say to each other; docs/formats/shimd.md is the same for readers. Both ends run
// on one machine, so integers travel in native order. Included by the libc-only helper: constants and plain structs.
#pragma once

#include <cstddef>
#include <cstdint>

namespace slipway::exec::shim {

inline constexpr unsigned char kProtocolVersion = 1;

inline constexpr const char* kSocketName = "shimd.sock";
inline constexpr const char* kLockName = "shimd.lock";
inline constexpr const char* kLogName = "shimd.log";

// A request may span packets: the first begins with a Head, the following ones continue the body.
inline constexpr std::size_t kPacketBytesMax = 64U << 10U;
inline constexpr std::size_t kRequestBytesMax = 8U << 20U;

// First byte of every packet that starts something. Hello and Retire keep their form in every version.
enum class Kind : char {
  Hello = 'H',    // both ways; Head.version is the sender's
  Retire = 'R',   // to shimd: end at once, a newer one takes over (shims live on)
  Launch = 'L',   // to shimd: body of fields, see Tag
  Started = 'S',  // from a shim: the task runs
  Exists = 'X',   // from a shim: the attempt folder says what happened; nothing was started by this request
  Failed = 'F',   // from shimd or a shim: nothing was started and there is no folder; text follows the folder's NUL
};

struct Head {
  Kind kind;
  unsigned char version;
  char reserved[2];
  std::uint32_t body_bytes;  // of a Launch
};

// Followed by the attempt's folder, NUL terminated, and for Failed by a message, NUL terminated.
struct Reply {
  Kind kind;
  unsigned char version;
  char reserved[2];
  std::int32_t pid;           // Started: of the shim; Hello: of shimd
  std::uint64_t start_ticks;  // Started: start time of that process, /proc/<pid>/stat field 22
  std::int64_t at_us;         // Started: instant of the exec, microseconds since the epoch
  std::uint64_t build;        // Hello: which shimd this is
};

// A field of a Launch body: tag byte, uint32 length, bytes, NUL (not counted). Numbers are decimal text.
enum class Tag : char {
  Folder = 'f',       // of the attempt, relative to the home
  Argument = 'a',     // repeated, in order
  Environment = 'e',  // repeated, NAME=value
  Workdir = 'w',
  GraceMs = 'g',
  LogBytesMax = 'l',
  Id = 'i',       // "RUN/TASK/N"
  Service = 'S',  // name; its presence makes the launch a deploy
  ServiceDag = 'd',
  ServicePort = 'P',
  Health = 'H',
  RolloutMs = 'T',
  SmokeMethod = 'm',  // GET or POST; absent = no smoke request
  SmokePath = 'p',
  SmokeBody = 'b',
  SmokeExpect = 'x',
  Group = 'G',         // absolute folder of a control group to make, at most 3
  GroupSetting = 'W',  // of the group before: file=value, or ?file=value for one that may be missing
  DataLimit = 'D',     // RLIMIT_DATA in bytes
  RunAs = 'u',         // uid:gid:gid,gid
  SecretFolder = 'K',  // absolute, to be made
  SecretName = 'n',    // file in it, at most 32; its content follows
  SecretContent = 'v',
};
inline constexpr std::size_t kSecretFilesMax = 32;
inline constexpr std::size_t kFieldOverhead = 1 + sizeof(std::uint32_t) + 1;

// Bytes of an attempt's `lock`: the first is locked while its shim lives, the second too once the command runs.
inline constexpr int kLockAlive = 0;
inline constexpr int kLockStarted = 1;

// Signals to a shim: end politely (TERM, grace, KILL of the whole tree), or at once.
inline constexpr int kStopSignal = 15;     // SIGTERM
inline constexpr int kStopNowSignal = 10;  // SIGUSR1

}  // namespace slipway::exec::shim
