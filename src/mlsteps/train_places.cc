#include "mlsteps/train_places.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "slipway/base/file_uri.h"
#include "slipway/base/rng.h"
#include "slipway/http/message.h"

namespace slipway::mlsteps {
namespace {

namespace fs = std::filesystem;

constexpr const char* kInputs = ".inputs";
constexpr std::string_view kCheckpoint = "checkpoint-";
constexpr std::string_view kMarker = "complete";
// What a training goes on writing, beside its checkpoints.
constexpr std::array kJournals{"metrics.jsonl", "process.log", "tracker.json"};

// Between two tries of a request.
void wait_for(Duration duration) {
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, duration);
}

Result<std::string> local_path(const std::string& place) {
  if (is_file_uri(place)) return path_of_file_uri(place);
  if (place.find("://") == std::string::npos || objects::is_bucket_uri(place)) return place;
  return Error{ErrorCode::Unsupported, place + " is a URI that cannot be read or written here",
               "paths, file://, gs:// and, for a model, hf:// work; `slipway fetch` makes a local copy"};
}

// hf://google/gemma-2-9b-it, and google/gemma-2-9b-it where there is no such folder.
std::optional<objects::HubModel> hub_model(const std::string& place) {
  std::error_code ignored;
  if (!place.starts_with("hf://") && fs::exists(place, ignored)) return std::nullopt;
  return objects::parse_hub_model(place);
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

// The N of "checkpoint-N/…".
std::optional<std::int64_t> step_of(std::string_view name) {
  if (!name.starts_with(kCheckpoint)) return std::nullopt;
  name.remove_prefix(kCheckpoint.size());
  std::int64_t step = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), step);
  if (error != std::errc() || end == name.data() + name.size() || *end != '/') return std::nullopt;
  return step;
}

std::string folder_of(std::int64_t step) { return std::string(kCheckpoint) + std::to_string(step); }

// Of the complete ones among names "checkpoint-N/…"; 0 if there is none.
std::int64_t newest(const std::vector<std::string>& names) {
  std::int64_t last = 0;
  for (const std::string& name : names)
    if (const auto step = step_of(name); step && name == folder_of(*step) + "/" + std::string(kMarker))
      last = std::max(last, *step);
  return last;
}

std::vector<std::string> local_markers(const fs::path& output) {
  std::vector<std::string> names;
  std::error_code failure;
  for (fs::directory_iterator at(output, failure), end; !failure && at != end; at.increment(failure))
    if (fs::exists(at->path() / kMarker, failure))
      names.push_back(at->path().filename().string() + "/" + std::string(kMarker));
  return names;
}

}  // namespace

TrainPlaces::TrainPlaces(const StepIo& io)
    : transport_(http::make_curl_transport()), buckets_(*transport_, {.env = io.env, .wait = wait_for}), env_(io.env) {}

Result<TrainOptions> TrainPlaces::local(TrainOptions options) {
  const bool from_hub = hub_model(options.model).has_value();
  for (auto* place : {&options.model, &options.data, &options.eval_data, &options.output, &options.init_adapter}) {
    if (from_hub && place == &options.model) continue;
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
  SLIPWAY_TRY(hub_model(options.model) ? bring_from_hub(options.model, inputs / "model")
                                       : bring(options.model, inputs / "model"));
  SLIPWAY_TRY(bring(options.data, inputs / "data"));
  SLIPWAY_TRY(bring(options.eval_data, inputs / "eval-data"));
  return bring(options.init_adapter, inputs / "init-adapter");
}

Result<void> TrainPlaces::bring_from_hub(std::string& model, const fs::path& to) {
  const auto brought = objects::download_model(*transport_, *hub_model(model), to, env_, {.wait = wait_for});
  if (!brought && !model.starts_with("hf://"))
    return Error{brought.error().code,
                 "there is no folder " + model + "; as a model of the hub: " + brought.error().message,
                 brought.error().help};
  if (!brought) return brought.error();
  model = to.string();
  return {};
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

Result<TrainPlaces::Remote> TrainPlaces::remote(const TrainOptions& options) {
  SLIPWAY_TRY_ASSIGN(objects::BucketPlace root, objects::parse_bucket_uri(options.upload));
  if (!root.key.empty() && !root.key.ends_with('/')) root.key += '/';
  SLIPWAY_TRY_ASSIGN(auto names, buckets_.list(root));
  for (std::string& name : names) name.erase(0, root.key.size());
  return Remote{std::move(root), std::move(names)};
}

Result<void> TrainPlaces::bring_checkpoint(const TrainOptions& options) {
  if (options.upload.empty() || options.resume == ml::Resume::Never) return {};
  SLIPWAY_TRY_ASSIGN(const Remote there, remote(options));
  const std::int64_t step = newest(there.names);
  const fs::path output = options.output;
  if (step <= newest(local_markers(output))) return {};
  const fs::path partial = output / (".tmp-" + folder_of(step)), whole = output / folder_of(step);
  std::error_code failure;
  fs::remove_all(partial, failure);
  SLIPWAY_TRY(buckets_.download_folder({there.root.bucket, there.root.key + folder_of(step)}, partial));
  for (const char* journal : kJournals)
    if (std::ranges::find(there.names, journal) != there.names.end())
      SLIPWAY_TRY(buckets_.download({there.root.bucket, there.root.key + journal}, output / journal));
  fs::remove_all(whole, failure);
  fs::rename(partial, whole, failure);
  return failure ? Result<void>(errno_error("renaming " + partial.string(), failure.value())) : Result<void>();
}

Result<void> TrainPlaces::send_checkpoint(const TrainOptions& options, std::int64_t step) {
  if (options.upload.empty()) return {};
  const fs::path output = options.output;
  const std::string name = folder_of(step);
  SLIPWAY_TRY_ASSIGN(const Remote there, remote(options));
  std::error_code failure;
  for (const char* journal : kJournals)
    if (fs::exists(output / journal, failure))
      SLIPWAY_TRY(buckets_.upload(output / journal, {there.root.bucket, there.root.key + journal}));
  SLIPWAY_TRY(buckets_.upload_folder(
      output / name, {there.root.bucket, there.root.key + name}, [](const std::string&) { return true; },
      std::string(kMarker)));
  // Markers first, so that a half-removed checkpoint is none.
  std::vector<std::string> gone;
  for (const std::string& object : there.names)
    if (const auto old = step_of(object); old && !fs::exists(output / folder_of(*old), failure)) gone.push_back(object);
  std::ranges::stable_partition(gone, [](const std::string& object) { return object.ends_with(kMarker); });
  for (const std::string& object : gone) SLIPWAY_TRY(buckets_.remove({there.root.bucket, there.root.key + object}));
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
