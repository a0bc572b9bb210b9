// A disk that fails on purpose, between SQLite and the machine's file system. What a write changed stays undoable until
// the file is synced, so that a power cut can take back any of it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "slipway/base/rng.h"

struct sqlite3_vfs;

namespace slipway::store {

class FaultDisk final {
 public:
  // Registers itself as an SQLite VFS under name() while it lives. One at a time per name.
  explicit FaultDisk(std::string name);
  ~FaultDisk();
  FaultDisk(const FaultDisk&) = delete;
  FaultDisk& operator=(const FaultDisk&) = delete;

  enum class Fault : unsigned char {
    None,
    NoSpace,    // writes fail, nothing else does
    SyncError,  // syncs fail
    PowerCut,   // nothing reaches the disk any more
  };
  // After `operations` further writes and syncs (0: from the next one on) the disk has this fault for good.
  void fail_after(int operations, Fault fault);
  // The machine is off: of the writes that were not synced each is kept, torn or lost by chance. Call after the store
  // was destroyed, then open the file without this disk.
  void settle(Rng& rng);

  [[nodiscard]] const std::string& name() const { return name_; }
  // Writes and syncs so far.
  [[nodiscard]] int operations() const { return operations_; }

  // For the VFS functions.
  struct Write {
    std::int64_t offset;
    std::string before;  // shorter than `after` where the file ended
    std::string after;
  };
  // Counts one operation and says what happens to it.
  Fault next_operation();
  [[nodiscard]] Fault fault() const { return fault_; }
  std::map<std::string, std::vector<Write>>& unsynced() { return unsynced_; }
  [[nodiscard]] sqlite3_vfs& machine() const { return *machine_; }

 private:
  std::string name_;
  std::unique_ptr<sqlite3_vfs> vfs_;
  sqlite3_vfs* machine_;
  int operations_ = 0;
  int fail_at_ = -1;
  Fault planned_ = Fault::None;
  Fault fault_ = Fault::None;
  std::map<std::string, std::vector<Write>> unsynced_;  // by path, in order
};

}  // namespace slipway::store
