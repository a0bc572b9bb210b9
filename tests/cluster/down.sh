#!/usr/bin/env bash
# Ends the cluster named CLUSTER_NAME and removes its folder. KEEP_LOGS names a folder for its logs.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
[ -e "$run" ] || exit 0
if [ -n "${KEEP_LOGS:-}" ]; then mkdir -p "$KEEP_LOGS" && cp -r "$run/log/." "$KEEP_LOGS/"; fi

runs_from() { case $(readlink "/proc/$1/exe" 2>/dev/null) in "$2"*) ;; *) return 1 ;; esac; }
ended() { [ ! -e "/proc/$1" ]; }

# A number may have been given away since: only what still runs our binary is signalled.
end() {
  runs_from "$1" "$(readlink -f "$bin")" || return 0
  kill -TERM "$1"
  until_true 15 ended "$1" || { kill -KILL "$1" && until_true 5 ended "$1"; }
}

if [ -e "$run/holder.pid" ]; then
  end "$(cat "$run/holder.pid")" # with it the kernel ends every process, mount and interface of its namespaces
  for folder in /sys/fs/cgroup/*/"$cgroup" /sys/fs/cgroup/"$cgroup"; do
    [ ! -d "$folder" ] || find "$folder" -depth -type d -exec rmdir {} \; 2>/dev/null || true
  done
else
  for file in "$run"/pid/*; do
    [ ! -e "$file" ] || end "$(cat "$file")"
  done
fi
if grep -q " $run/" /proc/self/mounts; then die "something is still mounted under $run"; fi
rm -rf "$run"
