# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# shellcheck shell=bash
# Sourced by the shell tests that run on the host and boot guests of their own (`# where: host`), such as those
# that pull the plug and boot again.
# shellcheck source=tests/common/test.sh
. "$TESTS/common/test.sh"

# in_guest [OPTION]... -- COMMAND...: `guest run` with the suite, packages and kernel that this run is about.
# The tree is /host there. A report of its kernel on the console fails the test.
in_guest() {
	local options
	eval "options=($GUEST_OPTIONS)"
	guests=$((${guests:-0} + 1))
	"$TESTS/vm/guest" run "$SUITE" --share "$TESTS/.." --timeout "$((300 * ${TIMEOUT_FACTOR:-1}))" --console "$CONSOLE-$guests" \
		"${options[@]}" "$@"
}

# system_image REASON: $image is the system with the packages that this run is about. Skips where the modules come from the host,
# which REASON says of them.
system_image() {
	local options i
	eval "options=($GUEST_OPTIONS)"
	[[ " ${options[*]} " != *" --modules "* ]] || skip "modules from the host $1"
	image=''
	for ((i = 0; i < ${#options[@]}; i++)); do
		[ "${options[i]}" != --prepared ] || image=${options[i + 1]}
	done
	[ -n "$image" ] || image=$("$TESTS/vm/guest" prepare "$SUITE" "$TESTS/../build/deb/$SUITE"/*.deb)
}

# need_packages: skips where the run is about a module alone (check-kernel --bare).
need_packages() { [[ $GUEST_OPTIONS = *--prepared* ]] || skip "no abusectl in the guest"; }

# disk FILE SIZE: a blank disk for --disk.
disk() { rm -f "$1"; truncate -s "$2" "$1"; }

# is_clean IMAGE: an ext4 file system that was unmounted, in $work.
is_clean() {
	e2fsck -fn "$1" >"$work/e2fsck.log" 2>&1 || fail "e2fsck -fn of ${1##*/} gave $?: $(cat "$work/e2fsck.log")"
	dumpe2fs -h "$1" >"$work/dumpe2fs.log" 2>/dev/null
	grep -qE '^Filesystem state: +clean$' "$work/dumpe2fs.log" || fail "${1##*/} is not clean"
	! grep -q needs_recovery "$work/dumpe2fs.log" || fail "the journal of ${1##*/} has to be replayed"
	pass "${1##*/} is clean"
}
