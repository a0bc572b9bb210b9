#include "slipway/exec/local_executor.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "exec/exit_file.h"
#include "exec/limit_groups.h"
#include "exec/process_table.h"
#include "exec/provision.h"
#include "exec/shimd_client.h"
#include "slipway/base/failpoint.h"
#include "slipway/exec/attempt_folder.h"

namespace slipway::exec {
namespace {

constexpr auto kSweepPause = std::chrono::milliseconds(500);

// The parents are there nearly always, and asking for each of them costs as much as making the folder.
Result<void> make_folder(const std::filesystem::path& path) {
  if (::mkdir(path.c_str(), 0777) == 0 || errno == EEXIST) return {};
  std::error_code error;
  std::filesystem::create_directories(path, error);
  return error ? errno_error("folder " + path.string(), error.value()) : Result<void>();
}

// One attempt this executor answers for.
struct Tracked {
  std::optional<LaunchSpec> spec;  // until a shim has answered: it may have to be asked again
  std::optional<ProcessIdentity> identity;
  Fd process;  // pidfd of the shim; empty while it is not known, or while no descriptor is free
  bool service = false;
  bool announced = false;  // Running was reported
  bool waits = false;      // for a slot: nobody was asked yet
  bool in_slot = false;
  int slots = 1;
  bool stop = false;
  bool stop_now = false;
};

struct StopCommand {
  AttemptId id;
  bool now;
};
struct AdoptCommand {
  std::vector<OpenAttempt> attempts;
};
struct ForgetCommand {
  AttemptId id;
};
using Launches = std::vector<LaunchSpec>;
using Command = std::variant<Launches, StopCommand, AdoptCommand, ForgetCommand>;

class LocalExecutor final : public Executor {
 public:
  LocalExecutor(LocalOptions options, ReportSink& sink, const Clock& clock, Logger log, Fd epoll, Fd wake)
      : options_(std::move(options)),
        sink_(sink),
        clock_(clock),
        log_(std::move(log)),
        boot_id_(read_boot_id(options_.boot_id_file)),
        groups_(options_.groups, true),
        shimd_(options_.home, options_.shimd_idle, log_),
        epoll_(std::move(epoll)),
        wake_(std::move(wake)) {
    log_.info("limits of local tasks", {{"by", groups_.support().text}});
    watch_fd(wake_.get());
    thread_ = std::thread([this] { loop(); });
  }
  ~LocalExecutor() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake();
    thread_.join();
  }

  [[nodiscard]] std::string_view name() const override { return "local"; }
  void launch(LaunchSpec spec) override {
    Launches one;
    one.push_back(std::move(spec));
    post(std::move(one));
  }
  void launch_all(Launches specs) override { post(std::move(specs)); }
  void stop(const AttemptId& id, bool now) override { post(StopCommand{id, now}); }
  void adopt(const std::vector<OpenAttempt>& attempts) override { post(AdoptCommand{attempts}); }
  void forget(const AttemptId& id) override { post(ForgetCommand{id}); }

 private:
  // --- any thread
  void post(Command command);
  void wake() const;

  // --- the I/O thread
  void loop();
  bool run_inbox();
  [[nodiscard]] int wait_ms();
  bool watch_fd(int fd) const;
  void run(Launches specs);
  void take(LaunchSpec spec);
  void run(const StopCommand& command);
  void run(const AdoptCommand& command);
  void run(const ForgetCommand& command);

  [[nodiscard]] Result<void> prepare(LaunchSpec& spec) const;
  [[nodiscard]] bool has_room(int slots) const;
  void take_slot(Tracked& tracked);
  void start_waiting();
  void ask(const AttemptId& id);
  void connect_shimd();
  void on_replies();
  void on_reply(const ShimReply& reply);
  void on_shimd_gone();
  void on_process_end(int fd);
  void sweep();

  [[nodiscard]] bool has_folder(const AttemptId& id) const;
  void look(const AttemptId& id);
  // What one thing says about an attempt: it is settled by it, or not, or the thing cannot be looked at now.
  enum class Finding : unsigned char { Settled, Nothing, Unknown };
  [[nodiscard]] Finding report_ending(const AttemptId& id);
  [[nodiscard]] Finding find_shim(const AttemptId& id);
  void watch(const AttemptId& id, ProcessIdentity identity, Instant since);
  void announce(const AttemptId& id, Tracked& tracked, const std::string& identity, Instant since) const;
  void send_stop(const Tracked& tracked) const;
  void report_lost();
  void fail_launch(const AttemptId& id, run::FailureClass failure, const std::string& message);
  void drop(const AttemptId& id);

