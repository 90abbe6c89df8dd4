# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# shellcheck shell=bash
# Sourced by shell tests in a guest that serve devices with abusectl: a device of their own and
# servers that are gone when the test ends, however it ends.
# shellcheck source=tests/common/guest.sh
. "$TESTS/common/guest.sh"
command -v abusectl >/dev/null || skip "no abusectl here"
[ -d /sys/module/abuse ] || modprobe abuse
scratch

# new_device [KEY=VALUE]...: adds one, in $number and $disk.
# shellcheck disable=SC2120
new_device() {
	disk=$(abusectl add "$@")
	number=${disk#/dev/abuse}
	on_exit drop_device "$number"
	wait_until 20 test -b "$disk"
}

# Resets and removes; something, a udev worker say, may have the disk open for a moment.
drop_device() {
	[ -e "/sys/block/abuse$1" ] || return 0
	abusectl reset "$1"
	holds 20 abusectl remove "$1"
}

# start_server ARGUMENT...: `abusectl server` in the background, process id in $server, once it serves.
start_server() {
	local log
	log=$(mktemp "$work/server-XXXXXX")
	abusectl server "$@" >"$log" 2>&1 &
	server=$!
	disown "$server"
	on_exit end_server "$server"
	holds 30 grep -q ': serving ' "$log" || fail "abusectl server $* does not serve: $(cat "$log")"
}

# end_server PID [SIGNAL]: and waits until it is gone.
end_server() {
	kill "-${2:-KILL}" "$1" 2>/dev/null || return 0
	kill -CONT "$1" 2>/dev/null || true
	wait_until 30 gone "$1"
}
# pause_server PID: none of its threads takes another request; kill returns before they have stopped.
pause_server() {
	kill -STOP "$1"
	wait_until 20 is_paused "$1"
}
is_paused() { ! grep -h '^State:' /proc/"$1"/task/*/status | grep -qv '(stopped)'; }
gone() { [ ! -e "/proc/$1" ] || grep -q '^State:.*[ZX]' "/proc/$1/status"; }

attribute() { cat "/sys/class/abuse/abctl$number/$1"; }
attribute_is() { [ "$(attribute "$1")" = "$2" ]; }
is_waiting() { [ "$(attribute queued)" -gt 0 ]; }

# pattern SEED BYTES: bytes that differ by place and seed.
pattern() {
	seq -f "seed $1 number %.0f" "$((1 + $1 * 1000000))" "$((1 + $1 * 1000000 + $2 / 8))" 2>/dev/null | head -c "$2"
}

# ordinary_user: a user of the group, $uid, who has the directory $home and the limits that systemd gives everybody.
ordinary_user() {
	uid=$(id -u nobody)
	home=$work/home
	install -d -o nobody "$home"
	chmod 755 "$work"
	on_exit pkill -KILL -U "$uid" abusectl
}
# as COMMAND...: that user runs it there.
as() { (cd "$home" && ulimit -l 8192 && exec setpriv --reuid="$uid" --regid="$uid" --groups=abuse --inh-caps=-all --bounding-set=-all "$@"); }
# says STATUS PATTERN WHAT COMMAND...: it ends with that status, having said that.
says() {
	local status=0 said
	said=$(as "${@:4}" 2>&1) || status=$?
	is "$status" "$1" "$3"
	grep -qE -- "$2" <<<"$said" || fail "$3: said '$said', wanted /$2/"
}
