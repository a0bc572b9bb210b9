#include "exec/shimd/log_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

namespace slipway::exec::shim {
namespace {

constexpr std::size_t kNameBytes = 6;  // of "stdout" and "stderr"
// More reads than a full pipe needs: somebody outside the tree may keep writing for ever.
constexpr int kLastReadsMax = 128;

bool open_file(LogWriter& log) {
  if (log.file < 0) log.file = openat(log.folder, "log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  return log.file >= 0;
}

void put(LogWriter& log, const char* bytes, std::size_t size) {
  if (size > sizeof log.buffer - log.used) flush(log);
  memcpy(log.buffer + log.used, bytes, size);
  log.used += size;
}

void put_line(LogWriter& log, const char* stream, char tag, const char* text, std::size_t size) {
  put(log, log.stamp, log.stamp_bytes);
  put(log, " ", 1);
  put(log, stream, kNameBytes);
  const char mark[] = {' ', tag, ' '};
  put(log, mark, sizeof mark);
  put(log, text, size);
  put(log, "\n", 1);
}

void stamp_now(LogWriter& log) { log.stamp_bytes = format_time(wall_ns(), 9, log.stamp); }

// One old file is kept, so a server's log takes at most twice the limit.
void rotate(LogWriter& log) {
  flush(log);
  renameat(log.folder, "log", log.folder, "log.1");
  const int fresh = openat(log.folder, "log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fresh < 0) return;
  close(log.file);
  log.file = fresh;
  log.written = 0;
}

void announce_limit(LogWriter& log) {
  char line[128];
  Text text{line, sizeof line};
  text.add("slipway: log limit of ");
  text.add_number(static_cast<std::int64_t>(log.bytes_max));
  text.add(" bytes reached, further output is discarded");
  put_line(log, "stderr", 'F', line, text.used);
  log.full = true;
}

// A line of the task, within the limit.
void capture(LogWriter& log, const char* stream, char tag, const char* text, std::size_t size) {
  const std::size_t line = log.stamp_bytes + kNameBytes + 5 + size;
  if (!log.full && log.written + line > log.bytes_max) {
    if (log.overflow == Overflow::Rotate)
      rotate(log);
    else
      announce_limit(log);
  }
  if (log.full) {
    log.discarded += size;
    return;
  }
  put_line(log, stream, tag, text, size);
  log.written += line;
}

// The pipe is drained, so that the task never blocks on a log nobody keeps. The empty output buffer is the largest
// room at hand.
bool drain(LogWriter& log, LogStream& stream) {
  flush(log);
  const ssize_t got = read(stream.fd, log.buffer, sizeof log.buffer);
  if (got == 0) close_stream(log, stream);
  if (got <= 0) return false;
  log.discarded += static_cast<std::uint64_t>(got);
  return true;
}

void take_lines(LogWriter& log, LogStream& stream, std::size_t scanned) {
  const char* line = stream.part;
  const char* const end = stream.part + stream.used;
  for (const char* from = stream.part + scanned; from < end;) {
    const auto* const stop = static_cast<const char*>(memchr(from, '\n', static_cast<std::size_t>(end - from)));
    if (stop == nullptr) break;
    capture(log, stream.name, 'F', line, static_cast<std::size_t>(stop - line));
    line = from = stop + 1;
  }
  const auto rest = static_cast<std::size_t>(end - line);
  if (rest == kPartBytesMax) {
    capture(log, stream.name, 'P', line, rest);
    stream.used = 0;
    return;
  }
  memmove(stream.part, line, rest);
  stream.used = rest;
}

}  // namespace

void open_log(LogWriter& log, int folder, std::uint64_t bytes_max, Overflow overflow) {
  log.folder = folder;
  log.bytes_max = bytes_max;
  log.overflow = overflow;
}

void flush(LogWriter& log) {
  const char* at = log.buffer;
  std::size_t left = log.used;
  log.used = 0;
  if (left == 0) return;
  if (!open_file(log)) {
    log.discarded += left;
    return;
  }
  if (log.torn && write_all(log.file, "\n", 1)) log.torn = false;
  while (left > 0) {
    const ssize_t done = write(log.file, at, left);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) {
      // Disk full: the task goes on, what was lost is counted.
      log.discarded += left;
      return;
    }
    at += done;
    left -= static_cast<std::size_t>(done);
    log.torn = at[-1] != '\n';
  }
}

void say(LogWriter& log, const char* text) {
  stamp_now(log);
  put_line(log, "stderr", 'F', text, strlen(text));
  flush(log);
}

void close_log(LogWriter& log) {
  flush(log);
  if (log.discarded > 0) {
    char line[96];
    Text text{line, sizeof line};
    text.add("slipway: ");
    text.add_number(static_cast<std::int64_t>(log.discarded));
    text.add(" bytes of output were discarded");
    say(log, line);
  }
  if (log.file >= 0) close(log.file);
  log.file = -1;
}

bool pump(LogWriter& log, LogStream& stream) {
  if (stream.fd < 0) return false;
  if (log.full) return drain(log, stream);
  const ssize_t got = read(stream.fd, stream.part + stream.used, kPartBytesMax - stream.used);
  if (got < 0) return false;
  if (got == 0) {
    close_stream(log, stream);
    return false;
  }
  const std::size_t scanned = stream.used;
  stream.used += static_cast<std::size_t>(got);
  stamp_now(log);
  take_lines(log, stream, scanned);
  return true;
}

void close_stream(LogWriter& log, LogStream& stream) {
  if (stream.fd < 0) return;
  if (stream.used > 0) {
    stamp_now(log);
    capture(log, stream.name, 'F', stream.part, stream.used);
  }
  stream.used = 0;
  close(stream.fd);
  stream.fd = -1;
}

void finish_stream(LogWriter& log, LogStream& stream) {
  for (int i = 0; i < kLastReadsMax && pump(log, stream);) ++i;
  close_stream(log, stream);
  flush(log);
}

}  // namespace slipway::exec::shim
