# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# shellcheck shell=bash
# Shared by the tests that boot from a root file system on an abuse disk: a copy of the system on a second disk, whose
# server is started by the initial ramdisk. Sourced, never run.

image=''
eval "options=($GUEST_OPTIONS)"
[[ " ${options[*]} " != *" --modules "* ]] || skip "modules from the host are not in the ramdisk"
for ((i = 0; i < ${#options[@]}; i++)); do
	[ "${options[i]}" != --prepared ] || image=${options[i + 1]}
done
[ -n "$image" ] || image=$("$TESTS/vm/guest" prepare "$SUITE" "$TESTS/../build/deb/$SUITE"/*.deb)
kernel=$("$TESTS/vm/guest" path "$SUITE")
# shellcheck disable=SC2034
release=$(cat "$kernel/kernel-release")
cp --sparse=always --reflink=auto "$image" "$work/root.img"

# In the system, at native speed; $work is /src.
chroot_of_system() { "$TESTS/vm/guest" chroot "$SUITE" --bind "$work" --image "$image" -- "$@" >"$work/chroot.log" 2>&1 || fail "$* gave $?: $(tail -n 20 "$work/chroot.log")"; }

cat >"$work/inside" <<-'END'
	findmnt -no SOURCE /
	abusectl list -n -o state,trusted,servers,backing 0 | tr -s ' '
	server=$(abusectl list -n -o pids 0 | tr -d ' ')
	abusectl stop -t 1s 0 2>/dev/null || kill -0 "$server" && echo 'SIGTERM ends nothing'
	seq 1 200000 >/srv/last
	systemctl --no-block poweroff 2>/dev/null
	sleep 1000
END

boot_root() { # RAMDISK [PARAMETERS]
	local status=0
	in_guest --kernel "$kernel/vmlinuz" --qemu "-initrd $work/$1" --disk "$work/root.img" --console "$work/console" \
		--append "root=/dev/abuse0 abuse.root=file:/dev/vdb systemd.show_status=1 ${2-}" \
		--timeout "$((300 * ${TIMEOUT_FACTOR:-1}))" -- bash -c "$(cat "$work/inside")" >"$work/output" 2>"$work/err" || status=$?
	is "$status" 125 "the guest shut itself down"
	is "$(cat "$work/output")" "/dev/abuse0
up yes 1 file:/dev/vdb
SIGTERM ends nothing" "its root file system was on the disk"
	ok "it powered off" grep -qa 'reboot: Power down' "$work/console"
}

root_is_clean() {
	e2fsck -fn "$work/root.img" >"$work/e2fsck.log" 2>&1 || fail "e2fsck -fn gave $?: $(tail -n 20 "$work/e2fsck.log")"
	ok "the file system is clean" grep -qE '^Filesystem state: +clean$' <(dumpe2fs -h "$work/root.img" 2>/dev/null)
	debugfs -R 'cat /srv/last' "$work/root.img" 2>/dev/null | cmp - <(seq 1 200000) || fail "the bytes written last are missing"
	pass "with what was written last"
}