  const LocalOptions options_;
  ReportSink& sink_;
  const Clock& clock_;
  const Logger log_;
  const std::string boot_id_;
  const LimitGroups groups_;
  ShimdClient shimd_;
  Fd epoll_;
  Fd wake_;
  std::optional<MonoInstant> next_sweep_;  // while some attempt has no descriptor to wait for
  std::map<AttemptId, Tracked> attempts_;
  std::map<int, AttemptId> by_process_;    // pidfd -> attempt
  std::map<AttemptId, std::string> lost_;  // found lost in this step, with why: settled together
  std::deque<AttemptId> waiting_;          // in the order they were launched; may name some that wait no more
  std::map<AttemptId, int> unproved_;      // lost without proof: they may still run, so they keep their slots
  int slots_used_ = 0;                     // by attempts_ and unproved_
  std::mutex mutex_;
  std::vector<Command> inbox_;  // guarded by mutex_
  bool stopping_ = false;       // guarded by mutex_
  std::thread thread_;          // last: starts when everything else is there
};

void LocalExecutor::post(Command command) {
  {
    const std::lock_guard lock(mutex_);
    inbox_.push_back(std::move(command));
  }
  wake();
}

void LocalExecutor::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t done = ::write(wake_.get(), &one, sizeof one);
}

bool LocalExecutor::watch_fd(int fd) const {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

// For ever, if every attempt has a descriptor to wait for; else until the next sweep.
int LocalExecutor::wait_ms() {
  const auto is_watched = [](const auto& attempt) { return attempt.second.process || attempt.second.waits; };
  if (std::all_of(attempts_.begin(), attempts_.end(), is_watched)) {
    next_sweep_.reset();
    return -1;
  }
  const MonoInstant now = clock_.monotonic();
  if (!next_sweep_) next_sweep_ = now + kSweepPause;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next_sweep_ - now).count();
  return static_cast<int>(std::max<std::int64_t>(left, 0));
}

void LocalExecutor::loop() {
  std::array<epoll_event, 64> events;
  while (run_inbox()) {
    report_lost();
    start_waiting();
    const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), wait_ms());
    if (next_sweep_ && clock_.monotonic() >= *next_sweep_) sweep();
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == wake_.get()) continue;
      if (fd == shimd_.connection())
        on_replies();
      else if (fd == shimd_.process())
        on_shimd_gone();
      else
        on_process_end(fd);
    }
  }
}

// False once the executor is being destroyed.
bool LocalExecutor::run_inbox() {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t done = ::read(wake_.get(), &count, sizeof count);
  std::vector<Command> commands;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return false;
    commands.swap(inbox_);
  }
  for (Command& command : commands) std::visit([this](auto& c) { run(std::move(c)); }, command);
  return true;
}

void LocalExecutor::run(Launches specs) {
  for (LaunchSpec& spec : specs) take(std::move(spec));
  start_waiting();
}

void LocalExecutor::take(LaunchSpec spec) {
  const AttemptId id = spec.id;
  if (attempts_.count(id) > 0) return;
  Tracked& tracked = attempts_[id];
  tracked.service = spec.service.has_value();
  tracked.slots = spec.slots;
  if (has_folder(id)) {
    take_slot(tracked);
    return look(id);
  }
  if (const auto prepared = prepare(spec); !prepared) {
    const bool mine = prepared.error().code == ErrorCode::InvalidArgument;
    return fail_launch(id, mine ? run::FailureClass::Config : run::FailureClass::Launch, prepared.error().message);
  }
  tracked.spec = std::move(spec);
  if (tracked.slots == 0) return ask(id);
  tracked.waits = true;
  waiting_.push_back(id);
}

