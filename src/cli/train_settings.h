// Settings of a training from elsewhere than flags: a file, and the environment variables of fine-tuning scripts.
#pragma once

#include <string>

#include "cli/session.h"
#include "slipway/base/time.h"

namespace CLI {
class App;
}

namespace slipway::cli {

// Gives every option of `app` that has no value yet the one under its name in `file` (YAML or JSON, a map; dashes and
// underscores are alike). "" or what is wrong, naming file and key.
[[nodiscard]] std::string take_settings_file(CLI::App& app, const std::string& file);

// The same from variables under the names that scripts use, so that a manifest written for one of them runs unchanged;
// docs/trainer.md lists them. With BUCKET_DATA_NAME the data comes from that bucket and the merged model goes there;
// with BUCKET_NAME the run folder does, under a name made of the time. "" or what is wrong, naming the variable.
[[nodiscard]] std::string take_script_variables(CLI::App& app, const Session& session, const Clock& clock);

}  // namespace slipway::cli
