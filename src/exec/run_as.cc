#include "exec/run_as.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <system_error>

#include "slipway/exec/attempt_folder.h"

namespace slipway::exec {
namespace {

constexpr std::size_t kGroupsMax = 64;
constexpr std::array<std::string_view, 3> kShared{"attempts", "workspace", "artifacts"};

std::optional<unsigned> number(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value == ~0U) return std::nullopt;
  return value;
}

Account from_entry(const passwd& entry) {
  Account account{entry.pw_uid, entry.pw_gid, {}, entry.pw_name, entry.pw_dir};
  int count = kGroupsMax;
  account.groups.resize(kGroupsMax);
  if (::getgrouplist(entry.pw_name, entry.pw_gid, account.groups.data(), &count) < 0) count = kGroupsMax;
  account.groups.resize(static_cast<std::size_t>(count));
  return account;
}

std::optional<Account> known_account(const std::string& text) {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 16384> room;
  const auto uid = number(text);
  if (uid)
    ::getpwuid_r(*uid, &entry, room.data(), room.size(), &found);
  else
    ::getpwnam_r(text.c_str(), &entry, room.data(), room.size(), &found);
  return found == nullptr ? std::nullopt : std::optional(from_entry(*found));
}

Result<void> set_mode(const std::filesystem::path& path, mode_t mode) {
  return ::chmod(path.c_str(), mode) == 0 ? Result<void>() : Result<void>(errno_error(path.string(), errno));
}

// Databases, keys and logs lie beside the shared folders; a name that is known would be enough to open them.
Result<void> close_home(const std::filesystem::path& home) {
  std::error_code error;
  for (std::filesystem::directory_iterator it(home, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    struct stat info {};
    if (std::find(kShared.begin(), kShared.end(), name) != kShared.end() || ::lstat(it->path().c_str(), &info) != 0)
      continue;
    if (!S_ISLNK(info.st_mode) && (info.st_mode & 077) != 0) SLIPWAY_TRY(set_mode(it->path(), info.st_mode & 07700));
  }
  if (error) return errno_error(home.string(), error.value());
  return set_mode(home, 0711);
}

// Every folder from below the home down to `path`, but not `path` itself.
Result<void> make_passable(const std::filesystem::path& home, const std::filesystem::path& path) {
  for (auto folder = path.parent_path(); folder != home && folder.has_relative_path(); folder = folder.parent_path())
    SLIPWAY_TRY(set_mode(folder, 0711));
  return {};
}

// What another user of the same run was given already stays his.
Result<void> give(const std::filesystem::path& folder, const Account& account) {
  struct stat info {};
  if (::lstat(folder.c_str(), &info) != 0) return errno_error(folder.string(), errno);
  if (!S_ISDIR(info.st_mode) || info.st_uid != 0) return {};
  if (::lchown(folder.c_str(), account.uid, account.gid) != 0) return errno_error(folder.string(), errno);
  return set_mode(folder, 0700);
}

}  // namespace

std::string Account::str() const {
  std::string text = std::to_string(uid) + ":" + std::to_string(gid) + ":";
  for (const gid_t group : groups) text += (text.back() == ':' ? "" : ",") + std::to_string(group);
  return text;
}

Result<Account> find_account(const std::string& text) {
  if (auto known = known_account(text)) return *std::move(known);
  const auto colon = text.find(':');
  const auto uid = number(std::string_view(text).substr(0, colon));
  const auto gid = colon == std::string::npos ? std::nullopt : number(std::string_view(text).substr(colon + 1));
  if (uid && gid) return Account{*uid, *gid, {*gid}, {}, {}};
  return Error{ErrorCode::InvalidArgument, "run_as: there is no user `" + text + "` on this machine",
               "write a user's name, a uid, or uid:gid"};
}

Result<void> open_folders(const std::filesystem::path& home, const AttemptId& id, const Account& account) {
  SLIPWAY_TRY(close_home(home));
  const auto workspace = workspace_folder(home, id.run);
  const auto artifacts = artifact_folder(home, id);
  // Others make it when they have something to leave; he could not.
  std::error_code error;
  std::filesystem::create_directories(artifacts, error);
  if (error) return errno_error(artifacts.string(), error.value());
  for (const auto& path : {workspace, artifacts, attempt_folder(home, id)}) SLIPWAY_TRY(make_passable(home, path));
  SLIPWAY_TRY(give(workspace, account));
  return give(artifacts, account);
}

}  // namespace slipway::exec
