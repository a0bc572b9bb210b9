#!/usr/bin/env bash
# Starts a cluster of CLUSTER_LEVEL and prints the path of an administrator's kubeconfig; exec.sh runs commands in it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
[ ! -e "$run/settings" ] || die "$run is there already: down.sh first, or another CLUSTER_NAME"
[ -x "$bin/clustertools" ] || die "nothing is built: build.sh first"
daemons=(etcd kube-apiserver)
case $CLUSTER_LEVEL in
  api) ;;
  control) daemons+=(kube-controller-manager kube-scheduler) ;;
  node) daemons=(etcd containerd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy) ;;
  *) die "CLUSTER_LEVEL is api, control or node, not $CLUSTER_LEVEL" ;;
esac
[ "$CLUSTER_ISOLATED" = 1 ] || [ "$CLUSTER_LEVEL" != node ] || die "a node needs CLUSTER_ISOLATED=1"
[ "$CLUSTER_ISOLATED" = 0 ] || [ "$(id -u)" = 0 ] || die "namespaces need root; CLUSTER_ISOLATED=0 does without, below a node"

choose_ports() {
  if [ "$CLUSTER_ISOLATED" = 1 ]; then
    read -r "${ports[@]}" <<<"2379 2380 6443 10257 10259"
  else
    read -r "${ports[@]}" < <(python3 -c '
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(5)]
print(*[s.getsockname()[1] for s in held])')
  fi
  local name
  export "${ports[@]}"
  for name in "${settings[@]}" "${ports[@]}"; do printf 'export %s=%q\n' "$name" "${!name}"; done >"$run/settings"
}

# The holder is process 1 of the namespaces: when it ends, every process, mount and interface of the cluster goes.
holder_of() {
  local child
  child=$(cat "/proc/$1/task/$1/children") && child=${child%% *}
  [ -n "$child" ] && [ "$(readlink "/proc/$child/exe")" = "$(readlink -f "$bin/pause")" ] && echo "$child" >"$run/holder.pid"
}

isolate() {
  setsid unshare --mount --net --pid --fork --mount-proc --propagation private "$bin/pause" >/dev/null 2>&1 </dev/null &
  until_true 5 holder_of $! || die "the kernel grants no namespaces"
  [ "$CLUSTER_LEVEL" != node ] || mkdir -p /var/lib/kubelet /var/lib/cni
  inside "$here/namespaces.sh"
}

write_configs() {
  local template
  for template in "$here"/templates/*.in; do
    sed "s|@RUN@|$run|g; s|@CNI_BIN@|$CNI_BIN|g; s|@POD_CIDR@|$POD_CIDR|g; s|@NODE_IP@|$NODE_IP|g; s|@NODE_NAME@|$NODE_NAME|g
      s|@CGROUP@|$cgroup|g" "$template" >"$run/$(basename "${template%.in}")"
  done
  mv "$run/bridge.conflist" "$run/cni/10-bridge.conflist"
  : >"$run/resolv.conf"
}

kubectl() { "$here/exec.sh" kubectl "$@"; }
answers() { "$here/exec.sh" curl -sf --max-time 2 --cacert "$run/pki/ca.crt" "https://127.0.0.1:$API_PORT/readyz"; }
answers_or_ended() { answers || ! "$here/ctl.sh" alive kube-apiserver; }
wait_for_api() {
  until_true 90 answers_or_ended || true
  answers >/dev/null || die "the API server does not answer: $run/log/kube-apiserver.log"
}

mkdir -p "$run"/{log,pid,cni,pod-logs,kubelet,containerd}
trap '[ $? = 0 ] || say "up.sh failed; logs are in $run/log, down.sh cleans up"' EXIT
choose_ports
"$here/pki.sh" "$run/pki"
[ "$CLUSTER_ISOLATED" = 0 ] || isolate
write_configs
for name in "${daemons[@]}"; do
  [ "$name" != kube-controller-manager ] || wait_for_api # it gives up on a server that is not there yet
  "$here/ctl.sh" start "$name"
done
wait_for_api
kubectl apply -f "$run/cluster.yaml" >/dev/null
[ "$CLUSTER_LEVEL" = api ] || until_true 60 kubectl get serviceaccount default || die "the controllers do not work"
if [ "$CLUSTER_LEVEL" = node ]; then
  until_true 30 inside ctr version || die "containerd does not answer"
  # shellcheck disable=SC2086  # CLUSTER_IMAGES: more archives, by spaces
  for image in "$CLUSTER_BUILD"/images/*.tar ${CLUSTER_IMAGES:-}; do inside ctr -n k8s.io images import "$image" >>"$run/log/images.log" 2>&1; done
  until_true 60 kubectl get node "$NODE_NAME" || die "the kubelet does not register: $run/log/kubelet.log"
  kubectl wait --for=condition=Ready --timeout=120s "node/$NODE_NAME" >/dev/null
fi
for name in "${daemons[@]}"; do "$here/ctl.sh" alive "$name" || die "$name ended: $run/log/$name.log"; done
echo "$run/pki/admin.kubeconfig"
