# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# shellcheck shell=bash
# Sourced by the shell tests that run in a guest: `test.sh` and what concerns the module and its devices.
# shellcheck source=tests/common/test.sh
. "$TESTS/common/test.sh"

# load_module [PARAMETER=VALUE]...: loads the module afresh.
load_module() {
	# udev has each new disk open for a moment.
	[ ! -d /sys/module/abuse ] || wait_until 30 modprobe -q -r abuse
	modprobe abuse "$@" || fail "modprobe abuse $* failed"
}