void LocalExecutor::run(const StopCommand& command) {
  const auto it = attempts_.find(command.id);
  if (it == attempts_.end()) return;
  if (it->second.waits && has_folder(command.id)) {
    // Asked for by an earlier daemon, and begun after this one had looked.
    take_slot(it->second);
    it->second.stop = true;
    it->second.stop_now = command.now;
    return look(command.id);
  }
  if (it->second.waits) return fail_launch(command.id, run::FailureClass::External, "it was stopped before it started");
  it->second.stop = true;
  it->second.stop_now = it->second.stop_now || command.now;
  send_stop(it->second);
}

void LocalExecutor::run(const AdoptCommand& command) {
  for (const OpenAttempt& open : command.attempts) {
    Tracked& tracked = attempts_[open.id];
    tracked.announced = false;
    tracked.identity = ProcessIdentity::parse(open.identity);
    tracked.service = open.service;
    tracked.slots = open.slots;
    tracked.stop = open.stop_requested;
    take_slot(tracked);
    look(open.id);
  }
}

void LocalExecutor::run(const ForgetCommand& command) {
  const auto lost = unproved_.find(command.id);
  if (lost != unproved_.end()) {
    slots_used_ -= lost->second;
    unproved_.erase(lost);
  }
  drop(command.id);
}

// --- slots

// What is wider than all slots (there were more when it was committed) runs alone.
bool LocalExecutor::has_room(int slots) const {
  return options_.slots == 0 || slots_used_ == 0 || slots_used_ + slots <= options_.slots;
}

void LocalExecutor::take_slot(Tracked& tracked) {
  tracked.waits = false;
  if (tracked.in_slot) return;
  tracked.in_slot = true;
  slots_used_ += tracked.slots;
}

// In the order of their launches. What an earlier daemon had asked for and nobody saw yet is found by the guard.
void LocalExecutor::start_waiting() {
  for (; !waiting_.empty(); waiting_.pop_front()) {
    const auto it = attempts_.find(waiting_.front());
    if (it == attempts_.end() || !it->second.waits) continue;
    if (!has_room(it->second.slots)) return;
    take_slot(it->second);
    ask(AttemptId(it->first));
  }
}

// Folders, and the part of the environment that only the executor knows.
Result<void> LocalExecutor::prepare(LaunchSpec& spec) const {
  if (spec.argv.empty() || spec.argv.front().empty())
    return Error{ErrorCode::InvalidArgument, "there is no command", {}};
  const auto has_nul = [](const std::string& text) { return text.find('\0') != std::string::npos; };
  for (const auto& argument : spec.argv)
    if (has_nul(argument)) return Error{ErrorCode::InvalidArgument, "an argument contains a NUL byte", {}};
  for (const auto& [name, value] : spec.env)
    if (has_nul(name) || has_nul(value))
      return Error{ErrorCode::InvalidArgument, "environment variable `" + name + "` contains a NUL byte", {}};
  for (const auto& [name, value] : spec.secret_env)
    if (has_nul(name) || has_nul(value.reveal()))
      return Error{ErrorCode::InvalidArgument, "secret `" + name + "` contains a NUL byte", {}};
  const auto folder = attempt_folder(options_.home, spec.id);
  const auto workspace = workspace_folder(options_.home, spec.id.run);
  for (const auto& path : {folder.parent_path(), workspace}) SLIPWAY_TRY(make_folder(path));
  if (spec.workdir.empty()) spec.workdir = workspace.string();
  SLIPWAY_TRY(provide(options_, spec));
  spec.env.try_emplace("SLIPWAY_OUTPUT", (folder / "output.json").string());
  spec.env.try_emplace("SLIPWAY_WORKSPACE", workspace.string());
  spec.env.try_emplace("SLIPWAY_ARTIFACTS", "file://" + artifact_folder(options_.home, spec.id).string());
  spec.env.try_emplace("SLIPWAY_ATTEMPT_ID", spec.id.str());
  for (const auto& [name, value] : spec.secret_env) spec.env.erase(name);
  if (spec.service)
    for (const char* name : {"PORT", "SLIPWAY_PORT"}) spec.env.erase(name);
  return {};
}

