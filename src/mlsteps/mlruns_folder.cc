#include <fmt/format.h>

#include <fstream>

#include "slipway/base/file.h"
#include "slipway/base/rng.h"
#include "slipway/base/value.h"
#include "slipway/mlsteps/tracker.h"

namespace slipway::mlsteps {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMetaBytesMax = 1U << 20U;
constexpr std::uint64_t kIdLimit = 1'000'000'000'000'000'000ULL;  // MLflow's ids have 18 digits

std::int64_t milliseconds(Instant at) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
}

std::string quoted(const std::string& text) { return Value(text).dump(); }

// mlflow.entities.RunStatus.
int code_of(RunStatus status) {
  switch (status) {
    case RunStatus::Running: return 1;
    case RunStatus::Finished: return 3;
    case RunStatus::Failed: return 4;
    case RunStatus::Killed: return 5;
  }
  return 1;
}

class MlrunsFolder final : public Tracker {
 public:
  MlrunsFolder(fs::path root, TrackerNote note) : root_(std::move(root)), note_(std::move(note)) {}

  void start(const TrackedRun& run) override {
    run_ = run;
    say(begin());
  }

  void metrics(std::int64_t step, Instant at, const std::map<std::string, double>& values) override {
    if (folder_.empty()) return;
    for (const auto& [name, value] : values) {
      std::ofstream file(folder_ / "metrics" / name, std::ios::app);
      file << fmt::format("{} {} {}\n", milliseconds(at), value, step);
      if (!file.flush()) say(Error{ErrorCode::Io, "writing " + (folder_ / "metrics" / name).string() + " failed", {}});
    }
  }

  void end(RunStatus status, Instant at) override {
    if (!folder_.empty()) say(write_meta(status, std::to_string(milliseconds(at))));
  }

  [[nodiscard]] std::string run_id() const override { return run_.id; }

 private:
  // The first problem is told, the others follow from it.
  void say(const Result<void>& done) {
    if (done || said_) return;
    said_ = true;
    note_("the tracking folder is incomplete: " + done.error().message);
  }

  Result<void> begin() {
    SLIPWAY_TRY_ASSIGN(experiment_, experiment());
    folder_ = root_ / experiment_ / run_.id;
    for (const char* name : {"metrics", "params", "tags", "artifacts"}) {
      std::error_code failure;
      fs::create_directories(folder_ / name, failure);
      if (failure) return errno_error("making " + (folder_ / name).string(), failure.value());
    }
    for (const auto& [name, value] : run_.params) SLIPWAY_TRY(write_whole_file(folder_ / "params" / name, value));
    for (const auto& [name, value] : run_.tags) SLIPWAY_TRY(write_whole_file(folder_ / "tags" / name, value));
    SLIPWAY_TRY(write_whole_file(folder_ / "tags" / "mlflow.runName", run_.name));
    return write_meta(RunStatus::Running, "null");
  }

  // The id of the experiment, made if there is none of its name.
  Result<std::string> experiment() const {
    std::error_code ignored;
    const std::string wanted = "\nname: " + quoted(run_.experiment) + "\n", plain = "\nname: " + run_.experiment + "\n";
    for (fs::directory_iterator at(root_, ignored), end; !ignored && at != end; at.increment(ignored)) {
      const auto meta = read_whole_file(at->path() / "meta.yaml", kMetaBytesMax);
      if (meta && (meta->find(wanted) != std::string::npos || meta->find(plain) != std::string::npos))
        return at->path().filename().string();
    }
    const std::string id =
        run_.experiment == "Default" ? "0" : fmt::format("{:018}", stable_hash(run_.experiment) % kIdLimit);
    std::error_code failure;
    fs::create_directories(root_ / id, failure);
    if (failure) return errno_error("making " + (root_ / id).string(), failure.value());
    const auto at = milliseconds(run_.start);
    SLIPWAY_TRY(write_whole_file(
        root_ / id / "meta.yaml",
        fmt::format("artifact_location: {}\ncreation_time: {}\nexperiment_id: '{}'\nlast_update_time: {}\n"
                    "lifecycle_stage: active\nname: {}\n",
                    quoted(uri_of(root_ / id)), at, id, at, quoted(run_.experiment))));
    return id;
  }

  static std::string uri_of(const fs::path& path) {
    std::error_code failure;
    return "file://" + fs::absolute(path, failure).lexically_normal().string();
  }

  Result<void> write_meta(RunStatus status, const std::string& end) const {
    return write_whole_file(
        folder_ / "meta.yaml",
        fmt::format(
            "artifact_uri: {}\nend_time: {}\nentry_point_name: ''\nexperiment_id: '{}'\nlifecycle_stage: active\n"
            "run_id: {}\nrun_name: {}\nrun_uuid: {}\nsource_name: ''\nsource_type: 4\nsource_version: ''\n"
            "start_time: {}\nstatus: {}\ntags: []\nuser_id: slipway\n",
            quoted(uri_of(folder_ / "artifacts")), end, experiment_, run_.id, quoted(run_.name), run_.id,
            milliseconds(run_.start), code_of(status)));
  }

  fs::path root_;
  TrackerNote note_;
  TrackedRun run_;
  std::string experiment_;
  fs::path folder_;  // empty until the run has begun there
  bool said_ = false;
};

}  // namespace

std::unique_ptr<Tracker> track_in_folder(std::filesystem::path root, TrackerNote note) {
  return std::make_unique<MlrunsFolder>(std::move(root), std::move(note));
}

}  // namespace slipway::mlsteps
