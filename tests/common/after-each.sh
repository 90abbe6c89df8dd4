#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Run in the guest after each test: nothing of it may be left. Whatever is said here and a status other than 0
# fail the test that just ran.
set -u
[ -d /sys/module/abuse ] || exit 0
[ "$(cat /sys/module/abuse/initstate 2>/dev/null)" = live ] || exit 0
# udev may be at work on what the test made or loaded; what was left behind stays.
end=$((SECONDS + 20 * ${TIMEOUT_FACTOR:-1}))
until said=$(modprobe -r abuse 2>&1); do
	if [ "$SECONDS" -ge "$end" ]; then
		echo "the module cannot be unloaded after this test: $said"
		ls -d /sys/block/abuse* 2>/dev/null
		exit 1
	fi
	sleep 0.2
done
