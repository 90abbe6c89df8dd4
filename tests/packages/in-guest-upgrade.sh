# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# shellcheck shell=bash
# The guest's half of the test of an upgrade under a mount.
TESTS=/host/tests
# shellcheck source=tests/common/packaged.sh
. "$TESTS/common/packaged.sh"
export DEBIAN_FRONTEND=noninteractive
debs=(/host/build/packages/"$SUITE"/*.deb)

old=$(dpkg-query -W -f '${source:Upstream-Version}' abuse-dkms)
modprobe abuse
mkdir -p /etc/abuse
printf 'backend = file:/var/lib/disk.img\nsize = 256M\nsealed = root\n' >/etc/abuse/upgrade.conf
systemctl start abuse@upgrade.service
disk=/dev/disk/by-id/abuse-upgrade
wait_until 30 test -b "$disk"
mkfs.ext4 -q "$disk"
mount "$disk" /mnt
server=$(systemctl show -p MainPID --value abuse@upgrade.service)
stop=/run/stop
writer() {
	local n=0
	while [ ! -e "$stop" ]; do
		n=$((n + 1))
		dd if=/usr/bin/bash of="/mnt/file$((n % 20))" bs=64K conv=fsync status=none || return 1
		sleep 0.2 # emulated processors have dpkg to run as well
	done
	echo "$n" >/run/written
}
writer &
writer=$!

# The compiler, which is emulated here, is not what this is about: DKMS is told to take what it would make.
mkdir -p /etc/dkms
printf '%s\n' 'PRE_BUILD=' 'MAKE[0]="cp /host/build/packages/'"$SUITE"'/module/abuse.ko abuse.ko"' >/etc/dkms/abuse-0.99.0.conf
ok "apt upgrades under the mount" apt-get -qqy install "${debs[@]}"
new=$(dpkg-query -W -f '${source:Upstream-Version}' abuse-dkms)
is_not "$new" "$old" "the packages are new"
is "$(cat /sys/module/abuse/version)" "$old" "the module loaded is still the old one"
is "$(systemctl show -p MainPID --value abuse@upgrade.service)" "$server" "the server is still the same"
touch "$stop"
ok "no write failed" wait "$writer"
note "$(cat /run/written) files were written and synced meanwhile"
umount /mnt
echo 3 >/proc/sys/vm/drop_caches
mount "$disk" /mnt
for file in /mnt/file*; do
	cmp "$file" /usr/bin/bash || fail "$file differs"
done
pass "every byte is right"
umount /mnt
ok "the file system is clean" e2fsck -fn "$disk"

systemctl stop abuse@upgrade.service
abusectl reset upgrade
udevadm settle
modprobe -r abuse
modprobe abuse
is "$(cat /sys/module/abuse/version)" "$new" "the next load takes the new module"
systemctl start abuse@upgrade.service
wait_until 30 test -b "$disk"
mount "$disk" /mnt
ok "which serves what the old one stored" cmp /mnt/file1 /usr/bin/bash

# stays WHY: the package of the utilities is not removed.
stays() {
	refused 'abuse-utils: /dev/abuse[0-9]* is in use: unmount it' "$1 the package stays" apt-get -qqy remove abuse-utils
	is "$(dpkg-query -W -f '${db:Status-Status}' abuse-utils)" installed "and is whole"
}
stays "while its disk is mounted"
ok "as is what is served" cmp /mnt/file2 /usr/bin/bash
umount /mnt
unshare --mount sh -c 'mount "$1" /mnt && touch /run/mounted && exec sleep 1000' sh "$disk" &
elsewhere=$!
wait_until 30 test -e /run/mounted
stays "while it is mounted in another namespace"
kill "$elsewhere"
wait "$elsewhere" 2>/dev/null || true
loop=$(losetup --find --show "$disk")
stays "while it is behind a loop device"
losetup --detach "$loop"
wait_until 30 grep -qx 0 "/sys/class/abuse/abctl$(abusectl list -nro number upgrade)/openers"

ok "the packages go while a unit serves" apt-get -qqy purge abuse-dkms abuse-utils libabuse0 libabuse-dev python3-abuse
fails "the unit is gone" systemctl is-active --quiet abuse@upgrade.service
kernel_is_content
