// From files to active versions. A file that cannot be activated leaves the last good version at work and its errors on
// the DAG's row.
#include <algorithm>
#include <filesystem>
#include <utility>

#include "engine/core.h"
#include "slipway/dag/parse.h"
#include "slipway/dag/zone_data.h"

namespace slipway::engine {
namespace {

std::string render_errors(const Diagnostics& diagnostics, const SourceText& source) {
  std::string text;
  for (const Diagnostic& item : diagnostics.items())
    if (item.severity == Severity::Error) text += (text.empty() ? "" : "\n") + render(item, source);
  return text;
}

bool is_same_rule(const dag::Schedule& a, const dag::Schedule& b) {
  return a.kind == b.kind && a.cron.text == b.cron.text && a.every == b.every && a.zone.name() == b.zone.name();
}

const dag::Schedule* find(const dag::Dag* dag, const std::string& name) {
  if (dag == nullptr) return nullptr;
  const auto found = std::find_if(dag->schedules.begin(), dag->schedules.end(),
                                  [&](const dag::Schedule& schedule) { return schedule.name == name; });
  return found == dag->schedules.end() ? nullptr : &*found;
}

// Where a schedule begins to count. Nothing before the first activation is missed, unless `missed: all` asks for it
// from `start` on; a tick at `start` itself counts.
Instant first_cursor(const dag::Schedule& schedule, Instant now) {
  if (schedule.missed == dag::Missed::All && schedule.start) return *schedule.start - Duration(1);
  return schedule.start && *schedule.start > now ? *schedule.start - Duration(1) : now;
}

bool counts_time(const dag::Schedule& schedule) {
  return schedule.kind == dag::ScheduleKind::Cron || schedule.kind == dag::ScheduleKind::Every;
}

}  // namespace

// What is gone goes first, so that a DAG whose file was renamed is free for its new one.
Result<Reply> Core::run_command(const DagFolder& command) {
  std::string zones = dag::zone_data_stamp();
  const bool new_zones = zones != zones_;
  zones_ = std::move(zones);
  std::set<std::string> listed;
  for (const DagFile& file : command.files) {
    if (file.present) listed.insert(file.file);
    if (!file.present) file_gone(file.file);
  }
  std::vector<std::string> gone;
  for (const auto& [id, row] : rows_)
    if (command.complete && row.present && listed.count(row.file) == 0) gone.push_back(row.file);
  for (const std::string& file : gone) file_gone(file);
  for (const DagFile& file : command.files)
    if (file.present) take_file(file, new_zones);
  return Reply{};
}

// An absolute name stays what it is.
std::string Core::folder_of(const std::string& file) const {
  return (std::filesystem::path(options_.dags) / file).parent_path().string();
}

void Core::take_file(const DagFile& file, bool new_zones) {
  const SourceText source{file.file, file.text};
  const VersionId version = dag::version_of(source, file.beside);
  for (const auto& [id, row] : rows_)
    if (row.file == file.file && row.version == version && row.present && row.error.empty())
      return new_zones ? read_again(row, source, file.beside) : void();
  if (dag::is_manifest(source)) return file_gone(file.file);
  const std::string subject = suspect_file(file.file, version.str());
  if (is_set_aside(subject)) return take_broken(file, set_aside_text(subject));
  work_on(subject);
  auto parsed = dag::parse(source, file.beside);
  if (!parsed.value) return take_broken(file, render_errors(parsed.diagnostics, source));
  const std::string whole = suspect_dag(parsed.value->id.str());
  if (is_set_aside(whole)) return take_broken(file, set_aside_text(whole));
  take_dag(file, version, *std::move(parsed.value));
}

// The same version under new zone data: its next ticks may be others. Cursors stay, so none that fired fires again.
void Core::read_again(const store::DagRow& row, const SourceText& source, const dag::Companions& beside) {
  const auto entry = snapshot_.dags.find(row.id);
  if (entry == snapshot_.dags.end() || !entry->second.dag) return;
  const auto in_a_zone = [](const dag::Schedule& schedule) { return schedule.zone.name() != "UTC"; };
  const auto& schedules = entry->second.dag->schedules;
  if (std::none_of(schedules.begin(), schedules.end(), in_a_zone)) return;
  auto parsed = dag::parse(source, beside);
  if (!parsed.value) return;  // a zone that is gone: what is known of it goes on
  auto shared = placed(*std::move(parsed.value));
  versions_[row.version] = shared;
  entry->second.dag = std::move(shared);
  run::dag_changed(snapshot_, row.id, now_);
  log_.info("DAG read again for new zone data", {{"dag", row.id.str()}});
}

void Core::take_dag(const DagFile& file, const VersionId& version, dag::Dag dag) {
  // A DAG whose file was renamed is the same DAG; two present files with one id are a mistake.
  const auto known = rows_.find(dag.id);
  if (known != rows_.end() && known->second.present && known->second.file != file.file &&
      !known->second.version.empty()) {
    const std::string error = file.file + ": DAG `" + dag.id.str() + "` is defined by " + known->second.file + " too";
    log_.warn("DAG file ignored", {{"error", error}});
    known->second.error = error;
    return save(known->second);
  }
  // The file may have held another DAG before, or errors kept under the file's name.
  for (auto& [id, other] : rows_)
    if (other.file == file.file && id != dag.id && other.present) {
      other.present = false;
      if (snapshot_.dags.count(id) != 0) snapshot_.dags.at(id).present = false;
      save(other);
    }
  const bool is_new = known == rows_.end() || known->second.version.empty();
  store::DagRow& row = rows_[dag.id];
  row.id = dag.id;
  row.version = version;
  row.present = true;
  row.error.clear();
  row.file = file.file;
  if (is_new) row.paused = dag.paused_on_create;
  batch_.versions.push_back({version, dag.id, file.file, file.text, now_, file.beside});
  auto shared = placed(std::move(dag));
  versions_[version] = shared;
  warn_of_pools(*shared);
  activate_version(row, std::move(shared));
  log_.info("DAG activated", {{"dag", row.id.str()}, {"version", version.str().substr(0, 12)}});
}

// Cursors of schedules that are gone are kept: a schedule that comes back must not repeat a tick.
void Core::activate_version(store::DagRow& row, std::shared_ptr<const dag::Dag> dag) {
  run::DagEntry& entry = snapshot_.dags[row.id];
  if (!entry.dag) entry.cursors = row.cursors;
  if (!entry.dag) entry.seen = row.seen;
  for (const dag::Schedule& schedule : dag->schedules) {
    if (schedule.kind == dag::ScheduleKind::Datasets) run::count_from_now(snapshot_, entry, schedule, false);
    if (!counts_time(schedule)) continue;
    const auto cursor = entry.cursors.find(schedule.name);
    const dag::Schedule* before = find(entry.dag.get(), schedule.name);
    if (cursor == entry.cursors.end())
      entry.cursors[schedule.name] = first_cursor(schedule, now_);
    else if (before == nullptr || !is_same_rule(*before, schedule))
      cursor->second = std::max(cursor->second, now_);
  }
  entry.dag = std::move(dag);
  entry.version = row.version;
  entry.folder = folder_of(row.file);
  entry.paused = row.paused;
  entry.present = row.present;
  run::dag_changed(snapshot_, row.id, now_);
  row.cursors = entry.cursors;
  row.seen = entry.seen;
  save(row);
}

void Core::take_broken(const DagFile& file, const std::string& errors) {
  for (auto& [id, row] : rows_) {
    if (row.file != file.file || !row.present) continue;
    if (row.error == errors) return;
    row.error = errors;
    log_.warn("DAG file has errors; its last good version stays active", {{"dag", id.str()}, {"file", file.file}});
    return save(row);
  }
  // Never valid so far: kept under the name of the file, so that the errors can be seen, unless the name is that of
  // another file's DAG.
  const DagId id(std::filesystem::path(file.file).stem().string());
  const auto known = rows_.find(id);
  const bool taken = known != rows_.end() && known->second.file != file.file &&
                     (known->second.present || !known->second.version.empty());
  if (!is_id(id.str()) || taken) {
    log_.warn("DAG file has errors", {{"file", file.file}, {"errors", errors}});
    return;
  }
  store::DagRow& row = rows_[id];
  row.id = id;
  row.file = file.file;
  row.present = true;
  row.error = errors;
  set_present(id, true);
  save(row);
}

void Core::set_present(const DagId& id, bool present) {
  const auto entry = snapshot_.dags.find(id);
  if (entry == snapshot_.dags.end()) return;
  entry->second.present = present;
  run::dag_changed(snapshot_, id, now_);
}

// Runs that exist go on with the version they have.
void Core::file_gone(const std::string& file) {
  for (auto& [id, row] : rows_) {
    if (row.file != file || !row.present) continue;
    row.present = false;
    row.error.clear();
    set_present(id, false);
    log_.info("DAG gone", {{"dag", id.str()}, {"file", file}});
    save(row);
  }
}

}  // namespace slipway::engine
