// Where a training's files are if they are in a bucket: brought before it, sent after it.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "slipway/http/transport.h"
#include "slipway/mlsteps/train.h"
#include "slipway/objects/bucket.h"
#include "slipway/objects/hub.h"

namespace slipway::mlsteps {

class TrainPlaces {
 public:
  explicit TrainPlaces(const StepIo& io);

  // file:// places as paths; a gs:// output as a folder of this machine's temporary ones, which `upload` sends there.
  // What cannot be a place is an error.
  [[nodiscard]] static Result<TrainOptions> local(TrainOptions options);

  // Downloads what of model, data, evaluation data and first adapter is in a bucket, and a model of a hub, to
  // OUTPUT/.inputs, and names it.
  [[nodiscard]] Result<void> bring(TrainOptions& options);

  // The newest checkpoint of `upload`, and what was written up to it, into the output folder, unless that has one as
  // new.
  [[nodiscard]] Result<void> bring_checkpoint(const TrainOptions& options);

  // Sends checkpoint-`step`, its marker last, and removes the checkpoints there that the output folder has no longer.
  [[nodiscard]] Result<void> send_checkpoint(const TrainOptions& options, std::int64_t step);

  // Sends the output folder to `upload`, status.txt last, and if it is a `success` the merged model to `upload_model`,
  // config.json last.
  [[nodiscard]] Result<void> send(const TrainOptions& options, bool success);

 private:
  struct Remote {
    objects::BucketPlace root;       // its key ends in a slash or is empty
    std::vector<std::string> names;  // of the objects below it
  };
  Result<Remote> remote(const TrainOptions& options);
  Result<void> bring_from_hub(std::string& model, const std::filesystem::path& to);
  Result<void> bring(std::string& place, const std::filesystem::path& to);
  Result<void> send(const std::filesystem::path& folder, const std::string& uri, const std::string& last);

  std::unique_ptr<http::Transport> transport_;
  objects::Buckets buckets_;
  std::map<std::string, std::string> env_;
};

}  // namespace slipway::mlsteps
