// Secrets that a command finds in files: in a folder in memory, which is removed when the command is over.
#pragma once

#include <sys/types.h>

#include <cstddef>

#include "exec/shim_protocol.h"

namespace slipway::exec::shim {

struct SecretFilesRequest {
  const char* folder = nullptr;  // absolute, to be made; nullptr = no files
  const char* names[kSecretFilesMax] = {};
  const char* contents[kSecretFilesMax] = {};
  std::size_t count = 0;
};

// As made.
struct SecretFolder {
  char path[512] = "";
};

// The folder has mode 0700, the files 0400; both belong to `owner` and `group`. False with errno; nothing is left then.
bool make_secret_files(const SecretFilesRequest& request, uid_t owner, gid_t group, SecretFolder& folder);
// With whatever the command put beside them.
void remove_secret_files(SecretFolder& folder);

}  // namespace slipway::exec::shim
