# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# shellcheck shell=bash
# Functions for all shell tests, on the host and in a guest: checks that print TAP lines and end the test when
# they fail, a cleanup stack, skipping with a reason, waiting for conditions. Sourced, never run.
set -eEu
export PATH=$PATH:/usr/sbin:/sbin
count=0
cleanup=()

# on_exit COMMAND...: is run when the test ends, however it ends; last in, first out.
on_exit() { cleanup+=("$(printf '%q ' "$@")"); }
run_cleanup() {
	local status=$? i
	trap - EXIT ERR
	set +e
	for ((i = ${#cleanup[@]} - 1; i >= 0; i--)); do
		eval "${cleanup[i]}"
	done
	exit "$status"
}
trap run_cleanup EXIT
trap 'exit 143' TERM INT HUP
trap 'echo "not ok - ${BASH_SOURCE[0]##*/} line $LINENO: $BASH_COMMAND"' ERR

note() { echo "# $*"; }
pass() { count=$((count + 1)); echo "ok $count - $*"; }
fail() { trap - ERR; echo "not ok $((count + 1)) - $*"; exit 1; }
skip() { trap - ERR; echo "skip: $*"; exit 77; }

# ok DESCRIPTION COMMAND...: COMMAND succeeds. `check` is the same thing.
ok() {
	local description=$1
	shift
	"$@" || fail "$description ($* gave $?)"
	pass "$description"
}
check() { ok "$@"; }

# fails DESCRIPTION COMMAND...: COMMAND ends with a status other than 0.
fails() {
	local description=$1
	shift
	if "$@"; then
		fail "$description ($* succeeded)"
	fi
	pass "$description"
}

# refused PATTERN DESCRIPTION COMMAND...: COMMAND fails and says, on either stream, what the extended regular
# expression PATTERN matches.
refused() {
	local pattern=$1 description=$2 said
	shift 2
	if said=$("$@" 2>&1); then
		fail "$description ($* succeeded and said: $said)"
	fi
	grep -qE -- "$pattern" <<<"$said" || fail "$description ($* said: $said)"
	pass "$description"
}

# is GOT WANTED DESCRIPTION, is_not GOT UNWANTED DESCRIPTION
is() { [ "$1" = "$2" ] || fail "$3 (got '$1', wanted '$2')"; pass "$3"; }
is_not() { [ "$1" != "$2" ] || fail "$3 (got '$1')"; pass "$3"; }

# holds SECONDS COMMAND...: COMMAND succeeds within SECONDS; asks ten times a second. wait_until fails the test
# if it does not.
holds() {
	local deadline=$((SECONDS + $1 * ${TIMEOUT_FACTOR:-1}))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.1
	done
}
wait_until() { holds "$@" || fail "not within $1 s: ${*:2}"; }

# A folder of this test's own, gone afterwards, in $work.
scratch() {
	work=$(mktemp -d)
	on_exit rm -rf "$work"
}
