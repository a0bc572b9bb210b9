// The post office of a daemon: targets of the config, secrets of the vault, and the courier between them.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "cli/config.h"
#include "slipway/base/log.h"
#include "slipway/engine/engine.h"

namespace slipway::cli {

class Post final : public engine::NoticeCarrier {
 public:
  using OpenSecret = std::function<Result<Secret>(const std::string& name)>;
  // `open_secret` and `done` are called on the courier's thread; all references must outlive this.
  Post(std::map<std::string, NotifyTarget, std::less<>> targets, OpenSecret open_secret, const Clock& clock,
       const Logger& log, std::function<void(std::string id)> done);
  ~Post() override;

  void deliver(run::Notice notice) override;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace slipway::cli
