#include "exec/shimd/system.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

namespace slipway::exec::shim {
namespace {

// Length of the UTF-8 sequence at `text`, 0 if there is none.
std::size_t utf8_length(const unsigned char* text) {
  std::size_t length = 0;
  unsigned least = 0;
  if (text[0] >= 0xC2 && text[0] < 0xE0) {
    length = 2;
    least = 0x80;
  } else if (text[0] >= 0xE0 && text[0] < 0xF0) {
    length = 3;
    least = 0x800;
  } else if (text[0] >= 0xF0 && text[0] < 0xF5) {
    length = 4;
    least = 0x10000;
  } else {
    return 0;
  }
  unsigned code = text[0] & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((text[i] & 0xC0U) != 0x80U) return 0;
    code = code << 6U | (text[i] & 0x3FU);
  }
  return code >= least && code < 0x110000 && (code < 0xD800 || code > 0xDFFF) ? length : 0;
}

}  // namespace

std::int64_t wall_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

std::int64_t boot_ms() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1'000'000;
}

// The calendar by Hinnant's days-to-civil; gmtime would read zone files.
std::size_t format_time(std::int64_t wall, int digits, char* out) {
  const std::int64_t seconds = wall / 1'000'000'000;
  const std::int64_t days = seconds / 86'400 + 719'468;
  const std::int64_t era = days / 146'097;
  const std::int64_t day_of_era = days - era * 146'097;
  const std::int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted = (5 * day_of_year + 2) / 153;
  const int day = static_cast<int>(day_of_year - (153 * shifted + 2) / 5 + 1);
  const int month = static_cast<int>(shifted < 10 ? shifted + 3 : shifted - 9);
  const int year = static_cast<int>(year_of_era + era * 400 + (month <= 2 ? 1 : 0));
  const int of_day = static_cast<int>(seconds % 86'400);
  const auto nanos = static_cast<int>(wall % 1'000'000'000);
  const int fraction = digits == 9 ? nanos : nanos / 1000;
  return static_cast<std::size_t>(snprintf(out, kTimeBytes, "%04d-%02d-%02dT%02d:%02d:%02d.%0*dZ", year, month, day,
                                           of_day / 3600, of_day / 60 % 60, of_day % 60, digits, fraction));
}

std::uint64_t start_ticks(pid_t pid) {
  char path[40];
  char stat[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  if (read_file(AT_FDCWD, path, stat, sizeof stat) <= 0) return 0;
  // The name in parentheses may hold anything, so fields are counted from its last parenthesis (field 3 follows it).
  const char* field = strrchr(stat, ')');
  for (int i = 2; field != nullptr && i < 22; ++i) field = strchr(field + 1, ' ');
  return field == nullptr ? 0 : strtoull(field, nullptr, 10);
}

bool try_lock(int fd) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return fcntl(fd, F_SETLK, &lock) == 0;
}

bool try_lock_byte(int fd, int byte) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = 1;
  return fcntl(fd, F_SETLK, &lock) == 0;
}

pid_t lock_holder(int at, const char* path) {
  const int fd = openat(at, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return 0;
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const bool held = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  close(fd);
  return held ? lock.l_pid : 0;
}

bool write_all(int fd, const char* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t done = write(fd, bytes, size);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    bytes += done;
    size -= static_cast<std::size_t>(done);
  }
  return true;
}

bool replace_file(int folder, const char* name, const char* bytes, std::size_t size) {
  char temporary[64];
  snprintf(temporary, sizeof temporary, ".%s.tmp", name);
  const int fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return false;
  const bool written = write_all(fd, bytes, size);
  return close(fd) == 0 && written && renameat(folder, temporary, folder, name) == 0;
}

ssize_t read_file(int folder, const char* name, char* out, std::size_t size) {
  const int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  std::size_t used = 0;
  while (used < size - 1) {
    const ssize_t got = read(fd, out + used, size - 1 - used);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    used += static_cast<std::size_t>(got);
  }
  close(fd);
  out[used] = '\0';
  return static_cast<ssize_t>(used);
}

void Text::add_bytes(const char* bytes, std::size_t count) {
  const std::size_t room = size - 1 - used;
  if (count > room) count = room;
  memcpy(out + used, bytes, count);
  used += count;
  out[used] = '\0';
}

void Text::add(const char* text) { add_bytes(text, strlen(text)); }

void Text::add_number(std::int64_t number) {
  char digits[24];
  add_bytes(digits, static_cast<std::size_t>(snprintf(digits, sizeof digits, "%lld", static_cast<long long>(number))));
}

void Text::add_json(const char* text) {
  add("\"");
  for (const auto* at = reinterpret_cast<const unsigned char*>(text); *at != 0;) {
    // Room is kept for the longest escape and for what must close the document.
    if (size - used < 32) break;
    char escape[8];
    std::size_t step = 1;
    if (*at == '"' || *at == '\\') {
      escape[0] = '\\';
      escape[1] = static_cast<char>(*at);
      add_bytes(escape, 2);
    } else if (*at < 0x20 || *at == 0x7F) {
      add_bytes(escape, static_cast<std::size_t>(snprintf(escape, sizeof escape, "\\u%04x", *at)));
    } else if (*at < 0x80) {
      add_bytes(reinterpret_cast<const char*>(at), 1);
    } else if (const std::size_t length = utf8_length(at); length > 0) {
      add_bytes(reinterpret_cast<const char*>(at), length);
      step = length;
    } else {
      add("\\ufffd");
    }
    at += step;
  }
  add("\"");
}

void note(const char* message, int error_number) {
  char line[512];
  char stamp[kTimeBytes];
  format_time(wall_ns(), 6, stamp);
  Text text{line, sizeof line - 1};
  text.add(stamp);
  text.add(" slipway-shimd[");
  text.add_number(getpid());
  text.add("]: ");
  text.add(message);
  if (error_number != 0) {
    text.add(": ");
    text.add(strerror(error_number));
  }
  line[text.used] = '\n';
  write_all(STDERR_FILENO, line, text.used + 1);
}

}  // namespace slipway::exec::shim
