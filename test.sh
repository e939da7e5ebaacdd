#!/bin/sh
# Passes all tests on a Debian machine that has the Rust toolchain: installs
# the real programs that they talk to, then runs the same checks as CI.
set -eu
cd "$(dirname "$0")"

need() { # need COMMAND PACKAGE: remembers the package if the command is missing
    command -v "$1" >/dev/null 2>&1 || packages="$packages $2"
}
PATH="$PATH:/usr/sbin:/sbin" # where Debian keeps servers
packages=""
need gcc gcc
need curl curl
need openssl openssl
need swaks swaks
need python3 python3
need ldapsearch ldap-utils
need ip iproute2
need nft nftables
need useradd passwd
need slapd slapd
need dovecot dovecot-core
need authtest courier-authdaemon
need mariadbd mariadb-server
need nginx nginx
[ -e /usr/lib/nginx/modules/ngx_mail_module.so ] || packages="$packages libnginx-mod-mail"
need postmap postfix
need gsasl gsasl
[ -e /usr/lib/courier-authlib/libauthpipe.so.0 ] || packages="$packages courier-authlib-pipe"
need /usr/lib/dovecot/imap dovecot-imapd
need /usr/lib/dovecot/pop3 dovecot-pop3d
need /usr/lib/dovecot/lmtp dovecot-lmtpd
exim=target/peers/exim4 # as a package, it would drive Postfix out
if [ ! -x /usr/sbin/exim4 ] && [ ! -x "$exim/usr/sbin/exim4" ]; then
    packages="$packages libgnutls-dane0 libidn12 libmariadb3 libnsl2 libperl5.36 libpq5 libspf2-2"
fi
need testsaslauthd sasl2-bin
[ -e "$(echo /usr/lib/*/sasl2/libplain.so)" ] || packages="$packages libsasl2-modules"
[ -e /usr/include/stdio.h ] || packages="$packages libc6-dev"
if [ -n "$packages" ]; then
    echo "== installing:$packages"
    as_root=""
    [ "$(id -u)" = 0 ] || as_root=sudo
    export DEBIAN_FRONTEND=noninteractive
    $as_root apt-get update -qq
    # shellcheck disable=SC2086 # a list of packages
    $as_root apt-get install -qq -y --no-install-recommends $packages
fi
if [ ! -x /usr/sbin/exim4 ] && [ ! -x "$exim/usr/sbin/exim4" ]; then
    echo "== unpacking: exim4-daemon-heavy"
    mkdir -p "$exim"
    (cd "$exim" && apt-get download -qq exim4-daemon-heavy && dpkg -x exim4-daemon-heavy_*.deb .)
    rm "$exim"/*.deb
    chmod u-s "$exim/usr/sbin/exim4"
fi

echo "== format"
cargo fmt --all --check
echo "== clippy"
cargo clippy --workspace --all-targets --locked -- -D warnings
if command -v cargo-deny >/dev/null 2>&1; then
    echo "== licences, bans, sources"
    cargo deny check licenses bans sources
fi
echo "== tests"
cargo build --workspace --bins --locked
exec cargo test --workspace --locked --no-fail-fast
