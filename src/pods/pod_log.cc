#include "pods/pod_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "slipway/base/file.h"
#include "slipway/exec/attempt_folder.h"

namespace slipway::pods {
namespace {

constexpr std::size_t kPartMax = 16U << 10U;  // longer lines are split, as the format says
constexpr std::size_t kReadMax = 1U << 20U;
constexpr std::string_view kDraining = "draining\n";

// Where the last line ends that was written whole: with its last part. What follows comes again.
std::uint64_t whole_lines(const std::filesystem::path& file) {
  constexpr std::size_t kFrame = 11;  // " stdout F " and the line break
  std::uint64_t end = 0;
  for (std::uint64_t at = 0;;) {
    const exec::LogChunk chunk = exec::read_log(file, at, kReadMax);
    if (chunk.lines.empty()) return end;
    for (const exec::LogLine& line : chunk.lines) {
      at += line.time.size() + kFrame + line.text.size();
      if (!line.partial) end = at;
    }
    at = chunk.next;
  }
}

}  // namespace

PodLog::PodLog(std::filesystem::path folder, int fd, std::uint64_t size, std::uint64_t bytes_max)
    : folder_(std::move(folder)), fd_(fd), size_(size), bytes_max_(bytes_max), full_(size >= bytes_max) {}

PodLog::PodLog(PodLog&& other) noexcept
    : folder_(std::move(other.folder_)),
      fd_(std::exchange(other.fd_, -1)),
      size_(other.size_),
      bytes_max_(other.bytes_max_),
      full_(other.full_),
      pending_(std::move(other.pending_)),
      last_stamp_(std::move(other.last_stamp_)) {}

PodLog::~PodLog() {
  if (fd_ >= 0) ::close(fd_);
}

Result<PodLog> PodLog::open(const std::filesystem::path& home, const AttemptId& id, std::uint64_t bytes_max) {
  const auto folder = exec::attempt_folder(home, id);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return errno_error("folder " + folder.string(), error.value());
  std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  const auto file = folder / "log";
  const std::uint64_t size = whole_lines(file);
  const int fd = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return errno_error(file.string(), errno);
  PodLog log(folder, fd, size, bytes_max);
  if (::ftruncate(fd, static_cast<off_t>(size)) != 0) return errno_error(file.string(), errno);
  SLIPWAY_TRY(write_whole_file(folder / "log.state", kDraining));
  return log;
}

// Through the cursor's own eyes, so that what it cuts is cut alike.
kube::LogCursor PodLog::cursor() const {
  kube::LogCursor made;
  kube::LogCursor reader;
  std::string line;
  for (std::uint64_t at = 0;;) {
    const exec::LogChunk chunk = exec::read_log(folder_ / "log", at, kReadMax);
    if (chunk.lines.empty()) return made;
    for (const exec::LogLine& part : chunk.lines) {
      if (part.is_stderr) continue;  // our own words
      if (line.empty()) line = part.time + " ";
      line += part.text;
      if (part.partial) continue;
      reader.take(std::exchange(line, {}) + "\n", [&](const kube::LogLine& stored) { made.stored(stored); });
    }
    at = chunk.next;
  }
}

void PodLog::note(std::string_view text) {
  const std::string stamp = last_stamp_.empty() ? "1970-01-01T00:00:00.000000000Z" : last_stamp_;
  pending_ += stamp + " stderr F slipway: " + std::string(text) + "\n";
}

void PodLog::add(const kube::LogLine& line) {
  if (full_) return;
  last_stamp_ = line.stamp;
  std::string_view rest = line.text;
  std::string bytes;
  do {
    const std::string_view part = rest.substr(0, kPartMax);
    rest.remove_prefix(part.size());
    bytes += std::string(line.stamp) + (rest.empty() && !line.partial ? " stdout F " : " stdout P ");
    bytes += std::string(part) + "\n";
  } while (!rest.empty());
  if (size_ + bytes.size() > bytes_max_) {
    full_ = true;
    return note("the log is longer than " + std::to_string(bytes_max_) + " bytes; the rest is dropped");
  }
  size_ += bytes.size();
  pending_ += bytes;
}

Result<void> PodLog::write() {
  while (!pending_.empty()) {
    const ssize_t written = ::write(fd_, pending_.data(), pending_.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno_error((folder_ / "log").string(), errno);
    pending_.erase(0, static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> PodLog::close(const std::string& why_cut) {
  if (!why_cut.empty()) note("the end of the log is missing: " + why_cut);
  SLIPWAY_TRY(write());
  std::error_code ignored;
  if (why_cut.empty())
    std::filesystem::remove(folder_ / "log.state", ignored);
  else
    SLIPWAY_TRY(write_whole_file(folder_ / "log.state", "truncated: " + why_cut + "\n"));
  return {};
}

}  // namespace slipway::pods