// Sends the launch. Sending it twice is safe: the folder is the guard.
void LocalExecutor::ask(const AttemptId& id) {
  const LaunchSpec& spec = *attempts_.at(id).spec;
  const ShimdClient::Settings settings{
      attempt_folder_name(id), options_.log_bytes_max, groups_.plan(id, spec.resources, options_.processes_max),
      account_of(spec), spec.secret_files.empty() ? std::string() : secret_folder(options_, id).string()};
  Result<void> sent;
  reach(Failpoint::ExecAsk, id.str());
  for (int tries = 0; tries < 2; ++tries) {
    connect_shimd();
    sent = shimd_.is_connected()
               ? shimd_.launch(spec, settings)
               : Result<void>(Error{ErrorCode::Unavailable, "slipway-shimd could not be started", {}});
    if (sent) return reach(Failpoint::ExecAsked, id.str());
    if (sent.error().code == ErrorCode::TooLarge)
      return fail_launch(id, run::FailureClass::Config, sent.error().message);
  }
  fail_launch(id, run::FailureClass::Launch, sent.error().message);
}

void LocalExecutor::connect_shimd() {
  if (shimd_.is_connected()) return;
  if (const auto connected = shimd_.connect(); !connected) {
    log_.error(connected.error().message, {{"help", connected.error().help}});
    return;
  }
  watch_fd(shimd_.connection());
  watch_fd(shimd_.process());
}

void LocalExecutor::on_replies() {
  while (const auto reply = shimd_.receive()) on_reply(*reply);
  if (!shimd_.is_connected()) on_shimd_gone();
}

void LocalExecutor::on_reply(const ShimReply& reply) {
  const auto id = attempt_of_folder(reply.folder);
  const auto it = id ? attempts_.find(*id) : attempts_.end();
  if (it == attempts_.end() || it->second.process) return;
  switch (reply.kind) {
    case shim::Kind::Started: return watch(*id, {reply.pid, reply.start_ticks, boot_id_}, reply.at);
    case shim::Kind::Exists: return look(*id);
    case shim::Kind::Failed: return fail_launch(*id, run::FailureClass::Launch, reply.message);
    case shim::Kind::Hello:
    case shim::Kind::Retire:
    case shim::Kind::Launch: return;
  }
}

// Shims need no shimd.
void LocalExecutor::on_shimd_gone() {
  log_.warn("slipway-shimd ended; its tasks go on");
  shimd_.disconnect();
  sweep();
}

void LocalExecutor::on_process_end(int fd) {
  const auto it = by_process_.find(fd);
  if (it == by_process_.end()) return;
  const AttemptId id = it->second;
  by_process_.erase(it);
  attempts_.at(id).process = Fd();
  look(id);
}

// Heals what no event tells: a reply that never came, a descriptor that was not to be had.
void LocalExecutor::sweep() {
  next_sweep_.reset();
  std::vector<AttemptId> unknown;
  for (const auto& [id, tracked] : attempts_)
    if (!tracked.process && !tracked.waits) unknown.push_back(id);
  for (const AttemptId& id : unknown)
    if (attempts_.at(id).spec && !has_folder(id))
      ask(id);
    else
      look(id);
}

bool LocalExecutor::has_folder(const AttemptId& id) const {
  struct stat info {};
  return ::stat(attempt_folder(options_.home, id).c_str(), &info) == 0;
}

// Settles an attempt by what is on the disk and in the process table: ended, running, or lost. What cannot be looked at
// now is looked at again by the next sweep; nothing is concluded from it.
void LocalExecutor::look(const AttemptId& id) {
  for (const auto finding : {&LocalExecutor::report_ending, &LocalExecutor::find_shim,
                             // It may have ended between the two.
                             &LocalExecutor::report_ending})
    if ((this->*finding)(id) != Finding::Nothing) return;
  Tracked& tracked = attempts_.at(id);
  tracked.spec.reset();
  const bool same_boot = !tracked.identity || tracked.identity->boot_id == boot_id_;
  lost_[id] = !same_boot        ? "the machine was restarted while it ran"
              : !has_folder(id) ? "its folder is gone"
                                : "the process that watched it was killed";
}

LocalExecutor::Finding LocalExecutor::report_ending(const AttemptId& id) {
  const auto ending = read_ending(options_.home, id);
  if (!ending) return Finding::Unknown;
  if (!*ending) return Finding::Nothing;
  const Ending& end = **ending;
  if (end.started_at) announce(id, attempts_.at(id), end.process + ":" + boot_id_, *end.started_at);
  drop(id);
  reach(Failpoint::ExecEnded, id.str());
  sink_.on_report(end.report);
  return Finding::Settled;
}

