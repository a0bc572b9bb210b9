// From a `service:` or `apply:` task to the objects that a cluster is asked for; pure.
#pragma once

#include <string_view>
#include <vector>

#include "slipway/base/result.h"
#include "slipway/base/value.h"
#include "slipway/exec/executor.h"
#include "slipway/pods/pod_task.h"

namespace slipway::pods {

// Which attempt asked for an object; on a service's Deployments also on their pods, so that each deploy is a rollout.
inline constexpr std::string_view kRevisionAnnotation = "slipway/revision";

// Every object with its namespace, judged by the policy:
//   given manifests of a service: the task's image and environment put into each Deployment's container (`main`, or the
//     first), its secrets as references;
//   a service without manifests: a Deployment of the command, image and port, and a Service of the same name;
//   `apply`: as they are.
// InvalidArgument or Forbidden: what cannot be had, by object and field.
[[nodiscard]] Result<std::vector<Value>> prepare_objects(const exec::LaunchSpec& spec, const PodDefaults& defaults);

// Of a service's objects: the one that clients talk to, which has the service's port, or else the first. Null: none.
[[nodiscard]] const Value* front_of(const std::vector<Value>& objects, int port);
// The port of that one: the service's, or its first.
[[nodiscard]] int front_port(const Value& front, int port);

}  // namespace slipway::pods
