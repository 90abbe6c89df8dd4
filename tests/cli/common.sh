# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# shellcheck shell=bash
# Shared by the tests of the command line: abusectl as built (or $ABUSECTL), its status and what it said on
# both streams, a made-up class directory. Sourced, never run.
# shellcheck source=tests/common/test.sh
. "${TESTS:=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)}/common/test.sh"

abusectl=${ABUSECTL:-$TESTS/../build/utils/abusectl}
if [ -z "${ABUSECTL-}" ]; then
	# The Makefile builds without what is optional; what is said of nbd is tested here, too.
	"$TESTS/vm/need" /usr/include/libnbd.h:libnbd-dev
	make -s -C "$TESTS/.." tools utils >/dev/null
fi

# run ARGUMENT...: leaves the status in $status, both streams in $said.
run() {
	status=0
	said=$("$abusectl" "$@" 2>&1) || status=$?
}

# gives STATUS PATTERN ARGUMENT...: abusectl ends with STATUS and says what the extended regular expression
# PATTERN matches.
gives() {
	local wanted=$1 pattern=$2
	shift 2
	run "$@"
	[ "$status" = "$wanted" ] || fail "abusectl $*: status $status, wanted $wanted; it said: $said"
	grep -qE -- "$pattern" <<<"$said" || fail "abusectl $*: said '$said', wanted /$pattern/"
	pass "abusectl $*: $wanted, /$pattern/"
}

# A class directory of three devices, in $ABUSE_SYSFS.
fake_sysfs() {
	local number
	scratch
	export ABUSE_SYSFS=$work/class
	for number in 0 3 10; do
		mkdir -p "$ABUSE_SYSFS/abctl$number/abuse$number/queue"
		cd "$ABUSE_SYSFS/abctl$number"
		echo empty >state
		echo "disk-$number" >name
		echo 1000 >owner
		echo 0 >"abuse$number/size"
		echo 512 >"abuse$number/queue/logical_block_size"
		cd - >/dev/null
	done
	cd "$ABUSE_SYSFS/abctl3"
	echo up >state
	echo 1 >read_only
	echo 2097152 >abuse3/size
	echo 7 >queued
	echo "2 70 71" >servers
	echo 0 >../abctl10/servers
	echo "file:/srv/a b.img" >store
	echo 18446744073709551615 >served
	cd - >/dev/null
}
