# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# shellcheck shell=bash
# Shared by the tests of abuse@.service in a guest: files of /etc/abuse that are gone afterwards, with the device, the
# unit and whatever fstab says of it. Sourced, never run.
# shellcheck source=tests/common/serve.sh
. "$TESTS/common/serve.sh"
[ -e '/usr/lib/systemd/system/abuse@.service' ] || skip "abuse@.service is not installed here"

# configure NAME LINE...: /etc/abuse/NAME.conf
configure() {
	mkdir -p /etc/abuse
	printf '%s\n' "${@:2}" >"/etc/abuse/$1.conf"
	on_exit forget "$1"
}
forget() {
	systemctl stop "abuse@$1.service"
	rm -rf "/etc/abuse/$1.conf" "/etc/systemd/system/abuse@$1.service.d"
	systemctl daemon-reload
	abusectl list "$1" >/dev/null 2>&1 || return 0
	abusectl reset "$1"
	udevadm settle
	holds 20 abusectl remove "$1"
}

main_pid() { systemctl show -P MainPID "abuse@$1.service"; }
is_active() { [ "$(systemctl is-active "$@" | sort -u)" = active ]; }
# column NAME COLUMN: of `abusectl list`
column() { abusectl list -nro "$2" "$1"; }
