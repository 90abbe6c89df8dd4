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
