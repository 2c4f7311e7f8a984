#!/bin/sh
# Makes this machine a node of a Coracle cluster, or updates it; `--uninstall` takes it away again. Run as root; `coracle join-command CLUSTER` prints how.
# It is served by the control plane and names the checksum of all that it fetches there.
set -eu
BUNDLE=
BUNDLE_SHA256=
NODE_VERSION=
NODE_X64_SHA256=
NODE_ARM64_SHA256=
NPM_X64_SHA512=
NPM_ARM64_SHA512=
NODE_MAJOR_MIN=24

usage() {
  cat <<'U'
usage: install.sh --server URL --token TOKEN [options]
       install.sh --uninstall [--state DIR]

  --server URL         the cluster: https://HOST/clusters/ID
  --token TOKEN        join token; CORACLE_TOKEN in the environment does too. Not needed where this machine has joined before
  --ca-file FILE       CA of the server, where the machine doesn't trust it anyway
  --node PATH          a Node.js 24 or newer to run the agent with (default: the one that is here, else one is downloaded)
  --bundle FILE        the agent, where it isn't to be downloaded
  --state DIR          where the node keeps everything (default /var/lib/coracle-node)
  --node-name NAME     (default: this machine's)
  --node-ip ADDRESS    where other nodes reach this one; may be repeated, the first one preferred (default: the one with which it reaches the server)
  --pod-cidr CIDR      range of this node's pods; may be repeated (default: the cluster gives it one)
  --cri-socket PATH    a container runtime that is there already, with its pod network; also a unix:// URL (default: a containerd of its own)
  --cgroup-root PATH   the cgroup under which those of pods are made (default /)
  --resolv-conf FILE   name servers of pods that want the node's (default /etc/resolv.conf)
  --offline            install nothing from the distribution
  --registries FILE    mirrors and credentials of image registries, in the form of k3s's registries.yaml
U
}
say() { echo "coracle: $*" >&2; }
fail() { say "$*"; exit 1; }

state=/var/lib/coracle-node server= ca= node= bundle= uninstall= previous=
for argument in "$@"; do
  case $argument in --*=*) previous=${argument%%=*} argument=${argument#*=} ;; esac
  case $previous in
    --state) state=$argument ;; --server) server=$argument ;; --ca-file) ca=$argument ;;
    --node) node=$argument ;; --bundle) bundle=$argument ;;
  esac
  case $argument in --uninstall) uninstall=1 ;; -h | --help) usage; exit 0 ;; esac
  previous=$argument
done

[ "$(uname -s)" = Linux ] || fail "nodes are Linux machines, this is $(uname -s)"
case $(uname -m) in
  x86_64) arch=x64 node_sha256=$NODE_X64_SHA256 npm_sha512=$NPM_X64_SHA512 ;;
  aarch64) arch=arm64 node_sha256=$NODE_ARM64_SHA256 npm_sha512=$NPM_ARM64_SHA512 ;;
  *) fail "nodes are x86_64 or arm64, this is $(uname -m)" ;;
esac
[ "$(id -u)" = 0 ] || fail "a node needs root: run this as root"

new_enough() { [ "$("$1" -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)" -ge "$NODE_MAJOR_MIN" ]; }

fetch() { # URL FILE: over TLS that ends at who has the CA
  if command -v curl >/dev/null; then
    curl -fsS --retry 3 ${ca:+--cacert "$ca"} -o "$2" "$1"
  elif command -v wget >/dev/null; then
    wget -q ${ca:+--ca-certificate="$ca"} -O "$2" "$1"
  else
    fail "curl or wget is needed (Debian: apt-get install curl)"
  fi || fail "could not fetch $1"
}

sha_of() { "$1" "$2" | cut -d' ' -f1; }

find_node() { # sets node: what was named, an earlier download, what is here, else a download
  if [ -n "$node" ]; then
    new_enough "$node" || fail "--node $node: not a Node.js $NODE_MAJOR_MIN or newer"
    return
  fi
  own=$state/nodejs/bin/node
  for node in "$own" "$(command -v node || true)"; do
    [ -n "$node" ] && [ -x "$node" ] && new_enough "$node" && return
  done
  node=$own
  mkdir -p "$state/nodejs/bin"
  say "fetching Node.js $NODE_VERSION"
  if [ -n "$node_sha256" ]; then
    fetch "$base/install/node-linux-$arch" "$node.new"
    [ "$(sha_of sha256sum "$node.new")" = "$node_sha256" ] || fail "Node.js came with another checksum than expected"
  else
    package=node-linux-$arch
    [ -n "$npm_sha512" ] || fail "there is no Node.js for $arch to download: install version $NODE_MAJOR_MIN or newer, or name one with --node PATH"
    registry=${NPM_CONFIG_REGISTRY:-$(npm config get registry 2>/dev/null || true)}
    [ -n "$registry" ] || fail "the server has no Node.js for $arch: install version $NODE_MAJOR_MIN or newer, name one with --node PATH, or say in NPM_CONFIG_REGISTRY where npm's packages are"
    (ca= && fetch "${registry%/}/$package/-/$package-$NODE_VERSION.tgz" "$state/nodejs/package.tgz")
    hash=$(sha_of sha512sum "$state/nodejs/package.tgz")
    [ "$hash" = "$(printf %s "$npm_sha512" | base64 -d | od -An -vtx1 | tr -d ' \n')" ] || fail "Node.js came with another checksum than expected"
    tar -xzOf "$state/nodejs/package.tgz" package/bin/node >"$node.new"
    rm "$state/nodejs/package.tgz"
  fi
  chmod 755 "$node.new"
  mv "$node.new" "$node"
  new_enough "$node" || fail "the Node.js that was fetched does not run on this machine"
}

run() { exec "$node" --disable-warning=ExperimentalWarning "$state/coracle-node.js" install "$@"; }

if [ -n "$uninstall" ]; then
  [ -f "$state/coracle-node.js" ] || { say "no node in $state"; exit 0; }
  find_node
  run "$@"
fi
[ -n "$server" ] || { usage >&2; exit 2; }
case $server in https://?*/clusters/?*) base=${server%/clusters/*} ;; *) fail "--server $server: https://HOST/clusters/ID is needed" ;; esac
[ -z "$ca" ] || [ -r "$ca" ] || fail "--ca-file $ca can't be read"

mkdir -p -m 700 "$state"
find_node
if [ "$(sha_of sha256sum "$state/coracle-node.js" 2>/dev/null)" != "$BUNDLE_SHA256" ]; then
  new=$state/coracle-node.js.new
  if [ -n "$bundle" ]; then
    gzip -dc "$bundle" >"$new"
  else
    say "fetching the node agent"
    fetch "$base/install/$BUNDLE" "$new.gz"
    gzip -dc "$new.gz" >"$new" || fail "the node agent came damaged"
    rm "$new.gz"
  fi
  [ "$(sha_of sha256sum "$new")" = "$BUNDLE_SHA256" ] || { rm "$new"; fail "the node agent came with another checksum than expected: nothing of it was run"; }
  mv "$new" "$state/coracle-node.js"
fi
# For --uninstall, and to look at.
[ "$0" -ef "$state/install.sh" ] || cp "$0" "$state/install.sh"
run "$@"
