#include "cli/bring.h"

#include <condition_variable>
#include <mutex>

#include "cli/session.h"
#include "slipway/http/transport.h"
#include "slipway/objects/bucket.h"
#include "slipway/objects/web_file.h"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;

// Between two tries of a request.
void wait_for(Duration duration) {
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, duration);
}

// A file goes into a folder under its own name.
fs::path file_at(const fs::path& destination, const std::string& name) {
  std::error_code ignored;
  return !destination.has_filename() || fs::is_directory(destination, ignored) ? destination / name : destination;
}

// What is at `path` now.
Result<steps::FetchReport> report_of(const fs::path& path) {
  steps::FetchReport report{.path = path};
  std::error_code failure;
  const auto count = [&](const fs::path& file) {
    if (!fs::is_regular_file(file, failure)) return;
    ++report.files;
    report.byte_count += static_cast<std::int64_t>(fs::file_size(file, failure));
  };
  if (fs::is_directory(path, failure)) {
    for (fs::recursive_directory_iterator at(path, failure), end; !failure && at != end; at.increment(failure))
      count(at->path());
  } else {
    count(path);
  }
  if (failure) return errno_error(path.string(), failure.value());
  return report;
}

Result<steps::FetchReport> from_web(const steps::FetchOptions& options) {
  const auto transport = http::make_curl_transport();
  const fs::path file = file_at(options.destination, objects::web_file_name(options.uri));
  SLIPWAY_TRY_ASSIGN(const std::int64_t bytes,
                     objects::download_url(*transport, options.uri, file, {.wait = wait_for}));
  return steps::FetchReport{.files = 1, .byte_count = bytes, .path = file};
}

Result<steps::FetchReport> from_bucket(const Session& session, const steps::FetchOptions& options) {
  const auto transport = http::make_curl_transport();
  objects::Buckets buckets(*transport, {.env = session.env, .wait = wait_for});
  SLIPWAY_TRY_ASSIGN(const auto place, objects::parse_bucket_uri(options.uri));
  const fs::path name = fs::path(place.key).filename();
  if (!name.empty()) {
    const fs::path file = file_at(options.destination, name.string());
    const auto one = buckets.download(place, file);
    if (one) return report_of(file);
    if (one.error().code != ErrorCode::NotFound) return one.error();
  }
  SLIPWAY_TRY(buckets.download_folder(place, options.destination));
  return report_of(options.destination);
}

}  // namespace

Result<steps::FetchReport> bring(const Session& session, const steps::FetchOptions& options) {
  const bool web = objects::is_web_url(options.uri), bucket = objects::is_bucket_uri(options.uri);
  if ((!web && !bucket) || options.destination.empty()) return steps::fetch(options);
  return web ? from_web(options) : from_bucket(session, options);
}

}  // namespace slipway::cli
