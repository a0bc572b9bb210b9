#include "exec/provision.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "exec/run_as.h"
#include "exec/shim_protocol.h"

namespace slipway::exec {
namespace {

Result<void> provide_account(const LocalOptions& options, LaunchSpec& spec) {
  if (::geteuid() != 0)
    return Error{ErrorCode::InvalidArgument,
                 "run_as: the daemon is not root, so it cannot start a process as `" + spec.run_as + "`",
                 "remove `run_as`, or start the daemon as root"};
  SLIPWAY_TRY_ASSIGN(const Account account, find_account(spec.run_as));
  SLIPWAY_TRY(open_folders(options.home, spec.id, account));
  // The daemon's own would lead a program to files it may not read.
  if (!account.name.empty()) spec.env["USER"] = spec.env["LOGNAME"] = account.name;
  spec.env["HOME"] = account.home.empty() ? "/" : account.home;
  return {};
}

Result<void> provide_secrets(const LocalOptions& options, LaunchSpec& spec) {
  if (spec.secret_files.size() > shim::kSecretFilesMax)
    return Error{ErrorCode::InvalidArgument,
                 "a task can have " + std::to_string(shim::kSecretFilesMax) + " secrets as files, this one has " +
                     std::to_string(spec.secret_files.size()),
                 {}};
  struct stat info {};
  if (::stat(options.secrets.c_str(), &info) != 0)
    return Error{ErrorCode::InvalidArgument,
                 "secrets as files need the folder " + options.secrets.string() + ", which is not there",
                 "give them as variables"};
  const auto folder = secret_folder(options, spec.id);
  for (const auto& [name, secret] : spec.secret_files) {
    if (secret.content.reveal().find('\0') != std::string::npos)
      return Error{ErrorCode::InvalidArgument, "secret `" + name + "` contains a NUL byte", {}};
    spec.env[name + "_FILE"] = (folder / secret.file).string();
  }
  return {};
}

}  // namespace

std::filesystem::path secret_folder(const LocalOptions& options, const AttemptId& id) {
  std::string name = "slipway-" + id.str();
  std::replace(name.begin(), name.end(), '/', '.');
  return options.secrets / name;
}

Result<void> provide(const LocalOptions& options, LaunchSpec& spec) {
  if (!spec.run_as.empty()) SLIPWAY_TRY(provide_account(options, spec));
  if (!spec.secret_files.empty()) SLIPWAY_TRY(provide_secrets(options, spec));
  return {};
}

std::string account_of(const LaunchSpec& spec) {
  if (spec.run_as.empty()) return {};
  const auto account = find_account(spec.run_as);
  // Gone since it was looked up: nobody, so that nothing runs as root by accident.
  return account ? account->str() : "65534:65534:65534";
}

}  // namespace slipway::exec
