#include <algorithm>

#include "dag/draft.h"
#include "dag/kinds.h"
#include "dag/params.h"
#include "dag/reader.h"
#include "slipway/base/rng.h"

namespace slipway::dag {
namespace {

using text::Entry;
using text::Node;
using text::NodeKind;

// Midnight, or the instant, that `text` names; a date alone is midnight by the clocks of `zone`.
Result<Instant> read_instant(const std::string& text, const TimeZone& zone) {
  SLIPWAY_TRY_ASSIGN(const Instant given, parse_rfc3339(text));
  if (text.size() > 10) return given;
  Instant instant = given;
  // The offset depends on the instant that is looked for: a second look settles it across a DST change.
  for (int look = 0; look < 2; ++look) {
    std::string local = to_rfc3339(instant, zone);
    local.replace(19, std::string::npos, "Z");
    SLIPWAY_TRY_ASSIGN(const Instant shown, parse_rfc3339(local));
    instant += given - shown;
  }
  return instant;
}

class ScheduleReader {
 public:
  explicit ScheduleReader(Draft& draft) : draft_(draft) {}

  // `node` is a map, or the text of a cron expression.
  void read(const Node& node) {
    Schedule schedule;
    schedule.span = node.span;
    const bool map = node.kind == NodeKind::Map;
    if (map) {
      read_zone(node, schedule);
      read_bounds(node, schedule);
      read_rules(node, schedule);
      read_values(node, schedule);
    }
    if (!read_kind(node, map ? node.find("cron") : &node, schedule)) return;
    check_jitter(node, schedule);
    add(node, std::move(schedule));
  }

 private:
  void report(const Node& node, std::string_view code, const Error& error) {
    draft_.out.error(std::string(code), node.span, error.message, error.help);
  }

  // False where the entry has no time of its own (datasets), or none that can be understood.
  bool read_kind(const Node& node, const Node* cron, Schedule& schedule) {
    const Node* every = node.find("every");
    const Node* datasets = node.find("datasets");
    const int ways = is_written(cron) + is_written(every) + is_written(datasets);
    if (ways != 1) {
      draft_.out.error("bad-schedule", node.span,
                       ways == 0 ? "this entry says no time" : "this entry says more than one time",
                       "give exactly one of cron, every, datasets");
      return false;
    }
    if (is_written(every)) return read_every(*every, schedule);
    return is_written(datasets) ? read_datasets(*datasets, schedule) : read_cron(*cron, schedule);
  }

  bool read_datasets(const Node& node, Schedule& schedule) {
    schedule.kind = ScheduleKind::Datasets;
    for (const Node* uri : read_many(&node)) {
      check_dataset(*uri, draft_.out);
      schedule.datasets.push_back(uri->scalar);
    }
    auto& all = schedule.datasets;
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    if (all.empty())
      draft_.out.error("bad-schedule", node.span, "this entry names no dataset", "write datasets: [s3://bucket/path]");
    return !all.empty();
  }

  bool read_every(const Node& node, Schedule& schedule) {
    schedule.kind = ScheduleKind::Every;
    const auto every = read_duration(&node);
    if (!every) return false;
    schedule.every = *every;
    if (*every < std::chrono::seconds(1)) {
      draft_.out.error("bad-schedule", node.span, "the interval is shorter than a second", "write every: 1s or more");
      return false;
    }
    return true;
  }

  bool read_cron(const Node& node, Schedule& schedule) {
    if (node.kind != NodeKind::Text) return false;
    if (node.scalar == "@once" || node.scalar == "@continuous") {
      schedule.kind = node.scalar == "@once" ? ScheduleKind::Once : ScheduleKind::Continuous;
      return true;
    }
    auto cron = parse_cron(node.scalar);
    if (!cron) {
      report(node, "bad-cron", cron.error());
      return false;
    }
    schedule.cron = *std::move(cron);
    return true;
  }

  void read_zone(const Node& node, Schedule& schedule) {
    const Node* written = node.find("timezone");
    const auto name = read_text(written);
    if (!name) return;
    auto zone = load_time_zone(*name);
    if (zone) {
      schedule.zone = *std::move(zone);
    } else {
      report(*written, "bad-timezone", zone.error());
    }
  }

