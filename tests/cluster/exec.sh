#!/usr/bin/env bash
# exec.sh [-a] COMMAND...: runs a command in the cluster's network; with -a also in its mounts and processes, which ctr needs.
# KUBECONFIG and the built tools are set.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
[ -f "$run/settings" ] || die "no cluster runs in $run: up.sh starts one"
export PYTHONDONTWRITEBYTECODE=1 KUBECONFIG=$run/pki/admin.kubeconfig PATH=$bin:$PATH
namespaces=(-n)
if [ "${1:-}" = -a ]; then
  namespaces=(-m -n -p)
  shift
fi
[ "$CLUSTER_ISOLATED" = 1 ] || exec "$@"
exec nsenter -t "$(cat "$run/holder.pid")" "${namespaces[@]}" -- "$@"
