# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# shellcheck shell=bash
# Shared by the tests of the backend nbd: NBD servers on a socket of their own, gone when the test ends. Sourced,
# never run.
# shellcheck source=tests/common/serve.sh
. "$TESTS/common/serve.sh"
command -v nbdkit >/dev/null && command -v qemu-nbd >/dev/null || skip "no nbdkit or qemu-nbd here"
socket=$work/nbd
# shellcheck disable=SC2034
backend="nbd:nbd+unix:///?socket=$socket"

# start_nbdkit ARGUMENT...: process id in $nbd, once it listens; what it says is in $work/nbdkit.
start_nbdkit() {
	rm -f "$socket"
	nbdkit --foreground --unix "$socket" "$@" >>"$work/nbdkit" 2>&1 &
	listens nbdkit
}

# start_qemu ARGUMENT...: the same of qemu-nbd, which takes up to 8 clients.
start_qemu() {
	rm -f "$socket"
	qemu-nbd --persistent --shared=8 --socket="$socket" "$@" >>"$work/qemu" 2>&1 &
	listens qemu
}

listens() {
	nbd=$!
	disown "$nbd"
	on_exit end_server "$nbd"
	holds 30 test -S "$socket" || fail "$1 does not listen: $(cat "$work/$1")"
}

# A file system of its own for what NBD servers keep, in $work/tmpfs: what was written is there after a kill.
keep() { # SIZE
	mkdir -p "$work/tmpfs"
	mount -t tmpfs -o "size=$1" tmpfs "$work/tmpfs"
	on_exit umount "$work/tmpfs"
}

# start_fio NAME SECONDS OPTION...: writes and reads at random, checking every block; process id in $fio.
start_fio() {
	fio --name="$1" --filename="$disk" --rw=randrw --bsrange=512-64k --ioengine=libaio --iodepth=32 --direct=1 \
		--verify=crc32c --verify_backlog=256 --verify_fatal=1 --serialize_overlap=1 --time_based --runtime="$2" \
		--output-format=json --output="$work/fio.json" "${@:3}" >"$work/fio.log" 2>&1 &
	fio=$!
	on_exit end_server "$fio"
}

# fio_is_right DESCRIPTION: it has ended well, having written and read something.
fio_is_right() {
	wait "$fio" || fail "$1: fio: $(cat "$work/fio.log" "$work/fio.json")"
	sed -n '/^{/,$p' "$work/fio.json" >"$work/result.json"
	is "$(jq '.jobs[0].error' "$work/result.json")" 0 "$1: no error"
	ok "$1: $(jq '.jobs[0].write.total_ios' "$work/result.json") writes, $(jq '.jobs[0].read.total_ios' "$work/result.json") reads" \
		jq -e '.jobs[0] | .write.total_ios > 50 and .read.total_ios > 50' "$work/result.json"
}

served() { attribute served; }
has_served() { [ "$(attribute served)" -gt "$1" ]; }
holds_some() { [ "$(attribute held)" -gt 0 ]; }
