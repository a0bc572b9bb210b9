#!/usr/bin/env bash
# Builds what Debian does not carry into the user's cache folder; does nothing when it is there. CLUSTER_KWOK=1: kwok,
# CLUSTER_HELM=1: helm, too.
# CLUSTER_TOOLS names a clustertools binary that was built elsewhere: it is asked what it is, then copied.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# go_at_least 1.24: `go version go1.26.8 linux/amd64`
go_at_least() {
  command -v go >/dev/null || die "needs Go $1 or later, and there is no go here"
  local have
  have=$(go env GOVERSION | sed 's/^go//; s/[^0-9.].*//')
  [ "$(printf '%s\n' "$1" "$have" | sort -V | head -n 1)" = "$1" ] || die "needs Go $1 or later, not $have"
}

# module FOLDER PACKAGE OUT LDFLAGS: one static binary, rebuilt when its module, its flags or the compiler changed.
module() {
  local folder=$1 package=$2 out=$3 ldflags=$4 stamp
  stamp=$(cat "$folder"/*.go "$folder/go.mod" "$folder/go.sum" <(go version) <(echo "$ldflags") | sha256sum)
  [ "$stamp" != "$(cat "$out.stamp" 2>/dev/null)" ] || return 0
  say "building $(basename "$out"); from nothing this takes some 10 CPU-minutes and 4 GB of Go's cache"
  (cd "$folder" && CGO_ENABLED=0 nice -n 10 go build -mod=readonly -buildvcs=false -trimpath -ldflags "$ldflags" -o "$out" "$package")
  echo "$stamp" >"$out.stamp"
}

tools() {
  local version=${KUBE_VERSION#v} package ldflags="-s -w"
  local minor=${version#*.}
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    ldflags+=" -X $package.gitVersion=$KUBE_VERSION -X $package.gitTreeState=clean"
    ldflags+=" -X $package.gitMajor=${version%%.*} -X $package.gitMinor=${minor%%.*}"
  done
  go_at_least 1.24
  module "$here/tools" . "$bin/clustertools" "$ldflags"
}

# A foreign binary counts for nothing until each of its tools has told its version.
adopt() {
  local tool
  for tool in kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet; do
    [ "$("$CLUSTER_TOOLS" $tool --version)" = "Kubernetes $KUBE_VERSION" ] || die "$CLUSTER_TOOLS has no $tool $KUBE_VERSION"
  done
  cp "$CLUSTER_TOOLS" "$bin/clustertools.part" && mv "$bin/clustertools.part" "$bin/clustertools"
  rm -f "$bin/clustertools.stamp"
}

newer() { # newer THAN FILE...: one of the files is newer, or THAN is not there
  local than=$1 file
  shift
  for file in "$@"; do [ "$file" -ot "$than" ] || return 0; done
  return 1
}

pause_image() {
  if newer "$bin/pause" "$here/image/pause.c"; then
    gcc -Os -static -s -Wall -Wextra -o "$bin/pause" "$here/image/pause.c"
  fi
  if newer "$images/pause.tar" "$bin/pause" "$mkimage"; then
    "$mkimage" "$images/pause.tar" localhost/pause:1 --entrypoint '["/pause"]' "$bin/pause:/pause"
  fi
}

# A shell, and curl: busybox's own wget cannot look up names when it is linked statically.
busybox_image() {
  local busybox applet links=()
  busybox=$(command -v busybox) || { say "no busybox (Debian package busybox-static), so no test image for pods"; return; }
  newer "$images/busybox.tar" "$busybox" "$mkimage" || return 0
  for applet in $("$busybox" --list); do
    [ "$applet" = busybox ] || links+=(--link "/bin/$applet=busybox")
  done
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' >"$CLUSTER_BUILD/passwd"
  "$mkimage" "$images/busybox.tar" localhost/busybox:1 --cmd '["/bin/sh"]' --dir /tmp:1777 --dir /root --dir /dev \
    --dir /proc --dir /sys "${links[@]}" "$busybox:/bin/busybox" "$CLUSTER_BUILD/passwd:/etc/passwd:644" --program "$(command -v curl)"
}

images=$CLUSTER_BUILD/images mkimage=$here/../../manifests/image/mkimage.py
mkdir -p "$bin" "$images"
if [ -n "${CLUSTER_TOOLS:-}" ]; then adopt; elif [ -e "$bin/clustertools.stamp" ] || [ ! -e "$bin/clustertools" ]; then tools; fi
for tool in etcd kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl; do
  ln -sf clustertools "$bin/$tool"
done
if [ "${CLUSTER_KWOK:-0}" = 1 ]; then
  go_at_least "$(sed -n 's/^go //p' "$here/kwok/go.mod")"
  module "$here/kwok" sigs.k8s.io/kwok/cmd/kwok "$bin/kwok" "-s -w"
fi
if [ "${CLUSTER_HELM:-0}" = 1 ]; then # the checks that want it say so where it is not there
  module "$here/helm" helm.sh/helm/v3/cmd/helm "$bin/helm" "-s -w" || say "helm cannot be built here"
fi
pause_image
busybox_image
echo "$CLUSTER_BUILD"
