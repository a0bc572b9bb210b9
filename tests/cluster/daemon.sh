#!/usr/bin/env bash
# daemon.sh NAME: becomes that daemon. Called by ctl.sh, inside the cluster's namespaces.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
pki=$run/pki
store=http://127.0.0.1:$STORE_PORT
peers=http://127.0.0.1:$STORE_PEER_PORT
# 20 requests a second, the default, delay the first service account by 4 s.
controller=(--bind-address 127.0.0.1 --kube-api-qps 300 --kube-api-burst 600 --leader-elect=false --profiling=false)

case $1 in
  etcd)
    exec "$bin/etcd" --data-dir "$run/etcd" --unsafe-no-fsync --log-level warn --auto-compaction-retention 0 \
      --listen-client-urls "$store" --advertise-client-urls "$store" --listen-peer-urls "$peers" \
      --initial-advertise-peer-urls "$peers" --initial-cluster "default=$peers"
    ;;
  kube-apiserver)
    address=0.0.0.0 advertise=$NODE_IP reconciler=none
    [ "$CLUSTER_ISOLATED" = 1 ] || address=127.0.0.1 advertise=127.0.0.1
    [ "$CLUSTER_LEVEL" != node ] || reconciler=lease
    # shellcheck disable=SC2086  # several flags
    exec "$bin/kube-apiserver" --etcd-servers "$store" --secure-port "$API_PORT" --bind-address "$address" \
      --advertise-address "$advertise" --client-ca-file "$pki/ca.crt" --tls-cert-file "$pki/apiserver.crt" \
      --tls-private-key-file "$pki/apiserver.key" --kubelet-client-certificate "$pki/apiserver-kubelet-client.crt" \
      --kubelet-client-key "$pki/apiserver-kubelet-client.key" --kubelet-certificate-authority "$pki/ca.crt" \
      --kubelet-preferred-address-types InternalIP --service-account-issuer https://kubernetes.default.svc \
      --service-account-key-file "$pki/service-account.pub" --service-account-signing-key-file "$pki/service-account.key" \
      --service-cluster-ip-range "$SERVICE_CIDR" --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction \
      --allow-privileged --profiling=false --endpoint-reconciler-type "$reconciler" ${APISERVER_FLAGS:-}
    ;;
  kube-controller-manager)
    # shellcheck disable=SC2086
    exec "$bin/kube-controller-manager" --kubeconfig "$pki/controller-manager.kubeconfig" --secure-port "$CONTROLLER_PORT" \
      --service-account-private-key-file "$pki/service-account.key" --root-ca-file "$pki/ca.crt" \
      --use-service-account-credentials "${controller[@]}" ${CONTROLLER_MANAGER_FLAGS:-}
    ;;
  kube-scheduler)
    # shellcheck disable=SC2086
    exec "$bin/kube-scheduler" --kubeconfig "$pki/scheduler.kubeconfig" --secure-port "$SCHEDULER_PORT" \
      "${controller[@]}" ${SCHEDULER_FLAGS:-}
    ;;
  containerd) exec containerd --config "$run/containerd.toml" ;;
  kubelet)
    # shellcheck disable=SC2086
    exec "$bin/kubelet" --config "$run/kubelet.yaml" --kubeconfig "$pki/kubelet.kubeconfig" --root-dir /var/lib/kubelet \
      --hostname-override "$NODE_NAME" --node-ip "$NODE_IP" ${KUBELET_FLAGS:-}
    ;;
  kube-proxy) exec "$bin/kube-proxy" --config "$run/kube-proxy.yaml" ;;
  kwok) # nodes that are only objects
    exec "$bin/kwok" --kubeconfig "$pki/admin.kubeconfig" --manage-nodes-with-annotation-selector kwok.x-k8s.io/node=fake \
      --config "$here/kwok/stages.yaml" --cidr 10.245.0.0/16 --node-ip 10.250.0.99
    ;;
  *) die "no daemon $1" ;;
esac
