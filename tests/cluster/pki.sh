#!/usr/bin/env bash
# pki.sh FOLDER: an authority, every certificate of the cluster, and a kubeconfig for each client. Called by up.sh.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
umask 077
mkdir -p "$1"
cd "$1"
readonly DAYS=30

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key" 2>/dev/null; }

# certificate NAME SUBJECT USAGE [ALTERNATIVE NAMES]
certificate() {
  key "$1"
  openssl req -new -key "$1.key" -subj "$2" -out "$1.csr"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days $DAYS -sha256 -out "$1.crt" -extfile <(
    echo "keyUsage=critical,digitalSignature,keyEncipherment"
    echo "extendedKeyUsage=$3"
    [ -z "${4:-}" ] || echo "subjectAltName=$4"
  ) 2>/dev/null
  rm "$1.csr"
}

# client NAME SUBJECT: a certificate, and a kubeconfig that carries it
client() {
  certificate "$1" "$2" clientAuth
  cat >"$1.kubeconfig" <<END
apiVersion: v1
kind: Config
clusters:
- name: test
  cluster: {server: "https://127.0.0.1:$API_PORT", certificate-authority-data: $(base64 -w0 ca.crt)}
users:
- name: $1
  user: {client-certificate-data: $(base64 -w0 "$1.crt"), client-key-data: $(base64 -w0 "$1.key")}
contexts: [{name: test, context: {cluster: test, user: $1}}]
current-context: test
END
}

key ca
openssl req -x509 -new -key ca.key -subj "/CN=test-cluster-ca" -days $DAYS -sha256 -out ca.crt \
  -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" 2>/dev/null
service=DNS:kubernetes.default.svc
certificate apiserver "/CN=kube-apiserver" serverAuth \
  "DNS:kubernetes,DNS:kubernetes.default,$service,$service.cluster.local,DNS:localhost,IP:127.0.0.1,IP:$SERVICE_IP,IP:$NODE_IP"
certificate apiserver-kubelet-client "/CN=kube-apiserver-kubelet-client" clientAuth
certificate kubelet-serving "/CN=$NODE_NAME" serverAuth "DNS:$NODE_NAME,IP:$NODE_IP"
client admin "/O=system:masters/CN=admin"
client controller-manager "/CN=system:kube-controller-manager"
client scheduler "/CN=system:kube-scheduler"
client kubelet "/O=system:nodes/CN=system:node:$NODE_NAME"
client kube-proxy "/CN=system:kube-proxy"
openssl genrsa -out service-account.key 2048 2>/dev/null
openssl rsa -in service-account.key -pubout -out service-account.pub 2>/dev/null
