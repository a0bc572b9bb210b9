// Watches a DAG folder: inotify for speed, a rescan every 30 s for what inotify cannot see (NFS, overflow, a replaced
// mount).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "slipway/base/log.h"
#include "slipway/base/result.h"
#include "slipway/base/time.h"
#include "slipway/dag/parse.h"

namespace slipway::dagdir {

struct File {
  std::string name;  // relative to the folder, e.g. "demo/pipeline.yaml"
  std::string text;
  dag::Companions beside = {};  // what it takes in

  bool operator==(const File&) const = default;
};

// The files that `source` takes in, from `folder`, where it lies. Left out: what cannot be read, leads outside of
// `root`, or is over 1 MiB.
[[nodiscard]] dag::Companions read_beside(const std::string& folder, const std::string& root, const SourceText& source);

// Reads every *.yaml and *.yml below `folder`, sorted by name. Left out: names that begin with a dot, manifests
// (apiVersion and kind), links that lead outside, files over 1 MiB (the limit of the language; logged).
[[nodiscard]] Result<std::vector<File>> read_folder(const std::string& folder, const Logger& log);

struct WatchOptions {
  std::string folder;
  Duration rescan = std::chrono::seconds(30);
  // Writers get this long to finish before files are read; where something is written all the time, ten times as long.
  Duration quiet = std::chrono::milliseconds(50);
};

// Calls `changed` on its own thread with the whole folder: once at the start, and whenever any file differs from the
// last call, or the zone data of the machine does.
class Watcher {
 public:
  using Changed = std::function<void(std::vector<File>)>;

  // NotFound if the folder does not exist.
  [[nodiscard]] static Result<std::unique_ptr<Watcher>> start(WatchOptions options, Changed changed, Logger log);
  ~Watcher();

 private:
  struct Impl;
  explicit Watcher(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway::dagdir
