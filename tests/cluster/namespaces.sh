#!/usr/bin/env bash
# The network, mounts and cgroups of a cluster, from inside its namespaces. Called by up.sh.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

network() {
  ip link set lo up
  ip link add node0 type veth peer name node0-end # not every kernel has the dummy type
  ip address add "$NODE_IP/24" dev node0
  ip link set node0 up
  ip link set node0-end up
  ip route add "$SERVICE_CIDR" dev node0
}

# The kubelet insists on these settings of the whole machine. It is shown files that have them; the machine keeps its own.
sysctls() {
  local pair file
  mkdir -p "$run/sysctl"
  for pair in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1; do
    file=$run/sysctl/$(tr / . <<<"${pair%=*}")
    echo "${pair#*=}" >"$file"
    mount --bind "$file" "/proc/sys/${pair%=*}"
  done
}

mounts() {
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -p /run/lock /run/netns "$run/var-lib-cni"
  mount --bind "$run/kubelet" /var/lib/kubelet
  mount --bind "$run/var-lib-cni" /var/lib/cni
  mount -t tmpfs -o mode=755 tmpfs /var/log
}

cgroups() {
  local controller file
  for controller in /sys/fs/cgroup/*/; do mkdir -p "$controller/$cgroup" 2>/dev/null || true; done
  [ -e /sys/fs/cgroup/cpuset/cpuset.cpus ] || return 0
  for file in cpuset.cpus cpuset.mems; do # a new cpuset is empty, and nothing can run in it
    cat "/sys/fs/cgroup/cpuset/$file" >"/sys/fs/cgroup/cpuset/$cgroup/$file"
  done
}

mount --make-rshared /
network
[ "$CLUSTER_LEVEL" = node ] || exit 0
echo 1 >/proc/sys/net/ipv4/ip_forward
[ ! -e /proc/sys/net/bridge ] || echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
mounts
sysctls
cgroups
