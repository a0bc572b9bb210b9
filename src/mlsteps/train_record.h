// What a training was: for people (config.json) and for deciding whether a checkpoint belongs to it.
#pragma once

#include "slipway/base/value.h"
#include "slipway/ml/adapter_folder.h"
#include "slipway/ml/compute.h"
#include "slipway/mlsteps/train.h"

namespace slipway::mlsteps {

// Everything that decides the result: settings, adapter shape, and the tokens and labels of the data.
[[nodiscard]] Value training_fingerprint(const TrainOptions& options, const ml::Adapter& adapter,
                                         const ml::Dataset& dataset);

// The fingerprint, where things were, and what computed them.
[[nodiscard]] Value training_record(const TrainOptions& options, const ml::Adapter& adapter, const ml::Dataset& dataset,
                                    const ml::Compute& compute);

}  // namespace slipway::mlsteps
