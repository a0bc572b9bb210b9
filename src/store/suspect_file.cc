#include "slipway/store/suspect_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "slipway/base/failpoint.h"
#include "slipway/base/file.h"
#include "slipway/base/value.h"

namespace slipway::store {

// What lies in the file. A plain layout: the next process may be another build.
struct SuspectFile::Record {
  std::uint32_t thread;  // that works on it
  std::uint32_t signal;  // of which the process died; 0: of none that this thread raised
  std::uint32_t size;
  std::array<char, 244> subject;
};

namespace {

constexpr std::array kFatal{SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
constexpr std::size_t kSignalStack = 64U << 10U;
constexpr std::size_t kFileMax = 1U << 20U;

std::uint32_t this_thread() { return static_cast<std::uint32_t>(::syscall(SYS_gettid)); }

// A signal handler is given nothing, so what it needs is the one global of the program.
struct {
  std::atomic<std::uint32_t*> thread_and_signal{nullptr};
  std::array<struct sigaction, kFatal.size()> before{};
} watched;

// Notes the signal if the thread that works raised it, and lets it take its course. Only async-signal-safe calls.
void on_fatal(int signal) {
  std::uint32_t* noted = watched.thread_and_signal.load();
  if (noted != nullptr && noted[0] == this_thread()) noted[1] = static_cast<std::uint32_t>(signal);
  for (std::size_t i = 0; i < kFatal.size(); ++i)
    if (kFatal[i] == signal) ::sigaction(signal, &watched.before[i], nullptr);
  ::raise(signal);
}

void watch_signals(std::uint32_t* thread_and_signal) {
  watched.thread_and_signal = thread_and_signal;
  struct sigaction action {};
  action.sa_handler = on_fatal;
  action.sa_flags = SA_ONSTACK | SA_NODEFER;  // a stack that overflowed cannot carry its own handler
  for (std::size_t i = 0; i < kFatal.size(); ++i) ::sigaction(kFatal[i], &action, &watched.before[i]);
}

void unwatch_signals() {
  for (std::size_t i = 0; i < kFatal.size(); ++i) ::sigaction(kFatal[i], &watched.before[i], nullptr);
  watched.thread_and_signal = nullptr;
}

struct Abort {
  std::string subject;
  Instant at;
};

struct Quarantine {
  std::vector<Abort> aborts;
  std::vector<SetAside> set_aside;
};

std::filesystem::path file_of(const std::filesystem::path& home) { return home / "quarantine.json"; }

Instant instant_of(const Value& item, std::string_view key) {
  const auto instant = parse_rfc3339(item.get_string(key));
  return instant ? *instant : Instant{};
}

template <class Take>
void for_each(const Value& value, std::string_view key, Take take) {
  const Value* list = value.find(key);
  if (list == nullptr || !list->is_array()) return;
  for (const Value& item : list->as_array()) take(item);
}

Result<Quarantine> read(const std::filesystem::path& home) {
  Quarantine found;
  const auto text = read_whole_file(file_of(home), kFileMax);
  if (!text && text.error().code == ErrorCode::NotFound) return found;
  if (!text) return text.error();
  const auto value = parse_json(*text);
  if (!value) return value.error().in(file_of(home).string());
  for_each(*value, "aborts", [&](const Value& item) {
    found.aborts.push_back({item.get_string("subject"), instant_of(item, "at")});
  });
  for_each(*value, "set_aside", [&](const Value& item) {
    found.set_aside.push_back(
        {item.get_string("subject"), instant_of(item, "at"), static_cast<int>(item.get_int("aborts"))});
  });
  return found;
}

Result<void> write(const std::filesystem::path& home, const Quarantine& quarantine) {
  Value::Array aborts;
  for (const Abort& abort : quarantine.aborts)
    aborts.push_back(Value::Object{{"subject", abort.subject}, {"at", to_rfc3339(abort.at)}});
  Value::Array set_aside;
  for (const SetAside& one : quarantine.set_aside)
    set_aside.push_back(Value::Object{{"subject", one.subject}, {"at", to_rfc3339(one.at)}, {"aborts", one.aborts}});
  const Value value = Value::Object{{"aborts", std::move(aborts)}, {"set_aside", std::move(set_aside)}};
  return write_whole_file(file_of(home), value.dump_pretty() + "\n");
}

// One more process died of it.
void count(Quarantine& quarantine, const std::string& subject, Instant now) {
  std::erase_if(quarantine.aborts, [&](const Abort& abort) { return now - abort.at > kAbortsWithin; });
  quarantine.aborts.push_back({subject, now});
  const auto is_it = [&](const Abort& abort) { return abort.subject == subject; };
  const auto times = std::count_if(quarantine.aborts.begin(), quarantine.aborts.end(), is_it);
  if (times < kAbortsMax) return;
  std::erase_if(quarantine.aborts, is_it);
  quarantine.set_aside.push_back({subject, now, static_cast<int>(times)});
}

}  // namespace

Result<std::unique_ptr<SuspectFile>> SuspectFile::open(const std::filesystem::path& home, Instant now) {
  static_assert(sizeof(Record) == 256);
  const auto path = home / "suspect";
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return errno_error("cannot open " + path.string(), errno);
  // Blocks that are not allocated yet would be a bus error on a full disk.
  const int failed = ::posix_fallocate(file, 0, sizeof(Record));
  void* mapped =
      failed != 0 ? MAP_FAILED : ::mmap(nullptr, sizeof(Record), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  const int problem = failed != 0 ? failed : errno;
  ::close(file);
  if (mapped == MAP_FAILED) return errno_error("cannot map " + path.string(), problem);
  auto* record = static_cast<Record*>(mapped);
  // Neither a file that somebody spoilt nor a full disk may keep the daemon from its work: `doctor` tells.
  Quarantine found = read(home).value_or(Quarantine{});
  if (record->signal != 0 && record->size > 0 && record->size <= record->subject.size()) {
    count(found, std::string(record->subject.data(), record->size), now);
    (void)write(home, found);
  }
  *record = {};
  return std::unique_ptr<SuspectFile>(new SuspectFile(record, std::move(found.set_aside)));
}

SuspectFile::SuspectFile(Record* record, std::vector<SetAside> set_aside)
    : record_(record), set_aside_(std::move(set_aside)) {
  watch_signals(&record_->thread);
}

SuspectFile::~SuspectFile() {
  unwatch_signals();
  ::munmap(record_, sizeof(Record));
}

void SuspectFile::bind_thread() {
  signal_stack_ = std::make_unique<char[]>(kSignalStack);
  const stack_t stack{signal_stack_.get(), 0, kSignalStack};
  ::sigaltstack(&stack, nullptr);
  record_->thread = this_thread();
}

void SuspectFile::work_on(std::string_view subject) {
  if (record_->thread == 0) bind_thread();
  const std::size_t size = std::min(subject.size(), record_->subject.size());
  record_->size = 0;
  std::memcpy(record_->subject.data(), subject.data(), size);
  // The handler runs on this thread: the compiler must not move the size before the text.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  record_->size = static_cast<std::uint32_t>(size);
  if (size > 0) reach(Failpoint::SuspectNamed, subject);
}

bool SuspectFile::is_set_aside(std::string_view subject) const {
  const auto kept = subject.substr(0, record_->subject.size());
  return std::any_of(set_aside_.begin(), set_aside_.end(), [&](const SetAside& one) { return one.subject == kept; });
}

Result<std::vector<SetAside>> read_quarantine(const std::filesystem::path& home) {
  SLIPWAY_TRY_ASSIGN(auto found, read(home));
  return std::move(found.set_aside);
}

Result<SetAside> release_from_quarantine(const std::filesystem::path& home, std::string_view subject) {
  SLIPWAY_TRY_ASSIGN(auto found, read(home));
  const auto is_it = [&](const SetAside& one) {
    return one.subject == subject || one.subject.substr(one.subject.find(' ') + 1) == subject;
  };
  const auto it = std::find_if(found.set_aside.begin(), found.set_aside.end(), is_it);
  if (it == found.set_aside.end())
    return Error{ErrorCode::NotFound, "`" + std::string(subject) + "` is not in quarantine",
                 "`slipway doctor` lists what is"};
  SetAside released = *it;
  found.set_aside.erase(it);
  SLIPWAY_TRY(write(home, found));
  return released;
}

}  // namespace slipway::store
