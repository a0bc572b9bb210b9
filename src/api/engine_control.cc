#include <memory>

#include "slipway/api/api.h"

namespace slipway::api {
namespace {

class EngineControl final : public Control {
 public:
  explicit EngineControl(engine::Engine& engine) : engine_(engine) {}

  Result<engine::Reply> call(engine::Command command, engine::Origin origin) override {
    return engine_.call(std::move(command), kTimeout, std::move(origin));
  }
  Result<std::vector<engine::PoolUse>> pools() override { return engine_.pools(kTimeout); }
  Result<std::string> why(const RunId& run, const TaskKey& key) override { return engine_.why(run, key, kTimeout); }

 private:
  static constexpr Duration kTimeout = std::chrono::seconds(10);

  engine::Engine& engine_;
};

}  // namespace

http::Handler make_handler(Deps deps) {
  auto control = std::make_shared<EngineControl>(deps.engine);
  auto handler = make_handler(Backend{.control = *control,
                                      .store = deps.store,
                                      .vault = deps.vault,
                                      .clock = deps.clock,
                                      .events = deps.events,
                                      .log = std::move(deps.log),
                                      .home = std::move(deps.home),
                                      .version = std::move(deps.version),
                                      .stop_service = std::move(deps.stop_service),
                                      .retention = deps.retention,
                                      .trouble = std::move(deps.trouble),
                                      .hosts = std::move(deps.hosts),
                                      .remote_service = std::move(deps.remote_service)});
  return [control, handler = std::move(handler)](const http::Request& request) { return handler(request); };
}

}  // namespace slipway::api
