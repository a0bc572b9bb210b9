#include "exec/shimd/secret_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exec/shimd/system.h"

namespace slipway::exec::shim {
namespace {

bool write_secret(int folder, const char* name, const char* content, uid_t owner, gid_t group) {
  const int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
  if (fd < 0) return false;
  const bool done = write_all(fd, content, strlen(content)) && (owner == geteuid() || fchown(fd, owner, group) == 0);
  const int why = errno;
  close(fd);
  errno = why;
  return done;
}

bool fill(const SecretFilesRequest& request, const char* path, uid_t owner, gid_t group) {
  const int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (folder < 0) return false;
  bool done = true;
  for (std::size_t i = 0; done && i < request.count; ++i)
    done = write_secret(folder, request.names[i], request.contents[i], owner, group);
  // Given away last: until then nobody else can put anything into it.
  done = done && (owner == geteuid() || fchown(folder, owner, group) == 0);
  const int why = errno;
  close(folder);
  errno = why;
  return done;
}

}  // namespace

bool make_secret_files(const SecretFilesRequest& request, uid_t owner, gid_t group, SecretFolder& folder) {
  if (request.folder == nullptr) return true;
  if (mkdir(request.folder, 0700) != 0) return false;
  snprintf(folder.path, sizeof folder.path, "%s", request.folder);
  if (fill(request, folder.path, owner, group)) return true;
  const int why = errno;
  remove_secret_files(folder);
  errno = why;
  return false;
}

void remove_secret_files(SecretFolder& folder) {
  if (folder.path[0] == '\0') return;
  const int fd = open(folder.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR* const entries = fd < 0 ? nullptr : fdopendir(fd);
  if (entries != nullptr) {
    while (const dirent* entry = readdir(entries)) unlinkat(fd, entry->d_name, 0);
    closedir(entries);
  }
  rmdir(folder.path);
  folder.path[0] = '\0';
}

}  // namespace slipway::exec::shim
