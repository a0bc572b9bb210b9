# shellcheck shell=bash disable=SC2034  # sourced; the names are used by whoever sources it
# Settings and helpers of the cluster's scripts. Every name here can be set from outside.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${KUBE_VERSION:=$(sed -n 's/^\tk8s.io\/kubernetes \(v[0-9.]*\)$/\1/p' "$here/tools/go.mod")}"
: "${CLUSTER_HOME:=${XDG_CACHE_HOME:-$HOME/.cache}/slipway/cluster}"
: "${CLUSTER_BUILD:=$CLUSTER_HOME/$KUBE_VERSION}"   # what build.sh makes, shared by every checkout
: "${CLUSTER_NAME:=default}"                        # several clusters may run side by side
: "${CLUSTER_RUN:=$CLUSTER_HOME/run/$CLUSTER_NAME}" # one running cluster
: "${CLUSTER_LEVEL:=node}"                          # api, control or node
# 1: network, mount and process namespaces of its own, which needs root; 0: free loopback ports of this machine.
: "${CLUSTER_ISOLATED:=$([ "$CLUSTER_LEVEL" = node ] && echo 1 || echo 0)}"
: "${CNI_BIN:=/usr/lib/cni}"
: "${NODE_NAME:=node-1}" "${NODE_IP:=10.250.0.2}" "${POD_CIDR:=10.244.0.0/24}"
: "${SERVICE_CIDR:=10.96.0.0/16}" "${SERVICE_IP:=10.96.0.1}"

bin=$CLUSTER_BUILD/bin run=$CLUSTER_RUN cgroup=slipway-cluster-$CLUSTER_NAME
settings=(KUBE_VERSION CLUSTER_HOME CLUSTER_BUILD CLUSTER_NAME CLUSTER_RUN CLUSTER_LEVEL CLUSTER_ISOLATED CNI_BIN
  NODE_NAME NODE_IP POD_CIDR SERVICE_CIDR SERVICE_IP)
ports=(STORE_PORT STORE_PEER_PORT API_PORT CONTROLLER_PORT SCHEDULER_PORT)
# A cluster that runs knows its own settings better than whoever asks for it.
# shellcheck source=/dev/null
[ ! -f "$run/settings" ] || . "$run/settings"
export "${settings[@]}"

say() { printf '%s\n' "$*" >&2; }
die() { say "$(basename "$0"): $*"; exit 1; }

# until_true SECONDS COMMAND...: polls; false once the time is over.
until_true() {
  local tries=$(($1 * 10))
  shift
  while ((tries-- > 0)); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    sleep 0.1
  done
  return 1
}

# inside COMMAND...: in all namespaces of the cluster; on the machine itself when it has none of its own.
inside() {
  if [ "$CLUSTER_ISOLATED" = 1 ]; then
    nsenter -t "$(cat "$run/holder.pid")" -m -n -p -- "$@"
  else
    "$@"
  fi
}
