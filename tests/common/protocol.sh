# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# shellcheck shell=bash
# Builds protocol.c with parts of the module, whose own includes of the kernel are left out, and runs one part of it.
# Sourced by tests of the room unit, never run.

# protocol PART
protocol() {
	local top name work
	top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	for name in abuse.h params.h states.h limit.c queue.c fetch.c; do
		grep -v -e '^#include <linux/' -e '^#include "trace.h"' "$top/module/$name" >"$work/$name"
	done
	# Beside the module's abuse.h, not that of the tests.
	cp "$top/tests/common/protocol.c" "$work/"
	gcc -O1 -g -Wall -Wno-address -Wno-clobbered -U_FORTIFY_SOURCE -std=gnu11 -D_GNU_SOURCE -I "$work" -I "$top/module/uapi" -I "$top/tests/common" \
		"$work/protocol.c" -o "$work/protocol" || return 1
	"$work/protocol" "$1"
}
