# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# shellcheck shell=bash
# Shared by the tests of the packages' life: each runs itself again inside a throwaway root of the suite, at native speed,
# where /src is the tree. No module can be loaded there; what the kernel must take part in is tested in booted guests.
# shellcheck source=tests/common/test.sh
. "$TESTS/common/test.sh"
export DEBIAN_FRONTEND=noninteractive INITRD=No

# in_root: the rest of the test takes place inside.
in_root() {
	[ -z "${INSIDE-}" ] || return 0
	"$TESTS/../debian/build" "$SUITE"
	exec "$TESTS/vm/guest" chroot "$SUITE" --bind "$TESTS/.." -- \
		env INSIDE=yes TESTS=/src/tests TIMEOUT_FACTOR="${TIMEOUT_FACTOR:-1}" bash "/src/${0#"${TESTS%/*}/"}"
}

# The files of a source package, in build/packages/sources.
make_sources() {
	local sources=$TESTS/../build/packages/sources
	[ -z "${INSIDE-}" ] || return 0
	rm -rf "$sources"
	mkdir -p "$sources"
	(cd "$TESTS/.." && debian/sources | tr '\n' '\0' | xargs -0 cp -P --parents -t "$sources")
}

# Packages of the next version, made of the same tree, in build/packages/SUITE, and module/abuse.ko beside them, for guests
# whose emulated compiler would take minutes. Two tests want them: whichever is first makes them.
next_version=0.99.0
make_next_version() {
	local made=$TESTS/../build/packages/$SUITE next=$TESTS/../build/packages/next-$SUITE
	[ -z "${INSIDE-}" ] || return 0
	"$TESTS/../debian/build" "$SUITE"
	mkdir -p "${made%/*}"
	(
		flock 9
		! cmp -s "$TESTS/../build/deb/$SUITE/key" "$made/made-of" || exit 0
		rm -rf "$next" "$made"
		mkdir -p "$next"
		(cd "$TESTS/.." && debian/sources | tr '\n' '\0' | xargs -0 cp -P --parents -t "$next")
		sed -i "s/^PACKAGE_VERSION=.*/PACKAGE_VERSION=\"$next_version\"/" "$next/module/dkms.conf"
		sed -i "1s/(.*)/($next_version-1)/" "$next/debian/changelog"
		ABUSE_DEB_OPTIONS=nocheck "$next/debian/build" "$SUITE"
		# shellcheck disable=SC2016
		"$TESTS/vm/guest" chroot "$SUITE" --bind "$next/module" -- sh -c 'make -s -C "$KDIR" M=/src modules'
		mv "$next/build/deb/$SUITE" "$made"
		mkdir "$made/module"
		mv "$next/module/abuse.ko" "$made/module"
		rm -rf "$next"
		cp "$TESTS/../build/deb/$SUITE/key" "$made/made-of"
	) 9>"$made.lock"
}

# install OPTION|DEB|PACKAGE...: with apt; what it said is in $said.
install() {
	said=$(apt-get -qqy -o Dpkg::Use-Pty=0 -o Acquire::Check-Valid-Until=false install "$@" 2>&1) ||
		fail "apt-get install $* gave $?: $said"
}
debs() { # FOLDER NAME...: the files of packages
	local name
	for name in "${@:2}"; do
		echo "$1/${name}"_*.deb
	done
}
# All but python3-abuse, which would bring Python from the archive.
# shellcheck disable=SC2034
packages='abuse-dkms abuse-utils libabuse0 libabuse-dev'
# Everything that is half done, of whatever package.
audit() { is "$(dpkg --audit; dpkg-query -W -f '${Package} ${db:Status-Status}\n' | grep -v ' \(installed\|config-files\|not-installed\)$' || true)" "" "dpkg is consistent $*"; }
version_of() { dpkg-query -W -f '${db:Status-Status} ${source:Upstream-Version}' "$1" 2>/dev/null || true; }
modules() { find /lib/modules -name 'abuse.ko*' -printf '%P\n' | sort; }
