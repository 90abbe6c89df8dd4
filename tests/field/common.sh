# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# shellcheck shell=bash
# Sourced by the tests of this room, which run a tool on a loop disk and on an abuse disk in the same guest and compare
# what it says. The guest has the tools: see tests/check.
# shellcheck source=tests/common/serve.sh
. "$TESTS/common/serve.sh"
differences=0

# two_disks SIZE [KEY=VALUE]...: $loop and $abuse, over files of that size; the keys are for the abuse disk.
two_disks() {
	truncate -s "$1" "$work/loop.img" "$work/abuse.img"
	loop=$(losetup --find --show "$work/loop.img")
	on_exit losetup -d "$loop"
	new_device
	abuse=$disk
	start_server "$number" "file:$work/abuse.img" "${@:2}"
	wait_until 20 attribute_is ready 1
	udevadm settle
}

# said DISK COMMAND: runs COMMAND, a line of shell that finds the disk in $DISK, its name in $NAME and a folder in $MNT, and
# prints what it said and its status; what differs from disk to disk is masked. Each line runs on both disks before the next
# one does, so what it makes has $NAME in its own name.
said() {
	local status=0 name=${1##*/} number
	number=$(lsblk -ndo MAJ:MIN "$1" | tr -d ' ')
	{
		DISK=$1 NAME=$name MNT=$work/$name timeout "$((60 * ${TIMEOUT_FACTOR:-1}))" bash -c "$2" 2>&1 </dev/null 3<&- || status=$?
		echo "status $status"
	} | sed -E "s,$name,DISK,g; s,\b$number\b,NUMBER,g; s,(loop|abuse)\.img,FILE,g; s,\bloop\b,disk,g
		s,[0-9a-zA-Z]{6}(-[0-9a-zA-Z]{4}){5}-[0-9a-zA-Z]{6},UUID,g; s,[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12},UUID,g
		s,[0-9a-f]{8}(:[0-9a-f]{8}){3},UUID,g; s,[ 	]+, ,g; s, \$,,"
}

# compare <<END: lines of "works COMMAND" or "fails COMMAND", which is what it does on both disks, saying the same, or of
# "refused COMMAND": it fails on the abuse disk, in whatever words.
compare() {
	local wanted command on_loop on_abuse
	mkdir -p "$work/${loop##*/}" "$work/${abuse##*/}"
	while read -r wanted command; do
		[ -n "$wanted" ] || continue
		on_loop=$(said "$loop" "$command")
		on_abuse=$(said "$abuse" "$command")
		if case $wanted in
		works)	[[ $on_abuse = "$on_loop" && $on_abuse = *"status 0" ]] ;;
		fails)	[[ $on_abuse = "$on_loop" && $on_abuse != *"status "@(0|127) ]] ;;
		refused) [[ $on_abuse != *"status "@(0|127) ]] ;;
		esac then
			pass "$command"
		else
			differences=$((differences + 1)) count=$((count + 1))
			echo "not ok $count - $command ($wanted; loop <, abuse >)"
			diff <(echo "$on_loop") <(echo "$on_abuse") | sed 's/^/    /' || true
			[ "$on_loop" != "$on_abuse" ] || printf '    both: %s\n' "$on_loop"
		fi
	done
}

# The last line of a test.
all_alike() { [ "$differences" = 0 ]; }

# needs COMMAND...
needs() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || skip "no $tool here"
	done
}
