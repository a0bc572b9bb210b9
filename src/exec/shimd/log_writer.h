// Captured output as lines of the CRI log format: "<time> stdout|stderr F|P <text>\n".
#pragma once

#include <cstddef>
#include <cstdint>

#include "exec/shimd/system.h"

namespace slipway::exec::shim {

// Longer lines are split: parts tagged P, the last part tagged F. The rest of a stream without a line break is F.
inline constexpr std::size_t kPartBytesMax = 16U << 10U;

enum class Overflow : unsigned char { Discard, Rotate };

// The file side. Never fails: what cannot be written (limit reached, disk full) is counted and the reader is told.
struct LogWriter {
  int folder = -1;  // holds the file `log`
  int file = -1;    // until there is something to write
  std::uint64_t bytes_max = 0;
  Overflow overflow = Overflow::Discard;
  std::uint64_t written = 0;
  std::uint64_t discarded = 0;
  bool full = false;
  bool torn = false;  // the last byte written is not a line break
  char stamp[kTimeBytes] = "";
  std::size_t stamp_bytes = 0;
  std::size_t used = 0;
  char buffer[64U << 10U];
};

// For the file `log` in `folder`, which is made or appended to when the first line comes.
void open_log(LogWriter& log, int folder, std::uint64_t bytes_max, Overflow overflow);
void flush(LogWriter& log);
// One line of the helper itself, tagged stderr.
void say(LogWriter& log, const char* text);
// Flushes, and says how much was discarded if anything was.
void close_log(LogWriter& log);

// One captured pipe.
struct LogStream {
  const char* name = "stdout";  // or "stderr"
  int fd = -1;                  //      // non-blocking read end, -1 once it ended
  std::size_t used = 0;
  char part[kPartBytesMax];
};

// Moves what one read gives from the pipe to the log. False when nothing could be read now (empty or ended).
bool pump(LogWriter& log, LogStream& stream);
// Writes the unfinished line, closes the pipe.
void close_stream(LogWriter& log, LogStream& stream);
// Takes what is still in the pipe, then closes it.
void finish_stream(LogWriter& log, LogStream& stream);

}  // namespace slipway::exec::shim
