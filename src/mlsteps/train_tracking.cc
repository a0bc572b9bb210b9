#include "mlsteps/train_tracking.h"

#include "slipway/base/file.h"
#include "slipway/base/file_uri.h"
#include "slipway/base/sha256.h"

namespace slipway::mlsteps {
namespace {

constexpr std::size_t kIdFileBytesMax = 1U << 16U;
constexpr std::size_t kRunIdDigits = 32;
constexpr const char* kIdFile = "tracker.json";

bool is_http(const std::string& place) { return place.starts_with("http://") || place.starts_with("https://"); }

std::string first_of(std::initializer_list<std::string> texts) {
  for (const auto& text : texts)
    if (!text.empty()) return text;
  return {};
}

std::string text_of(const Value& value) { return value.is_string() ? value.as_string() : value.dump(); }

// {"key": "value", …} of the variable MLFLOW_TAGS; anything else is no tag.
std::map<std::string, std::string> tags_of(const std::string& json) {
  std::map<std::string, std::string> tags;
  const auto value = parse_json(json);
  if (!value || !value->is_object()) return tags;
  for (const auto& [key, tag] : value->as_object()) tags.emplace(key, text_of(tag));
  return tags;
}

}  // namespace

Result<std::string> TrainTracking::find_place(const TrainOptions& options, const StepIo& io) {
  if (!options.mlruns.empty()) return options.mlruns;
  if (io.variable("MLFLOW_ENABLE") == "false") return std::string();
  const std::string uri = io.variable("MLFLOW_TRACKING_URI");
  if (!is_file_uri(uri)) return uri;
  auto path = path_of_file_uri(uri);
  if (!path) return path.error().in("MLFLOW_TRACKING_URI");
  return path;
}

TrainTracking::TrainTracking(const TrainOptions& options, std::string place, const StepIo& io, TrackerNote note)
    : options_(options), io_(io), place_(std::move(place)) {
  if (place_.empty()) return;
  if (!is_http(place_)) {
    tracker_ = track_in_folder(place_, std::move(note));
    return;
  }
  tracker_ = track_by_mlflow({.uri = place_,
                              .token = io.variable("MLFLOW_TRACKING_TOKEN"),
                              .user = io.variable("MLFLOW_TRACKING_USERNAME"),
                              .password = io.variable("MLFLOW_TRACKING_PASSWORD"),
                              .spool = std::filesystem::path(options.output) / "mlflow-spool.jsonl"},
                             http::make_curl_transport(), std::move(note));
}

std::filesystem::path TrainTracking::id_file() const { return std::filesystem::path(options_.output) / kIdFile; }

void TrainTracking::start(const Value& record, bool resumed) {
  if (!tracker_) return;
  TrackedRun run;
  run.start = io_.clock.now();
  run.experiment = first_of({options_.experiment, io_.variable("MLFLOW_EXPERIMENT_NAME"), io_.variable("EXPERIMENT"),
                             std::string("Default")});
  const auto folder = std::filesystem::path(options_.output).lexically_normal();
  run.name = first_of({options_.run_name, folder.filename().string(), folder.parent_path().filename().string()});
  run.id = io_.variable("MLFLOW_RUN_ID");
  const auto kept = resumed ? read_whole_file(id_file(), kIdFileBytesMax) : Result<std::string>(Error{});
  const auto file = kept ? parse_json(*kept) : Result<Value>(Error{});
  if (run.id.empty() && file && file->get_string("place") == place_) run.id = remembered_ = file->get_string("run_id");
  run.exists = !run.id.empty();
  if (!run.exists) run.id = sha256_hex(options_.output + to_rfc3339(run.start)).substr(0, kRunIdDigits);
  for (const auto& [key, value] : record.as_object()) run.params.emplace(key, text_of(value));
  run.tags = tags_of(io_.variable("MLFLOW_TAGS"));
  tracker_->start(run);
  started_ = true;
  remember();
}

void TrainTracking::report(const ml::StepReport& report) {
  if (!tracker_) return;
  tracker_->metrics(report.step, io_.clock.now(),
                    {{"loss", report.loss},
                     {"grad_norm", report.grad_norm},
                     {"learning_rate", report.learning_rate},
                     {"epoch", report.epoch},
                     {"tokens_per_second", report.tokens_per_second}});
  remember();
}

void TrainTracking::report(const ml::EvalReport& report) {
  if (!tracker_) return;
  tracker_->metrics(report.step, io_.clock.now(), {{"eval_loss", report.loss}, {"eval_runtime", report.seconds}});
}

void TrainTracking::end(RunStatus status) {
  if (!tracker_ || !started_) return;
  tracker_->end(status, io_.clock.now());
  remember();
}

// A disk that refuses this one refuses the results too, which is told there.
void TrainTracking::remember() {
  const std::string id = tracker_->run_id();
  if (id.empty() || id == remembered_) return;
  const Value file = Value::Object{{"place", place_}, {"run_id", id}};
  if (write_whole_file(id_file(), file.dump() + "\n")) remembered_ = id;
}

}  // namespace slipway::mlsteps
