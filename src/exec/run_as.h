// `run_as`: whom an attempt's processes run as, and what they must be able to reach for it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "slipway/base/ids.h"
#include "slipway/base/result.h"

namespace slipway::exec {

struct Account {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  std::string name;  // empty where the machine knows no such user
  std::string home;

  // "uid:gid:gid,gid", for the shim.
  [[nodiscard]] std::string str() const;
};

// `text` is a user's name, a uid, or uid:gid. InvalidArgument: there is no such user.
[[nodiscard]] Result<Account> find_account(const std::string& text);

// Lets the account reach and write the attempt's workspace and artifacts, which are there. Folders above them become
// passable (0711), and everything else in the home is closed to others first.
[[nodiscard]] Result<void> open_folders(const std::filesystem::path& home, const AttemptId& id, const Account& account);

}  // namespace slipway::exec
