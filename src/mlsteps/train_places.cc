#include "mlsteps/train_places.h"

#include <condition_variable>
#include <mutex>

#include "slipway/base/rng.h"
#include "slipway/http/message.h"

namespace slipway::mlsteps {
namespace {

namespace fs = std::filesystem;

constexpr const char* kInputs = ".inputs";

// Between two tries of a request.
void wait_for(Duration duration) {
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, duration);
}

// file:///a%20b as the path it means.
Result<std::string> local_path(const std::string& place) {
  constexpr std::string_view kFile = "file://";
  if (place.starts_with(kFile)) return http::percent_decode(std::string_view(place).substr(kFile.size()));
  if (place.find("://") == std::string::npos || objects::is_bucket_uri(place)) return place;
  return Error{ErrorCode::Unsupported, place + " is a URI that cannot be read or written here",
               "paths, file:// and gs:// work; `slipway fetch` makes a local copy"};
}

// The same URI has the same folder, so that a training that was interrupted goes on.
std::string staging_folder(const std::string& uri) {
  std::error_code ignored;
  return (fs::temp_directory_path(ignored) / ("slipway-train-" + std::to_string(stable_hash(uri)))).string();
}

bool ends_as_file(const std::string& key) { return key.ends_with(".jsonl") || key.ends_with(".json"); }

// What a process leaves that concerns nobody else.
bool is_result(const std::string& file) {
  return !file.starts_with(std::string(kInputs) + "/") && !file.starts_with(".tmp-") && !file.ends_with(".partial");
}

}  // namespace

TrainPlaces::TrainPlaces(const StepIo& io)
    : transport_(http::make_curl_transport()), buckets_(*transport_, {.env = io.env, .wait = wait_for}) {}

Result<TrainOptions> TrainPlaces::local(TrainOptions options) {
  for (auto* place : {&options.model, &options.data, &options.eval_data, &options.output, &options.init_adapter}) {
    SLIPWAY_TRY_ASSIGN(*place, local_path(*place));
  }
  for (const auto* place : {&options.upload, &options.upload_model})
    if (!place->empty()) SLIPWAY_TRY(objects::parse_bucket_uri(*place));
  if (!objects::is_bucket_uri(options.output)) return options;
  if (options.upload.empty()) options.upload = options.output;
  options.output = staging_folder(options.output);
  return options;
}

Result<void> TrainPlaces::bring(TrainOptions& options) {
  const fs::path inputs = fs::path(options.output) / kInputs;
  SLIPWAY_TRY(bring(options.model, inputs / "model"));
  SLIPWAY_TRY(bring(options.data, inputs / "data"));
  SLIPWAY_TRY(bring(options.eval_data, inputs / "eval-data"));
  return bring(options.init_adapter, inputs / "init-adapter");
}

Result<void> TrainPlaces::bring(std::string& place, const fs::path& to) {
  if (!objects::is_bucket_uri(place)) return {};
  SLIPWAY_TRY_ASSIGN(const auto object, objects::parse_bucket_uri(place));
  const bool is_file = ends_as_file(object.key);
  const fs::path target = is_file ? to / fs::path(object.key).filename() : to;
  if (is_file) {
    SLIPWAY_TRY(buckets_.download(object, target));
  } else {
    SLIPWAY_TRY(buckets_.download_folder(object, target));
  }
  place = target.string();
  return {};
}

Result<void> TrainPlaces::send(const TrainOptions& options, bool success) {
  if (success && options.merge)
    SLIPWAY_TRY(send(fs::path(options.output) / "final_model", options.upload_model, "config.json"));
  return send(options.output, options.upload, "status.txt");
}

Result<void> TrainPlaces::send(const fs::path& folder, const std::string& uri, const std::string& last) {
  if (uri.empty()) return {};
  SLIPWAY_TRY_ASSIGN(const auto place, objects::parse_bucket_uri(uri));
  SLIPWAY_TRY(buckets_.upload_folder(folder, place, is_result, last));
  return {};
}

}  // namespace slipway::mlsteps
