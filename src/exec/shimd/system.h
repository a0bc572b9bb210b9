// Small pieces of the operating system that the helper uses everywhere. libc only; nothing here allocates.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace slipway::exec::shim {

// Wall clock and the clock for deadlines (counts while the machine sleeps).
[[nodiscard]] std::int64_t wall_ns();
[[nodiscard]] std::int64_t boot_ms();

// Room for any of the two forms below and a NUL.
inline constexpr std::size_t kTimeBytes = 40;
// "2024-11-01T00:00:00.000000000Z" (digits = 9) or with six digits. Returns the length.
std::size_t format_time(std::int64_t wall, int digits, char* out);

// Start time of a process in clock ticks after boot, 0 if there is none.
[[nodiscard]] std::uint64_t start_ticks(pid_t pid);

// POSIX record locks: held by one process, not inherited by fork, gone with the process, and a reader may ask who
// holds one without taking it. Whoever takes one must not open the same file a second time.
[[nodiscard]] bool try_lock(int fd);  // the whole file
bool try_lock_byte(int fd, int byte);
// The holder of the lock on the file at `path` below the folder `at`, 0 if nobody.
[[nodiscard]] pid_t lock_holder(int at, const char* path);

// All bytes, or false with errno.
bool write_all(int fd, const char* bytes, std::size_t size);
// Replaces `name` below `folder` by tmp + rename: readers see the old or the new bytes.
bool replace_file(int folder, const char* name, const char* bytes, std::size_t size);
// At most size - 1 bytes of a file, NUL terminated; -1 if it cannot be read.
ssize_t read_file(int folder, const char* name, char* out, std::size_t size);

// Text into a fixed buffer, always NUL terminated; what does not fit is cut.
struct Text {
  char* out;
  std::size_t size;
  std::size_t used = 0;

  void add(const char* text);
  void add_bytes(const char* bytes, std::size_t count);
  void add_number(std::int64_t number);
  // With quotes, escaped as JSON demands; bytes that are no ASCII become U+FFFD unless they form UTF-8.
  void add_json(const char* text);
};

// One line to shimd.log: "<time> slipway-shimd[pid]: <message>[: strerror]".
void note(const char* message, int error_number = 0);

}  // namespace slipway::exec::shim
