#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# dracut: a root file system on an abuse disk, see abuse(7).

check() {
	require_binaries abusectl blkid || return 1
	# require_kernel_modules is new in dracut 058.
	# shellcheck disable=SC2154
	modinfo -k "$kernel" abuse >/dev/null 2>&1 || return 1
}

depends() {
	echo rootfs-block shutdown
}

installkernel() {
	instmods abuse
}

install() {
	local dir

	inst_multiple abusectl blkid mount umount sed cat mkdir modprobe
	inst_libdir_file 'libnbd.so.0*'
	# dracut looks for the libraries of executable files alone, which a library is not everywhere.
	# shellcheck disable=SC2154
	for dir in $libdirs; do
		[ -e "$dir/libnbd.so.0" ] || continue
		# shellcheck disable=SC2046
		inst_multiple $(ldd "$dir/libnbd.so.0" | sed -n 's,.*=> \(/[^ ]*\).*,\1,p')
	done
	inst_rules 60-abuse.rules
	inst_simple /usr/lib/abuse/root-server
	# shellcheck disable=SC2154
	inst_hook cmdline 90 "$moddir/parse-abuse.sh"
	inst_hook shutdown 20 "$moddir/shutdown-abuse.sh"
}
