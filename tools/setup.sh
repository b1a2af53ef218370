#!/usr/bin/env bash
# Installs what is missing on a Debian 12 machine: `tools/setup.sh build` for `make run`, `tools/setup.sh test` for `make test` too.
# Needs root (or sudo) only when something is missing. Quick when all is there.
set -eu
cd "$(dirname "$0")/.."

BUILD_PACKAGES="gcc g++ make libc6-dev
    libmicrohttpd-dev libnghttp2-dev libcurl4-gnutls-dev libgnutls28-dev
    libzstd-dev liblz4-dev libdeflate-dev zlib1g-dev libsnappy-dev
    libre2-dev libyaml-dev libwslay-dev libxxhash-dev libsqlite3-dev ca-certificates curl"
TEST_PACKAGES="libcmocka-dev clang-14 clang libclang-rt-14-dev clang-format-14 python3 openssl
    prometheus prometheus-alertmanager prometheus-node-exporter victoria-metrics nghttp2-client wrk chromium
    rsyslog rsyslog-elasticsearch"

# Debian's node is new enough for what the tests run; another node on the PATH is just as good.
command -v node >/dev/null 2>&1 || BUILD_PACKAGES="$BUILD_PACKAGES nodejs"
command -v npm >/dev/null 2>&1 || BUILD_PACKAGES="$BUILD_PACKAGES npm"

packages=$BUILD_PACKAGES
[ "${1:-build}" = test ] && packages="$packages $TEST_PACKAGES"

missing=""
for p in $packages; do
    dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null | grep -q '^installed$' || missing="$missing $p"
done

if [ -n "$missing" ]; then
    as_root=""
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 || { echo "setup: please install as root: apt-get install$missing" >&2; exit 1; }
        as_root=sudo
    fi
    echo "setup: installing$missing"
    $as_root apt-get update -q >/dev/null
    # RUNLEVEL=1: the peers of the tests are started by the tests, not as services of the machine.
    $as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -q --no-install-recommends $missing >/dev/null
fi

npm_ci() { # folder: node_modules is made anew only when the lock file has changed
    [ -f "$1/package-lock.json" ] || return 0
    stamp=$1/node_modules/.lock-seen
    cmp -s "$1/package-lock.json" "$stamp" 2>/dev/null && return 0
    echo "setup: npm ci in $1"
    (cd "$1" && npm ci --no-audit --no-fund --loglevel=error)
    cp "$1/package-lock.json" "$stamp"
}
npm_ci web
if [ "${1:-build}" = test ]; then
    npm_ci tests/live
    npm_ci tests/browser
fi