  void read_bound(const Node* node, const TimeZone& zone, std::optional<Instant>& out) {
    const auto text = read_text(node);
    if (!text) return;
    const auto instant = read_instant(*text, zone);
    if (instant) {
      out = *instant;
    } else {
      report(*node, "bad-date", instant.error());
    }
  }

  void read_bounds(const Node& node, Schedule& schedule) {
    read_bound(node.find("start"), schedule.zone, schedule.start);
    read_bound(node.find("end"), schedule.zone, schedule.end);
    if (schedule.start && schedule.end && *schedule.end < *schedule.start)
      draft_.out.error("bad-schedule", node.find("end")->span, "the end lies before the start, so it never runs",
                       "swap them, or leave one out");
  }

  void read_rules(const Node& node, Schedule& schedule) {
    assign(schedule.name, read_text(node.find("name")));
    schedule.grace = read_duration(node.find("grace"));
    assign(schedule.missed, read_word(node.find("missed"), kMissed));
    assign(schedule.max_missed, read_int(node.find("max_missed")));
    assign(schedule.overlap, read_word(node.find("overlap"), kOverlaps));
    assign(schedule.jitter, read_duration(node.find("jitter")));
    const Node* bound = node.find("max_missed");
    if (is_written(bound) && schedule.missed != Missed::All)
      draft_.out.warning("no-effect", bound->span, "`max_missed` has an effect only with `missed: all`",
                         "remove it, or write missed: all");
  }

  void check_jitter(const Node& node, const Schedule& schedule) {
    const bool follows_itself = schedule.kind == ScheduleKind::Continuous;
    const bool at_once = schedule.kind == ScheduleKind::Once && !schedule.start;
    if (schedule.jitter != Duration(0) && (follows_itself || at_once))
      draft_.out.warning("no-effect", node.find("jitter")->span,
                         "`jitter` has no effect: this entry has no tick by time", "remove it, or give a time");
  }

  void read_values(const Node& node, Schedule& schedule) {
    schedule.params = Value::Object{};
    const Node* params = node.find("params");
    if (!is_written(params) || params->kind != NodeKind::Map) return;
    for (const Entry& entry : params->entries) {
      const auto checked = check_param(draft_.dag, entry.key, text::to_value(entry.value));
      if (!checked) draft_.out.error("bad-param", entry.key_span, checked.error().message, checked.error().help);
      if (checked) schedule.params[entry.key] = *checked;
    }
  }

  void add(const Node& node, Schedule schedule) {
    if (schedule.params.is_null()) schedule.params = Value::Object{};
    if (schedule.name.empty()) schedule.name = default_name(schedule);
    auto& all = draft_.dag.schedules;
    const auto same = std::find_if(all.begin(), all.end(), [&](const Schedule& s) { return s.name == schedule.name; });
    if (same != all.end())
      draft_.out.error("duplicate-schedule", node.span, "two entries have the same name or the same time and zone",
                       "the other is on line " + std::to_string(same->span.line) + "; give each a `name` of its own");
    all.push_back(std::move(schedule));
  }

  // Stays the same while kind, expression and zone do, so that runs keep their schedule when other fields change.
  static std::string default_name(const Schedule& schedule) {
    std::string key = std::to_string(static_cast<int>(schedule.kind)) + "|" + schedule.zone.name() + "|";
    key += schedule.kind == ScheduleKind::Cron ? schedule.cron.text : to_text(schedule.every);
    for (const std::string& uri : schedule.datasets) key += "|" + uri;
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string name = "s";
    for (std::uint64_t hash = stable_hash(key), i = 0; i < 10; ++i, hash >>= 4U) name += kDigits[hash & 15U];
    return name;
  }

  Draft& draft_;
};

}  // namespace

void read_schedules(Draft& draft) {
  ScheduleReader reader(draft);
  const Node* schedule = draft.root.find("schedule");
  const bool list = is_written(schedule) && schedule->kind == NodeKind::List;
  for (const Node* node : read_many(schedule))
    if (node->kind == NodeKind::Map || (!list && node->kind == NodeKind::Text)) reader.read(*node);
}

}  // namespace slipway::dag
