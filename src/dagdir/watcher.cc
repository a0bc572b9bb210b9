#include "slipway/dagdir/watcher.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "slipway/base/fd.h"
#include "slipway/dag/parse.h"
#include "slipway/dag/zone_data.h"

namespace slipway::dagdir {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kBytesMax = 1U << 20U;
constexpr int kQuietRounds = 10;  // in a folder that never rests, files are read every so many times `quiet`
constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_DELETE_SELF;

bool is_dag_name(const fs::path& path) { return path.extension() == ".yaml" || path.extension() == ".yml"; }
bool is_hidden(const fs::path& path) { return path.filename().string().rfind('.', 0) == 0; }

// Follows a link only where it stays inside the folder, so that a DAG file cannot show other files of the machine.
bool stays_inside(const fs::path& path, const fs::path& root) {
  std::error_code error;
  const auto target = fs::canonical(path, error).lexically_relative(root);
  return !error && !target.empty() && *target.begin() != "..";
}

}  // namespace

dag::Companions read_beside(const std::string& folder, const std::string& root, const SourceText& source) {
  dag::Companions found;
  std::error_code error;
  const fs::path top = fs::canonical(root, error);
  for (const std::string& name : dag::companion_names(source)) {
    const fs::path path = fs::path(folder) / name;
    if (!fs::is_regular_file(path, error) || !stays_inside(path, top) || fs::file_size(path, error) > kBytesMax)
      continue;
    std::ifstream in(path, std::ios::binary);
    std::ostringstream bytes;
    bytes << in.rdbuf();
    if (in) found.emplace(name, std::move(bytes).str());
  }
  return found;
}

Result<std::vector<File>> read_folder(const std::string& folder, const Logger& log) {
  std::error_code error;
  const fs::path root = fs::canonical(folder, error);
  if (error) return errno_error("DAG folder " + folder, error.value());
  std::vector<File> files;
  fs::recursive_directory_iterator it(root, fs::directory_options::skip_permission_denied, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    const fs::path& path = it->path();
    if (is_hidden(path)) {
      if (it->is_directory(error)) it.disable_recursion_pending();
      continue;
    }
    if (!is_dag_name(path) || !it->is_regular_file(error) || !stays_inside(path, root)) continue;
    const std::string name = path.lexically_relative(root).string();
    if (it->file_size(error) > kBytesMax) {
      log.warn("DAG file left out: larger than 1 MiB", {{"file", name}});
      continue;
    }
    std::ifstream in(path, std::ios::binary);
    std::ostringstream bytes;
    bytes << in.rdbuf();
    if (!in) continue;  // deleted meanwhile; the next event tells
    SourceText source{name, std::move(bytes).str()};
    if (dag::is_manifest(source)) continue;
    auto beside = read_beside(path.parent_path().string(), root.string(), source);
    files.push_back({name, std::move(source.text), std::move(beside)});
  }
  if (error) return errno_error("reading DAG folder " + folder, error.value());
  std::sort(files.begin(), files.end(), [](const File& a, const File& b) { return a.name < b.name; });
  return files;
}

struct Watcher::Impl {
  WatchOptions options;
  Changed changed;
  Logger log;
  Fd inotify{inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
  Fd stop{eventfd(0, EFD_CLOEXEC)};
  std::vector<File> last;
  std::string zones;  // stamp of the zone data when `last` was told
  bool told = false;
  std::thread thread;

  // Adding a watch twice is harmless: the kernel returns the same one.
  void watch_folders() const {
    std::error_code error;
    inotify_add_watch(inotify.get(), options.folder.c_str(), kEvents);
    fs::recursive_directory_iterator it(options.folder, fs::directory_options::skip_permission_denied, error);
    for (; !error && it != fs::recursive_directory_iterator(); it.increment(error))
      if (it->is_directory(error) && !is_hidden(it->path()))
        inotify_add_watch(inotify.get(), it->path().c_str(), kEvents);
  }

  void scan() {
    watch_folders();
    auto files = read_folder(options.folder, log);
    if (!files) {
      log.error("DAG folder cannot be read; keeping what was read before", {{"error", files.error().message}});
      return;
    }
    // What a file means may have changed with the zones, too.
    std::string zones_now = dag::zone_data_stamp();
    if (told && *files == last && zones_now == zones) return;
    told = true;
    zones = std::move(zones_now);
    last = *files;
    changed(*std::move(files));
  }

  // Reads away what inotify has to say; what changed is found by the scan.
  void drain() const {
    alignas(inotify_event) char buffer[8192];
    while (read(inotify.get(), buffer, sizeof buffer) > 0) {
    }
  }

  // Waits for an event, the rescan or the stop; false on stop.
  bool wait(Duration limit, bool& event) const {
    pollfd descriptors[2] = {{stop.get(), POLLIN, 0}, {inotify.get(), POLLIN, 0}};
    const int ready = poll(descriptors, 2, static_cast<int>(limit.count() / 1000));
    event = ready > 0 && (descriptors[1].revents & POLLIN) != 0;
    return ready < 0 ? errno == EINTR : (descriptors[0].revents & POLLIN) == 0;
  }

  // Writers often touch a file several times: lets them come to rest, but not for ever, because something else in the
  // folder may never rest. False on stop.
  bool settle(bool event) const {
    for (int round = 0; event && round < kQuietRounds; ++round) {
      drain();
      pollfd stopped{stop.get(), POLLIN, 0};
      if (poll(&stopped, 1, static_cast<int>(options.quiet.count() / 1000)) > 0) return false;
      pollfd more{inotify.get(), POLLIN, 0};
      event = poll(&more, 1, 0) > 0;
    }
    return true;
  }

  void loop() {
    bool event = false;
    do {
      if (!settle(event)) return;
      scan();
    } while (wait(options.rescan, event));
  }
};

Watcher::Watcher(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Watcher>> Watcher::start(WatchOptions options, Changed changed, Logger log) {
  std::error_code error;
  if (!fs::is_directory(options.folder, error))
    return Error{ErrorCode::NotFound, "DAG folder " + options.folder + " does not exist",
                 "make it, or choose another with --dags"};
  auto impl = std::make_unique<Impl>();
  impl->options = std::move(options);
  impl->changed = std::move(changed);
  impl->log = std::move(log);
  impl->thread = std::thread([raw = impl.get()] { raw->loop(); });
  return std::unique_ptr<Watcher>(new Watcher(std::move(impl)));
}

Watcher::~Watcher() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(impl_->stop.get(), &one, sizeof one);
  impl_->thread.join();
}

}  // namespace slipway::dagdir