// The shim holds the lock; a recorded identity must be its. Without a folder the identity alone finds it.
LocalExecutor::Finding LocalExecutor::find_shim(const AttemptId& id) {
  const Tracked& tracked = attempts_.at(id);
  const auto lock = attempt_folder(options_.home, id) / "lock";
  const pid_t holder = lock_holder(lock);
  // A shim that has not started the command yet will soon, or will say why not.
  if (holder < 0 || (holder > 0 && lock_holder(lock, shim::kLockStarted) != holder)) return Finding::Unknown;
  ProcessIdentity found{holder, 0, boot_id_};
  if (holder == 0 && tracked.identity && !has_folder(id)) found.pid = tracked.identity->pid;
  if (found.pid <= 0) return Finding::Nothing;
  found.start_ticks = start_ticks_of(found.pid);
  if (found.start_ticks == 0) return holder > 0 ? Finding::Unknown : Finding::Nothing;
  if (tracked.identity && *tracked.identity != found) return Finding::Nothing;
  const Instant since = instant_of_ticks(found.start_ticks, clock_);
  watch(id, std::move(found), since);
  return Finding::Settled;
}

void LocalExecutor::watch(const AttemptId& id, ProcessIdentity identity, Instant since) {
  Tracked& tracked = attempts_.at(id);
  announce(id, tracked, identity.str(), since);
  tracked.spec.reset();
  by_process_.erase(tracked.process.get());
  tracked.process = open_process(identity.pid, identity.start_ticks);
  const bool has_ended = !tracked.process && errno == ESRCH;
  tracked.identity = std::move(identity);
  if (has_ended) return look(id);
  if (tracked.process && !watch_fd(tracked.process.get())) tracked.process = Fd();
  if (!tracked.process) return;
  by_process_[tracked.process.get()] = id;
  send_stop(tracked);
}

void LocalExecutor::announce(const AttemptId& id, Tracked& tracked, const std::string& identity, Instant since) const {
  if (tracked.announced) return;
  tracked.announced = true;
  reach(Failpoint::ExecStarted, id.str());
  sink_.on_report(Running{id, identity, since});
}

void LocalExecutor::send_stop(const Tracked& tracked) const {
  if (!tracked.process || !tracked.stop) return;
  signal_process(tracked.process, tracked.stop_now ? shim::kStopNowSignal : shim::kStopSignal);
}

// A killed shim took its direct child along; what else it had started is ended here, so that the loss is an end. A
// deploy's processes end by themselves when its shim goes, and a promoted revision must not be touched.
void LocalExecutor::report_lost() {
  if (lost_.empty()) return;
  std::set<std::string> to_end;
  for (const auto& [id, why] : lost_)
    if (!attempts_.at(id).service) to_end.insert(id.str());
  const std::set<std::string> left = kill_stragglers(to_end);
  const auto lost = std::exchange(lost_, {});
  for (const auto& [id, why] : lost) {
    std::error_code ignored;
    std::filesystem::remove_all(secret_folder(options_, id), ignored);
    const bool proved = left.count(id.str()) == 0;
    if (const int slots = attempts_.at(id).slots; !proved && unproved_.emplace(id, slots).second) slots_used_ += slots;
    drop(id);
    sink_.on_report(Lost{id, why, proved});
  }
}

void LocalExecutor::fail_launch(const AttemptId& id, run::FailureClass failure, const std::string& message) {
  drop(id);
  sink_.on_report(LaunchFailed{id, failure, message});
}

void LocalExecutor::drop(const AttemptId& id) {
  const auto it = attempts_.find(id);
  if (it == attempts_.end()) return;
  by_process_.erase(it->second.process.get());
  lost_.erase(id);
  if (it->second.in_slot) slots_used_ -= it->second.slots;
  attempts_.erase(it);
}

}  // namespace

Result<std::unique_ptr<Executor>> make_local_executor(LocalOptions options, ReportSink& sink, const Clock& clock,
                                                      Logger log) {
  Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll || !wake) return errno_error("local executor", errno);
  return std::unique_ptr<Executor>(std::make_unique<LocalExecutor>(std::move(options), sink, clock, std::move(log),
                                                                   std::move(epoll), std::move(wake)));
}

}  // namespace slipway::exec
