#include <cctz/time_zone.h>
#include <cctz/zone_info_source.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "dag/zone_periods.h"
#include "slipway/base/diagnostics.h"
#include "slipway/base/rng.h"
#include "slipway/dag/zone_data.h"

namespace slipway::dag {

struct TimeZone::Rules {
  std::string name;
  cctz::time_zone zone;
};

namespace {

constexpr const char* kZoneFolder = "/usr/share/zoneinfo";
// Behind it stands the hash of the zone file, so that new data gets a new name in cctz's cache, which is never emptied.
constexpr char kVersionMark = '#';

bool is_zone_name(std::string_view name) {
  const auto allowed = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || std::strchr("_+-/", c) != nullptr;
  };
  return !name.empty() && std::isupper(static_cast<unsigned char>(name.front())) != 0 && name.size() <= 64 &&
         std::all_of(name.begin(), name.end(), [&](char c) { return c != '\0' && allowed(c); });
}

// The bytes of a zone file, or nothing if it is none.
std::string read_zone(std::string_view name) {
  std::ifstream file(std::string(kZoneFolder) + "/" + std::string(name), std::ios::binary);
  std::ostringstream bytes;
  if (file) bytes << file.rdbuf();
  std::string text = std::move(bytes).str();
  return text.starts_with("TZif") ? text : std::string();
}

class MemorySource final : public cctz::ZoneInfoSource {
 public:
  explicit MemorySource(std::string bytes) : bytes_(std::move(bytes)) {}
  std::size_t Read(void* to, std::size_t size) override {
    const std::size_t count = std::min(size, bytes_.size() - at_);
    std::memcpy(to, bytes_.data() + at_, count);
    at_ += count;
    return count;
  }
  int Skip(std::size_t offset) override {
    at_ += std::min(offset, bytes_.size() - at_);
    return 0;
  }

 private:
  std::string bytes_;
  std::size_t at_ = 0;
};

std::unique_ptr<cctz::ZoneInfoSource> open_zone(
    const std::string& name, const std::function<std::unique_ptr<cctz::ZoneInfoSource>(const std::string&)>& fallback) {
  const auto mark = name.find(kVersionMark);
  if (mark == std::string::npos) return fallback(name);
  std::string bytes = read_zone(std::string_view(name).substr(0, mark));
  if (bytes.empty()) return nullptr;
  return std::make_unique<MemorySource>(std::move(bytes));
}

std::vector<std::string> zone_names() {
  namespace fs = std::filesystem;
  std::vector<std::string> names;
  std::error_code error;
  for (fs::recursive_directory_iterator it(kZoneFolder, error), end; !error && it != end; it.increment(error)) {
    std::string name = it->path().lexically_relative(kZoneFolder).string();
    if (is_zone_name(name) && it->is_regular_file(error)) names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

Error unknown_zone(const std::string& name) {
  const std::vector<std::string> names = zone_names();
  Error error{ErrorCode::InvalidArgument, "`" + name + "` is no time zone",
              "write a zone of the IANA database, such as Europe/Paris"};
  if (names.empty()) {
    error.help = "there is no zone data in " + std::string(kZoneFolder) + "; install the package tzdata";
    return error;
  }
  for (const auto& known : names) {
    const auto city = known.rfind('/');
    if (lower(known) == lower(name) || (city != std::string::npos && lower(known.substr(city + 1)) == lower(name))) {
      error.help = "did you mean `" + known + "`?";
      return error;
    }
  }
  // "PST" is one letter from "EST", which would be wrong advice.
  if (name.size() <= 4)
    error.help = "abbreviations are ambiguous; write a place, such as America/Los_Angeles, or UTC";
  else if (const auto close = nearest(name, names))
    error.help = "did you mean `" + *close + "`?";
  return error;
}

SysSeconds from_cctz(cctz::time_point<cctz::seconds> point) { return SysSeconds(point.time_since_epoch()); }

}  // namespace

TimeZone::TimeZone() : rules_(std::make_shared<const Rules>(Rules{"UTC", cctz::utc_time_zone()})) {}
TimeZone::TimeZone(std::shared_ptr<const Rules> rules) : rules_(std::move(rules)) {}
const std::string& TimeZone::name() const { return rules_->name; }

Result<TimeZone> load_time_zone(const std::string& name) {
  if (name == "UTC") return TimeZone();
  const std::string bytes = is_zone_name(name) ? read_zone(name) : std::string();
  if (bytes.empty()) return unknown_zone(name);
  char version[24];
  std::snprintf(version, sizeof version, "%c%016llx", kVersionMark,
                static_cast<unsigned long long>(stable_hash(bytes)));
  TimeZone::Rules rules{name, {}};
  if (!cctz::load_time_zone(name + version, &rules.zone))
    return Error{ErrorCode::Corrupt, "the zone file of `" + name + "` cannot be read", "reinstall the package tzdata"};
  return TimeZone(std::make_shared<const TimeZone::Rules>(std::move(rules)));
}

std::string zone_data_stamp() {
  std::string stamp;
  for (const char* name : {"", "/tzdata.zi"}) {
    struct stat status {};
    if (stat((std::string(kZoneFolder) + name).c_str(), &status) != 0) continue;
    stamp += std::to_string(status.st_dev) + "." + std::to_string(status.st_ino) + "." +
             std::to_string(status.st_mtim.tv_sec) + "." + std::to_string(status.st_mtim.tv_nsec) + ";";
  }
  return stamp;
}

// cctz gives the civil times on both sides of a seam. The offset before it holds since `instant`, the one after it
// until `instant`, so either side tells the seam's instant exactly, whatever the seam skips or repeats.
ZonePeriod period_at(const TimeZone& zone, SysSeconds instant) {
  const cctz::time_zone& rules = zone.rules().zone;
  const cctz::time_point<cctz::seconds> point{instant.time_since_epoch()};
  const auto offset = std::chrono::seconds(rules.lookup(point).offset);
  const auto seam = [&](const cctz::civil_second& civil) {
    return from_cctz(cctz::convert(civil, cctz::utc_time_zone())) - offset;
  };
  ZonePeriod period{kEarliest, kLatest, offset};
  cctz::time_zone::civil_transition transition;
  if (rules.next_transition(point, &transition)) period.end = std::min(kLatest, seam(transition.from));
  if (rules.prev_transition(point + std::chrono::seconds(1), &transition))
    period.begin = std::max(kEarliest, seam(transition.to));
  return period;
}

std::string to_rfc3339(Instant instant, const TimeZone& zone) {
  const auto whole =
      std::clamp(std::chrono::floor<std::chrono::seconds>(instant), kEarliest, kLatest - std::chrono::seconds(1));
  const auto offset = period_at(zone, whole).offset;
  std::string text = slipway::to_rfc3339(instant + offset);
  text.resize(text.ends_with(".000000Z") ? text.size() - 8 : text.size() - 1);
  const auto minutes = std::chrono::abs(std::chrono::round<std::chrono::minutes>(offset)).count();
  char suffix[16];
  std::snprintf(suffix, sizeof suffix, "%c%02d:%02d", offset.count() < 0 ? '-' : '+', static_cast<int>(minutes / 60),
                static_cast<int>(minutes % 60));
  return text + suffix;
}

}  // namespace slipway::dag

// cctz looks zone data up through this variable; its own definition is weak.
namespace cctz_extension {
ZoneInfoSourceFactory zone_info_source_factory = slipway::dag::open_zone;
}
