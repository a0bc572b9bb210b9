// What `fetch` and a task's inputs bring to this machine: files here, from the web, and from buckets.
#pragma once

#include "slipway/base/result.h"
#include "slipway/steps/fetch.h"

namespace slipway::cli {

class Session;

// As steps::fetch, for URIs that begin with http://, https:// and gs://, too. A gs:// URI is an object, or else all
// that is below it. The access to buckets is the environment's, as for training.
[[nodiscard]] Result<steps::FetchReport> bring(const Session& session, const steps::FetchOptions& options);

}  // namespace slipway::cli
