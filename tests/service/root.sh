# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# shellcheck shell=bash
# Shared by the tests that boot from a root file system on an abuse disk: a copy of the system on a second disk, whose
# server is started by the initial ramdisk. The array packages names what the system needs besides. Sourced, never run.

system_image "are not in the ramdisk"
# shellcheck disable=SC2154
[ ${#packages[@]} = 0 ] || image=$("$TESTS/vm/guest" prepare "$SUITE" --image "$image" "${packages[@]}")
kernel=$("$TESTS/vm/guest" path "$SUITE")
# shellcheck disable=SC2034
release=$(cat "$kernel/kernel-release")
# The image with the root file system
root=$image

# In the system, at native speed; $work is /src.
chroot_of_system() { "$TESTS/vm/guest" chroot "$SUITE" --bind "$work" --image "$image" -- "$@" >"$work/chroot.log" 2>&1 || fail "$* gave $?: $(tail -n 20 "$work/chroot.log")"; }

make_initramfs_tools() {
	cat >"$work/make" <<-'END'
		cp -r /etc/initramfs-tools /tmp/conf
		printf '%s\n' MODULES=list COMPRESS=gzip COMPRESSLEVEL=1 >/tmp/conf/conf.d/small
		printf '%s\n' virtio_pci virtio_blk virtio_net ext4 >>/tmp/conf/modules
		mkinitramfs -d /tmp/conf -o /src/initrd "$1"
	END
	chroot_of_system sh -eu /src/make "$release"
}

copy_root() {
	root=$work/root.img
	cp --sparse=always --reflink=auto "$image" "$root"
}

# The one that dracut makes by default is far larger. The system unpacks it at shutdown.
make_dracut() {
	chroot_of_system dracut --kver "$release" --no-hostonly --no-hostonly-cmdline --force --gzip \
		--modules 'systemd systemd-initrd dracut-systemd kernel-modules rootfs-block base shutdown systemd-networkd network abuse' \
		--drivers 'virtio_pci virtio_blk virtio_net ext4 abuse' --filesystems ext4 /src/initrd
	printf '%s\n' "write $work/initrd /boot/initrd.img-$release" | debugfs -w -f - "$root" >"$work/debugfs.log" 2>&1
}

cat >"$work/inside" <<-'END'
	findmnt -no SOURCE /
	abusectl list -n -o state,trusted,servers,backing 0 | tr -s ' '
	server=$(abusectl list -n -o pids 0 | tr -d ' ')
	! abusectl stop -t 1s 0 2>/dev/null && kill -0 "$server" && echo 'SIGTERM ends nothing'
	seq 1 200000 >/srv/last
	systemctl --no-block poweroff 2>/dev/null
	sleep 1000
END

boot_root() { # RAMDISK PARAMETERS STORE QEMU [OPTION]...: STORE as abusectl list names it, OPTIONs of in_guest
	local status=0
	in_guest --kernel "$kernel/vmlinuz" --qemu "-initrd $work/$1 $4" --console "$work/console" \
		--append "root=/dev/abuse0 $2 systemd.show_status=1" "${@:5}" \
		--timeout "$((300 * ${TIMEOUT_FACTOR:-1}))" -- bash -c "$(cat "$work/inside")" >"$work/output" 2>"$work/err" || status=$?
	is "$status" 125 "the guest shut itself down"
	is "$(cat "$work/output")" "/dev/abuse0
up yes 1 $3
SIGTERM ends nothing" "its root file system was on the disk"
	ok "it powered off" grep -qa 'reboot: Power down' "$work/console"
}

# An NBD server for what this host has in root.img: one process for each connection to this address, in the guest's network.
offer_nbd() {
	printf '#!/bin/sh\nexec nbdkit -s file %s 2>>%s\n' "$root" "$work/nbdkit.log" >"$work/nbd"
	chmod +x "$work/nbd"
	# shellcheck disable=SC2034
	nbd="-netdev user,id=net,restrict=on,guestfwd=tcp:10.0.2.100:10809-cmd:$work/nbd -device virtio-net-pci,netdev=net"
}

root_is_clean() {
	e2fsck -fn "$root" >"$work/e2fsck.log" 2>&1 || fail "e2fsck -fn gave $?: $(tail -n 20 "$work/e2fsck.log")"
	ok "the file system is clean" grep -qE '^Filesystem state: +clean$' <(dumpe2fs -h "$root" 2>/dev/null)
	debugfs -R 'cat /srv/last' "$root" 2>/dev/null | cmp - <(seq 1 200000) || fail "the bytes written last are missing"
	pass "with what was written last"
}
