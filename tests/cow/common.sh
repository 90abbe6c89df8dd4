# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# shellcheck shell=bash
# Shared by the tests of the backend cow: a base with bytes of its own, on a file system that keeps holes. Sourced,
# never run.
# shellcheck source=tests/common/serve.sh
. "$TESTS/common/serve.sh"

# keep SIZE: a file system of its own, in $store, with room for SIZE.
keep() {
	store=$work/store
	mkdir "$store"
	mount -t tmpfs -o "size=$1" tmpfs "$store"
	on_exit umount "$store"
}

# make_base BYTES: $base, in $store, every byte of it other than zero, and what it is in $base_sum.
make_base() {
	base=$store/base
	pattern 7 "$1" >"$base"
	is "$(stat -c %s "$base")" "$1" "size of the base"
	chmod 444 "$base"
	base_sum=$(sha256sum <"$base")
}

base_is_as_it_was() { is "$(sha256sum <"$base")" "$base_sum" "the base is as it was, bit by bit"; }
