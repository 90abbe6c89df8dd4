/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * Values that module/params.c refuses for an empty device, abusectl refuses before, and nothing
 * else: all combinations of keys that depend on each other. It names the key, the value
 * and what is allowed.
 * cflags: -luuid
 */
#include "said.h"

#include "../../module/params.c"
#include "../../utils/abusectl/parse.c"
#include "../../utils/abusectl/keys/key.c"
#include "../../utils/abusectl/keys/setup-keys.c"
#include "../../utils/abusectl/keys/setup.c"

int invalid(const char *subject, const char *format, ...)
{
	(void)subject;
	(void)format;
	return EXIT_USAGE;
}

const char *device_name(unsigned int number)
{
	(void)number;
	return "abuse7";
}

int device_failed(unsigned int number, const char *operation, int err)
{
	return failed(device_name(number), "cannot %s: %d", operation, err);
}

int identity_taken(const char *subject, unsigned int number, const char *name,
		   const uint8_t uuid[16])
{
	(void)number;
	(void)uuid;
	return failed(subject, "taken: %s", name);
}

void complete_item(const char *word, const char *item, const char *about)
{
	(void)word;
	(void)item;
	(void)about;
}

static struct settings settings_of(const char *list)
{
	struct settings settings = { .params.capacity = 1 << 20 };
	char text[256], *at = text, *key, *value;

	snprintf(text, sizeof(text), "%s", list);
	while (parse_pair(&at, &key, &value))
		if (settings_take(&settings, "7", key, value) != EXIT_OK)
			fail("%s of %s", key, list);
	return settings;
}

static struct abuse_params device(void)
{
	struct abuse_params now = { .number = 7, .hw_queues = 2, .depth = 64 };

	parse_name("disk", now.name);
	parse_uuid("01234567-89ab-cdef-0123-456789abcdef", now.uuid);
	return now;
}

/* Does abusectl judge as the module does? */
static bool agree(const char *list)
{
	struct settings settings = settings_of(list);
	struct abuse_params now = device(), params = settings.params;
	const struct abuse_abilities kernel = {
		(unsigned int)sysconf(_SC_PAGESIZE), (unsigned int)sysconf(_SC_PAGESIZE), 0,
	};
	bool here = settings_check(&settings, &now) == EXIT_OK;
	bool there = !abuse_params_complete(&params, 128, &kernel);

	return here == there;
}

static const char *const choices[][6] = {
	{ "", ",bs=4096", ",bs=512" },
	{ "", ",pbs=4096", ",pbs=64K" },
	{ "", ",io_min=4096", ",io_min=128K", ",io_min=520" },
	{ "", ",io_opt=0", ",io_opt=128K", ",io_opt=1000" },
	{ "", ",discard", ",discard,write_zeroes", ",fua", ",fua,write_cache", ",rotational" },
	{ "", ",max_discard=512", ",max_discard=4K", ",max_discard=64K" },
	{ "", ",discard_granularity=512", ",discard_granularity=64K",
	  ",discard_granularity=1G" },
	{ "", ",max_write_zeroes=512", ",max_write_zeroes=64K", ",max_write_zeroes=1000" },
};

#define NR_CHOICES	(sizeof(choices) / sizeof(*choices))

static unsigned int compared, disagreed;

static void compare_all(const char *so_far, size_t n)
{
	char list[256];
	size_t i;

	if (n == NR_CHOICES) {
		compared++;
		if (!agree(so_far) && !disagreed++)
			ok(false, "judged otherwise by the module: %s (%s)", so_far, said);
		return;
	}
	for (i = 0; i < 6 && choices[n][i]; i++) {
		snprintf(list, sizeof(list), "%s%s", so_far, choices[n][i]);
		compare_all(list, n + 1);
	}
}

static void says(int ret, int status, const char *list, const char *text)
{
	ok(ret == status && strstr(said, text), "%s: '%s', wanted '%s'", list, said, text);
	*said = '\0';
}

static void refuses(const char *list, const char *text)
{
	struct settings settings = settings_of(list);
	struct abuse_params now = device();

	says(settings_check(&settings, &now), EXIT_USAGE, list, text);
}

static void differs_from_what_is_up(const char *list, const char *text)
{
	struct settings settings = settings_of(list);
	struct abuse_params now = device();

	now.capacity = 1 << 20;
	now.logical_block_size = 512;
	now.features = ABUSE_F_DISCARD;
	says(settings_match(&settings, &now), EXIT_FAILED, list, text);
}

/* @err comes back from the module for a device of @owner in @state. */
static void is_refused(const char *list, uint32_t owner, uint32_t state, int err,
		       const char *text)
{
	struct settings settings = settings_of(list);
	struct abuse_params now = device();

	now.owner = owner;
	now.state = state;
	says(settings_refused(&settings, &now, err), EXIT_FAILED, list, text);
}

int main(void)
{
	compare_all("size=1M", 0);
	ok(compared > 1000 && !disagreed, "%u of %u lists judged otherwise", disagreed, compared);

	refuses("discard,max_discard=4K,discard_granularity=64K",
		"abuse7: max_discard=4096: must be from discard_granularity=65536 to 4294967295");
	refuses("pbs=64K,discard,max_discard=4K",
		"max_discard=4096: must be from pbs=65536 to 4294967295");
	refuses("pbs=64K,discard,max_discard=4K,discard_granularity=4K",
		"max_discard=4096: must be from pbs=65536");
	says(settings_check(&(struct settings){ .given = 0 }, &(struct abuse_params){ .depth = 1 }), EXIT_FAILED,
	     "an empty store", "size=0: a disk has at least one block");
	refuses("max_discard=4K", "max_discard: must come with discard");
	refuses("bs=4096,pbs=512", "pbs=512: must be a multiple of bs=4096");
	refuses("qs=129", "qs=129: must be from 1 to 128");
	refuses("name=other", "name=other: the device has the name disk");
	refuses("uuid=00000000-0000-0000-0000-000000000001",
		"uuid=00000000-0000-0000-0000-000000000001: the device has the UUID 01234567-");

	differs_from_what_is_up("bs=4096", "bs=4096: the device is up with 512;");
	differs_from_what_is_up("discard=0", "discard=0: the device is up with 1;");
	differs_from_what_is_up("name=x", "name=x: the device is up with disk;");
	differs_from_what_is_up("ro", "abuse7: ro: the device is up with rw;");
	differs_from_what_is_up("sealed=5", "sealed=5: the device is up with none;");
	differs_from_what_is_up("qs=129,reconnect", "qs=129: must be from 1 to 128");

	is_refused("sealed", 0, ABUSE_S_EMPTY, EPERM, "sealed: needs CAP_SYS_ADMIN");
	is_refused("timeout=never", 1000, ABUSE_S_EMPTY, EPERM, "timeout: on a user's device");
	is_refused("sealed,timeout=never", 0, ABUSE_S_EMPTY, EPERM, "sealed: needs");
	is_refused("sealed,timeout=never", 1000, ABUSE_S_EMPTY, EPERM, "sealed, or a timeout");
	is_refused("sealed,timeout=never,reconnect", 1000, ABUSE_S_UP, EPERM, "timeout: on");
	is_refused("name=disk", 0, ABUSE_S_EMPTY, EEXIST, "taken: disk");
	return done();
}
