#!/usr/bin/env bash
# Makes sure that the programs which the tests start are there. As root on
# Debian it installs them, without starting a server of the system's own;
# otherwise it says what is missing. What comes from npm goes below the test
# that uses it.
set -euo pipefail

missing=()

# The server's package would make a service of it; its core is the programs.
have() { PATH=$PATH:/usr/sbin:/usr/local/sbin type -P "$1" >/dev/null; }
have mariadbd && have mariadb-install-db && have my_print_defaults ||
	missing+=(mariadb-server-core mariadb-client-core)
have initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
have gcc || missing+=(gcc libc6-dev)
have git || missing+=(git)
have chromium || have chromium-browser || have google-chrome || missing+=(chromium)
have npm || missing+=(npm)
# Tests of assembly for the other processor run on an emulated one.
[[ $(uname -sm) != 'Linux x86_64' ]] || have qemu-aarch64-static || missing+=(qemu-user-static)

# Prometheus' package would make a service of it, too, and there is no part
# without: only the two programs are taken out of it.
programs=(prometheus promtool)
if have prometheus && have promtool; then programs=(); fi

# The page is tested with axe-core, as package-lock.json has it.
install_axe() {
	local dir
	dir=$(dirname "${BASH_SOURCE[0]}")/../browsertest
	cmp -s "$dir/package-lock.json" "$dir/node_modules/.installed-lock.json" && return
	npm ci --prefix "$dir" --ignore-scripts --no-audit --no-fund --loglevel=error
	cp "$dir/package-lock.json" "$dir/node_modules/.installed-lock.json"
}

if ((${#missing[@]} + ${#programs[@]} == 0)); then
	install_axe
	echo 'all there'
	exit
fi
if ((EUID != 0)) || ! have apt-get; then
	echo "missing: on Debian, run as root: apt-get install --no-install-recommends ${missing[*]} ${programs:+prometheus}"
	echo '(elsewhere, install MariaDB, PostgreSQL, Prometheus, Chromium, npm, git and a C compiler)'
	exit 1
fi

# PostgreSQL's package makes a database cluster and starts it, now and at each
# boot, unless it is told not to.
conf=/etc/postgresql-common/createcluster.d/dbleaks-tests.conf
mkdir -p "${conf%/*}"
tmp=$(mktemp -d)
trap 'rm -rf "$conf" "$tmp"' EXIT
echo 'create_main_cluster = false' >"$conf"

export DEBIAN_FRONTEND=noninteractive
install_packages() {
	((${#missing[@]} == 0)) || apt-get install -y -q --no-install-recommends --no-remove "${missing[@]}"
}
install_programs() {
	((${#programs[@]} > 0)) || return 0
	(cd "$tmp" && apt-get download -q -o APT::Sandbox::User=root prometheus &&
		dpkg-deb -x prometheus_*.deb . && install -t /usr/local/bin "${programs[@]/#/usr/bin/}")
}
install_all() { install_packages && install_programs; }
echo "installing ${missing[*]} ${programs[*]}"
# The list of packages may be missing, or old.
install_all >/dev/null 2>&1 || { apt-get update -q && install_all; }
install_axe
