// Scratch memory for one computation: allocation moves a pointer, release goes back to a mark, memory is kept for the
// next step, so that a training step after the first allocates nothing and touches no new page.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "slipway/ml/tensor.h"

namespace slipway::ml {

// Not thread-safe: one arena belongs to one thread at a time.
class Arena {
 public:
  // 64-byte aligned, not initialised; valid until a mark taken before is released.
  [[nodiscard]] Rows<float> rows(std::int64_t row_count, std::int64_t col_count);
  [[nodiscard]] float* floats(std::int64_t count);

  struct Mark {
    std::size_t block = 0;
    std::size_t used = 0;
  };
  [[nodiscard]] Mark mark() const { return {block_, used_}; }
  void release(Mark mark);

  // Bytes held, used or not.
  [[nodiscard]] std::size_t bytes() const;

 private:
  std::vector<Matrix> blocks_;
  std::size_t block_ = 0;  // index of the block in use
  std::size_t used_ = 0;   // floats used of it
};

// Releases what was allocated during its life.
class ArenaScope {
 public:
  explicit ArenaScope(Arena& arena) : arena_(arena), mark_(arena.mark()) {}
  ~ArenaScope() { arena_.release(mark_); }
  ArenaScope(const ArenaScope&) = delete;
  ArenaScope& operator=(const ArenaScope&) = delete;

 private:
  Arena& arena_;
  Arena::Mark mark_;
};

}  // namespace slipway::ml
