#include "store/fault_vfs.h"

#include <sqlite3.h>

#include <fstream>
#include <new>

namespace slipway::store {
namespace {

// What SQLite sees as its file; the machine's file follows it in memory.
struct File {
  sqlite3_file base;
  FaultDisk* disk;
  std::string* path;  // nullptr for temporary files, which a power cut may keep or lose as it likes
};

File& self(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
sqlite3_file* machine(sqlite3_file* file) { return reinterpret_cast<sqlite3_file*>(&self(file) + 1); }
const sqlite3_io_methods& methods(sqlite3_file* file) { return *machine(file)->pMethods; }

int close_file(sqlite3_file* file) {
  const int code = methods(file).xClose(machine(file));
  delete self(file).path;
  return code;
}

int read_file(sqlite3_file* file, void* data, int size, sqlite3_int64 offset) {
  return methods(file).xRead(machine(file), data, size, offset);
}

// The bytes that stand where `size` bytes at `offset` will be written.
std::string bytes_before(sqlite3_file* file, int size, sqlite3_int64 offset) {
  sqlite3_int64 end = 0;
  methods(file).xFileSize(machine(file), &end);
  std::string before(static_cast<std::size_t>(std::max<sqlite3_int64>(0, std::min<sqlite3_int64>(size, end - offset))),
                     '\0');
  if (!before.empty()) methods(file).xRead(machine(file), before.data(), static_cast<int>(before.size()), offset);
  return before;
}

int write_file(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  FaultDisk& disk = *self(file).disk;
  const auto fault = disk.next_operation();
  if (fault == FaultDisk::Fault::NoSpace) return SQLITE_FULL;
  if (fault == FaultDisk::Fault::PowerCut) return SQLITE_IOERR_WRITE;
  if (self(file).path != nullptr)
    disk.unsynced()[*self(file).path].push_back(
        {offset, bytes_before(file, size, offset),
         std::string(static_cast<const char*>(data), static_cast<std::size_t>(size))});
  return methods(file).xWrite(machine(file), data, size, offset);
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  if (self(file).disk->fault() == FaultDisk::Fault::PowerCut) return SQLITE_IOERR_TRUNCATE;
  return methods(file).xTruncate(machine(file), size);
}

int sync_file(sqlite3_file* file, int flags) {
  FaultDisk& disk = *self(file).disk;
  const auto fault = disk.next_operation();
  if (fault == FaultDisk::Fault::SyncError || fault == FaultDisk::Fault::PowerCut) return SQLITE_IOERR_FSYNC;
  const int code = methods(file).xSync(machine(file), flags);
  if (code == SQLITE_OK && self(file).path != nullptr) disk.unsynced().erase(*self(file).path);
  return code;
}

int file_size(sqlite3_file* file, sqlite3_int64* size) { return methods(file).xFileSize(machine(file), size); }
int lock_file(sqlite3_file* file, int level) { return methods(file).xLock(machine(file), level); }
int unlock_file(sqlite3_file* file, int level) { return methods(file).xUnlock(machine(file), level); }
int check_lock(sqlite3_file* file, int* held) { return methods(file).xCheckReservedLock(machine(file), held); }
int control_file(sqlite3_file* file, int operation, void* argument) {
  return methods(file).xFileControl(machine(file), operation, argument);
}
int sector_size(sqlite3_file* file) { return methods(file).xSectorSize(machine(file)); }
// No promise of the machine's disk is passed on: this one tears and reorders.
int characteristics(sqlite3_file*) { return 0; }
int map_shared(sqlite3_file* file, int page, int size, int extend, void volatile** memory) {
  return methods(file).xShmMap(machine(file), page, size, extend, memory);
}
int lock_shared(sqlite3_file* file, int offset, int count, int flags) {
  return methods(file).xShmLock(machine(file), offset, count, flags);
}
void barrier_shared(sqlite3_file* file) { methods(file).xShmBarrier(machine(file)); }
int unmap_shared(sqlite3_file* file, int remove) { return methods(file).xShmUnmap(machine(file), remove); }

constexpr sqlite3_io_methods kMethods{
    2,           close_file,     read_file,    write_file,   truncate_file, sync_file,       file_size,
    lock_file,   unlock_file,    check_lock,   control_file, sector_size,   characteristics, map_shared,
    lock_shared, barrier_shared, unmap_shared, nullptr,      nullptr};

FaultDisk& disk_of(sqlite3_vfs* vfs) { return *static_cast<FaultDisk*>(vfs->pAppData); }

int open_file(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  FaultDisk& disk = disk_of(vfs);
  new (file) File{{nullptr}, &disk, nullptr};
  const int code = disk.machine().xOpen(&disk.machine(), path, machine(file), flags, out_flags);
  if (code != SQLITE_OK) return code;
  if (path != nullptr) self(file).path = new std::string(path);
  self(file).base.pMethods = &kMethods;
  return SQLITE_OK;
}

int delete_file(sqlite3_vfs* vfs, const char* path, int sync) {
  FaultDisk& disk = disk_of(vfs);
  if (disk.fault() == FaultDisk::Fault::PowerCut) return SQLITE_IOERR_DELETE;
  disk.unsynced().erase(path);
  return disk.machine().xDelete(&disk.machine(), path, sync);
}

// Puts a file back to what was synced, then writes what the disk happened to take.
void settle_file(const std::string& path, const std::vector<FaultDisk::Write>& writes, Rng& rng) {
  constexpr std::size_t kSector = 512;
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  for (auto write = writes.rbegin(); write != writes.rend(); ++write) {
    // Beyond the old end zeros remain, as after a lost write behind a kept change of length.
    std::string before = write->before;
    before.resize(write->after.size(), '\0');
    file.seekp(write->offset).write(before.data(), static_cast<std::streamsize>(before.size()));
  }
  for (const auto& write : writes) {
    const auto fate = rng.below(3);
    const std::size_t sectors = write.after.size() / kSector;
    const std::size_t kept = fate == 0 ? 0 : fate == 1 ? write.after.size() : kSector * rng.below(sectors + 1);
    file.seekp(write.offset).write(write.after.data(), static_cast<std::streamsize>(kept));
  }
}

}  // namespace

FaultDisk::FaultDisk(std::string name)
    : name_(std::move(name)), vfs_(std::make_unique<sqlite3_vfs>()), machine_(sqlite3_vfs_find(nullptr)) {
  *vfs_ = *machine_;
  vfs_->pNext = nullptr;
  vfs_->zName = name_.c_str();
  vfs_->pAppData = this;
  vfs_->szOsFile = static_cast<int>(sizeof(File)) + machine_->szOsFile;
  vfs_->xOpen = open_file;
  vfs_->xDelete = delete_file;
  sqlite3_vfs_register(vfs_.get(), 0);
}

FaultDisk::~FaultDisk() { sqlite3_vfs_unregister(vfs_.get()); }

void FaultDisk::fail_after(int operations, Fault fault) {
  fail_at_ = operations_ + operations;
  planned_ = fault;
}

FaultDisk::Fault FaultDisk::next_operation() {
  if (operations_++ == fail_at_) fault_ = planned_;
  return fault_;
}

void FaultDisk::settle(Rng& rng) {
  for (const auto& [path, writes] : unsynced_) settle_file(path, writes, rng);
  unsynced_.clear();
}

}  // namespace slipway::store
