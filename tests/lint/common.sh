# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# shellcheck shell=bash
# Shared by the static checks. Sourced, never run.
# shellcheck source=tests/common/test.sh
. "${TESTS:=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)}/common/test.sh"
cd "$TESTS/.."

# tree: the files of the project, whether committed yet or not.
tree() {
	if [ -e .git ]; then
		git ls-files -co --exclude-standard
	else
		find . -path ./build -prune -o -type f -print | sed 's,^\./,,'
	fi | while IFS= read -r file; do
		[ ! -f "$file" ] || printf '%s\n' "$file"
	done
}

# needs COMMAND:PACKAGE...: the checker is there, or is installed when root; else the check is skipped.
needs() { "$TESTS/vm/need" "$@" || skip "$* cannot be had here"; }

# nothing DESCRIPTION COMMAND...: COMMAND prints nothing.
nothing() {
	local said
	said=$("${@:2}" 2>&1) || true
	[ -z "$said" ] || { printf '%s\n' "$said"; fail "$1"; }
	pass "$1"
}

# The kernel's checkpatch and coccinelle rules, from Debian's kernel source: fetched once.
kernel_source=${ABUSE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/abuse}/kernel-scripts
# shellcheck disable=SC2034
kernel_scripts=$kernel_source/scripts

# Only the package of a whole kernel's source has them.
fetch_kernel_scripts() {
	local room package deb
	package=$(apt-cache depends linux-source 2>/dev/null | sed -n 's/^ *Depends: \(linux-source-.*\)/\1/p' | head -n 1)
	[ -n "$package" ] || return
	room=$(mktemp -d)
	(cd "$room" && apt-get -qq -o APT::Sandbox::User=root download "$package") >/dev/null 2>&1 || { rm -rf "$room"; return 1; }
	deb=$(echo "$room"/*.deb)
	mkdir -p "$kernel_source.new"
	dpkg-deb --fsys-tarfile "$deb" | tar -xO "./usr/src/$package.tar.xz" | xz -dc -T0 |
		tar -x -C "$kernel_source.new" --strip-components=1 --wildcards '*/scripts/checkpatch.pl' '*/scripts/spelling.txt' \
			'*/scripts/const_structs.checkpatch' '*/scripts/coccinelle'
	rm -rf "$room" "$kernel_source"
	mv "$kernel_source.new" "$kernel_source"
}
