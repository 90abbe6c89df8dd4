/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * A major number that is taken, block or character, makes the load fail with
 * EBUSY and one line in the kernel log that names it; nothing is left of the
 * attempt. Number 0 chooses a free one.
 */
#include "abuse.h"

/* The first major of a section of /proc/devices that modprobe could ask for. */
static int taken_major(const char *section)
{
	FILE *file = fopen("/proc/devices", "r");
	char line[128];
	bool inside = false;
	int number = 0, n;

	while (file && fgets(line, sizeof(line), file)) {
		if (strstr(line, "devices:"))
			inside = !strncmp(line, section, strlen(section));
		else if (inside && sscanf(line, "%d", &n) == 1 && n != 259 && !number)
			number = n;
	}
	if (file)
		fclose(file);
	return number;
}

static void refused(const char *parameter, int number)
{
	is(shell("modprobe abuse %s=%d >/run/abuse-test-said 2>&1", parameter, number), 1,
	   "exit status of modprobe");
	is(shell("grep -q 'Device or resource busy' /run/abuse-test-said"), 0,
	   "what it says is EBUSY");
	ok(access("/sys/module/abuse", F_OK) && access("/sys/class/abuse", F_OK),
	   "nothing is loaded");
	is(shell("dmesg | grep -q 'abuse: .*major %d .*taken'", number), 0,
	   "the kernel log names the number");
}

int main(void)
{
	struct device d;
	struct stat st;
	struct ram *ram;
	unsigned char *store = memory_new(1 * MIB);
	int block, character;

	test_begin();
	need(!module_reload("%s", ""), "the module to load");
	need(wait_for(!shell("modprobe -r abuse")), "the module to unload");
	block = taken_major("Block");
	character = taken_major("Character");
	need(block && character, "majors that are taken");
	refused("major", block);
	refused("ctl_major", character);
	unlink("/run/abuse-test-said");

	is(shell("modprobe abuse major=0 ctl_major=0"), 0, "majors of the kernel's choice");
	d = device_new();
	need(!stat(d.disk, &st), "stat %s", d.disk);
	ok(major(st.st_rdev) && major(st.st_rdev) != ABUSE_MAJOR, "block major %u",
	   major(st.st_rdev));
	need(!stat(d.node, &st), "stat %s", d.node);
	ok(major(st.st_rdev) && major(st.st_rdev) != ABUSECTL_MAJOR,
	   "character major %u", major(st.st_rdev));
	set_up(&d, 1 * MIB, 0);
	ram = ram_start(&d, store, 1 * MIB);
	is(io_end(io_write(&d, 0, 4096, 1)), 0, "it serves");
	ram_stop(ram);
	is(device_remove(d.number), 0, "REMOVE");
	ok(wait_for(!shell("modprobe -r abuse")), "it unloads");
	ok(!shell("modprobe abuse major=200 ctl_major=201"), "majors of our choice");
	need(!stat("/dev/abuse0", &st), "stat");
	is(major(st.st_rdev), 200, "block major");
	need(!stat("/dev/abctl0", &st), "stat");
	is(major(st.st_rdev), 201, "character major");
	return done();
}
