#!/usr/bin/env bash
# ctl.sh start|stop|kill|pause|resume|alive|pid|log DAEMON: one daemon of a cluster, for tests of restarts and hangs.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
[ $# = 2 ] || die "usage: ctl.sh start|stop|kill|pause|resume|alive|pid|log DAEMON"
verb=$1 name=$2

signal() { inside kill "-$1" "$(cat "$run/pid/$name")"; }
gone() { ! inside kill -0 "$(cat "$run/pid/$name")" 2>/dev/null; }

start() {
  # The number that is written is the one inside the namespaces, where the daemon is signalled.
  # shellcheck disable=SC2016  # expanded by the inner shell
  inside bash -c 'log=$1/log/$2.log pid=$1/pid/$2; shift 2
    setsid bash "$@" >>"$log" 2>&1 </dev/null & echo $! >"$pid"' start "$run" "$name" "$here/daemon.sh" "$name"
}

case $verb in
  start) start ;;
  stop)
    signal TERM
    until_true 90 gone || die "$name does not end"
    rm "$run/pid/$name"
    ;;
  kill) # its port is free when this returns
    signal KILL
    until_true 10 gone || die "$name does not end"
    rm "$run/pid/$name"
    ;;
  pause) signal STOP ;;
  resume) signal CONT ;;
  alive) ! gone ;;
  pid) cat "$run/pid/$name" ;;
  log) cat "$run/log/$name.log" ;;
  *) die "no verb $verb" ;;
esac
