#include "slipway/steps/fetch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>
#include <vector>

#include "slipway/base/fd.h"
#include "slipway/base/file.h"
#include "slipway/base/file_uri.h"

namespace slipway::steps {
namespace {

namespace fs = std::filesystem;

// "" for a plain path, else what stands before "://".
std::string_view scheme_of(std::string_view uri) {
  const std::size_t colon = uri.find("://");
  return colon == std::string_view::npos || uri.substr(0, colon).find('/') != std::string_view::npos
             ? ""
             : uri.substr(0, colon);
}

Result<fs::path> local_path(const std::string& uri) {
  const std::string_view scheme = scheme_of(uri);
  if (scheme.empty()) return fs::path(uri);
  if (scheme != "file")
    return Error{ErrorCode::Unsupported,
                 fmt::format("`{}` cannot be fetched: the scheme {}:// is not supported", uri, scheme),
                 "plain paths, file://, http://, https:// and gs:// work; copy the data to such a place"};
  SLIPWAY_TRY_ASSIGN(std::string path, path_of_file_uri(uri));
  return fs::path(std::move(path));
}

Result<std::int64_t> copy_bytes(int from, int to, const std::string& what) {
  std::vector<char> buffer(std::size_t{1} << 20U);
  for (std::int64_t total = 0;;) {
    const ssize_t got = ::read(from, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error("reading " + what, errno);
    if (got == 0) return total;
    for (ssize_t done = 0; done < got;) {
      const ssize_t n = ::write(to, buffer.data() + done, static_cast<std::size_t>(got - done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno_error("writing the copy of " + what, errno);
      done += n;
    }
    total += got;
  }
}

// Through FILE.partial, so that the name never stands for half a file.
Result<std::int64_t> copy_whole(const fs::path& from, const fs::path& to) {
  const Fd in(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (in.get() < 0) return errno_error(from.string(), errno);
  const fs::path partial = to.string() + ".partial";
  const Fd out(::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (out.get() < 0) return errno_error(partial.string(), errno);
  auto copied = copy_bytes(in.get(), out.get(), from.string());
  int error = copied && ::fsync(out.get()) != 0 ? errno : 0;
  if (copied && error == 0 && std::rename(partial.c_str(), to.c_str()) != 0) error = errno;
  if (!copied || error != 0) ::unlink(partial.c_str());
  if (error != 0) return errno_error("writing " + to.string(), error);
  return copied;
}

Result<void> make_folder(const fs::path& folder) {
  std::error_code error;
  if (!folder.empty()) fs::create_directories(folder, error);
  if (error) return errno_error("creating " + folder.string(), error.value());
  return {};
}

Result<void> add_file(const fs::path& from, const fs::path& to, FetchReport& report) {
  SLIPWAY_TRY(make_folder(to.parent_path()));
  SLIPWAY_TRY_ASSIGN(const std::int64_t bytes, copy_whole(from, to));
  ++report.files;
  report.byte_count += bytes;
  return sync_to_disk(to.has_parent_path() ? to.parent_path() : fs::path("."));
}

Result<void> add_folder(const fs::path& from, const fs::path& to, FetchReport& report) {
  SLIPWAY_TRY(make_folder(to));
  std::error_code error;
  std::vector<fs::path> entries;  // listed first: `to` may lie inside `from`
  for (auto it = fs::directory_iterator(from, error); !error && it != fs::directory_iterator(); it.increment(error))
    entries.push_back(it->path());
  if (error) return errno_error("listing " + from.string(), error.value());
  std::sort(entries.begin(), entries.end());
  for (const fs::path& entry : entries) {
    const fs::path target = to / entry.filename();
    if (fs::is_directory(entry, error)) {
      SLIPWAY_TRY(add_folder(entry, target, report));
    } else if (fs::is_regular_file(entry, error)) {
      SLIPWAY_TRY(add_file(entry, target, report));
    } else {
      return Error{ErrorCode::InvalidArgument, fmt::format("{} is neither a file nor a folder", entry.string()),
                   "remove it, or fetch the files one by one"};
    }
  }
  return {};
}

bool lies_inside(const fs::path& path, const fs::path& folder) {
  std::error_code error;
  const fs::path inner = fs::weakly_canonical(path, error);
  const fs::path outer = fs::canonical(folder, error);
  const auto [end, ignored] = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
  return !error && end == outer.end();
}

}  // namespace

Value to_value(const FetchReport& report) {
  return Value::Object{{"files", report.files}, {"bytes", report.byte_count}, {"path", report.path.string()}};
}

Result<FetchReport> fetch(const FetchOptions& options) {
  SLIPWAY_TRY_ASSIGN(const fs::path from, local_path(options.uri));
  if (from.empty() || options.destination.empty())
    return Error{ErrorCode::InvalidArgument, "a source and a destination are needed", "slipway fetch URI DESTINATION"};
  std::error_code error;
  const auto status = fs::status(from, error);
  if (!fs::exists(status)) return errno_error(from.string(), error ? error.value() : ENOENT);
  FetchReport report;
  report.path = options.destination;
  if (fs::is_directory(status)) {
    if (lies_inside(options.destination, from))
      return Error{ErrorCode::InvalidArgument,
                   fmt::format("{} lies inside {}", options.destination.string(), from.string()),
                   "choose another destination"};
    SLIPWAY_TRY(add_folder(from, options.destination, report));
    return report;
  }
  if (!fs::is_regular_file(status))
    return Error{ErrorCode::InvalidArgument, fmt::format("{} is neither a file nor a folder", from.string()), {}};
  if (!options.destination.has_filename() || fs::is_directory(options.destination, error))
    report.path = options.destination / from.filename();
  if (fs::equivalent(from, report.path, error))
    return Error{ErrorCode::InvalidArgument, fmt::format("{} would be copied onto itself", from.string()), {}};
  SLIPWAY_TRY(add_file(from, report.path, report));
  return report;
}

}  // namespace slipway::steps
