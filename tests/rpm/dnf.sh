# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# shellcheck shell=bash
# Sourced where the tests of the rpms run dnf, on a Debian that has what the packages require, though not from rpm.

# use_repository DIR: from then on `from_repository ARGUMENT...` is dnf with that repository and the bridge alone.
use_repository() { repository=$1; }
from_repository() {
	dnf -y --disablerepo='*' --repofrompath="bridge,file://$bridge" --repofrompath="abuse,file://$repository" \
		--enablerepo=bridge,abuse --setopt=bridge.gpgcheck=0 --setopt=abuse.gpgcheck=0 --setopt=install_weak_deps=False "$@"
}

# installed PACKAGE: dpkg has it installed, in full.
installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# owner FILE: the package of dpkg's whose file it is. dpkg knows one of its names, from before or after /usr was merged.
owner() {
	local real name found
	real=$(readlink -f "$1")
	for name in "$1" "/usr$1" "$real" "${real#/usr}"; do
		if found=$(dpkg-query -S "$name" 2>/dev/null); then
			echo "${found%%[:,]*}"
			return
		fi
	done
	return 1
}

# provider CAPABILITY: prints the package of dpkg's that has what an rpm asks for by that name.
provider() {
	local file
	case $1 in
	/*)	owner "$1" ;;
	rtld\(GNU_HASH\))
		echo libc6 ;;
	lib*.so* | ld-linux*.so*)
		file=$(ldconfig -p | awk -v name="${1%%(*}" '$1 == name && /x86-64/ { print $NF; exit }')
		[ -n "$file" ] && readlink -f "$file" | /usr/lib/rpm/elfdeps --provides | grep -qxF "$1" && owner "$file" ;;
	kernel-headers)
		echo linux-libc-dev ;;
	systemd-udev)
		echo udev ;;
	*)	echo "$1" ;;
	esac
}

# make_bridge RPM...: a repository in $bridge with one package, which tells rpm what dpkg has installed of all that RPM...
# require. A package that is not installed is not declared: then dnf fails, as it should.
make_bridge() {
	local work capability package
	work=$(mktemp -d)
	bridge=$work/repository
	cat >"$work/bridge.spec" <<-'END'
		Name: bridge-from-dpkg-for-tests
		Version: 1
		Release: 1
		Summary: Tells rpm what dpkg installed, for tests alone
		License: GPL-2.0-or-later
		BuildArch: noarch
	END
	while read -r capability; do
		package=$(provider "$capability") && installed "$package" || continue
		echo "# of $package $(dpkg-query -W -f '${Version}' "$package")"
		echo "Provides: $capability"
	done < <(rpm -qp --requires "$@" | sed 's/ *[<>=]\{1,2\} .*//; s/ *$//' | grep -v '^rpmlib(' | sort -u) >>"$work/bridge.spec"
	printf '%%description\nIt declares what is there, and holds nothing.\n%%files\n' >>"$work/bridge.spec"
	cat "$work/bridge.spec"
	rpmbuild --quiet -bb --define "_topdir $work" "$work/bridge.spec"
	mv "$work/RPMS/noarch" "$bridge"
	createrepo_c --quiet "$bridge"
}
