/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * abusectl add, when the module says no: number, name or UUID is blamed, whichever another
 * device has; and who may not is told what is needed.
 * cflags: -luuid
 */
#include "said.h"

#include "../../utils/abusectl/parse.c"
#include "../../utils/abusectl/device.c"

#define UUID	"01234567-89ab-cdef-0123-456789abcdef"

static const struct abuse_dev devs[] = {
	{ .number = 0, .state = "empty" },
	{ .number = 3, .state = "up", .name = "disk", .uuid = UUID },
	{ .number = 4, .state = "up", .name = "other" },
};

static int error;
static bool is_gone;		/* who had it, by the time one looks */

int abuse_ctl_add_sized(struct abuse_add *add, size_t size)
{
	(void)add;
	(void)size;
	return -error;
}

int abuse_ctl_add_open_sized(struct abuse_add *add, size_t size, struct abuse_params *params,
			     size_t params_size)
{
	(void)params;
	(void)params_size;
	return abuse_ctl_add_sized(add, size);
}

int abuse_dev_each(int (*fn)(const struct abuse_dev *dev, void *arg), void *arg)
{
	int ret = 0;
	size_t i;

	for (i = 0; i < 3 && !ret && !is_gone; i++)
		ret = fn(&devs[i], arg);
	return ret;
}

int abuse_dev_stat(unsigned int number, struct abuse_dev *dev)
{
	size_t i;

	for (i = 0; i < 3 && !is_gone; i++)
		if (devs[i].number == number)
			return *dev = devs[i], 0;
	return -ENODEV;
}

int abuse_dev_open(const char *text)
{
	(void)text;
	return -ENODEV;
}

bool abuse_dev_is_loaded(void)
{
	return true;
}

int abuse_ctl_get_status(int fd, struct abuse_info *info)
{
	(void)fd;
	(void)info;
	return -ENODEV;
}

int abuse_ctl_get_free(void)
{
	return -ENODEV;
}

const char *module_remedy(void)
{
	return "";
}

static void says(int err, uint32_t number, const char *name, const char *uuid, const char *text)
{
	struct abuse_add add = { .number = number, .owner = 5 };

	if (*name && !strcmp(name, "owner"))
		add.flags = ABUSE_ADD_OWNER;
	else if (*name)
		must(!parse_name(name, add.name), "%s", name);
	if (*uuid)
		must(!parse_uuid(uuid, add.uuid), "%s", uuid);
	error = err;
	is(device_add(&add), EXIT_FAILED, "status");
	ok(strstr(said, text), "'%s', wanted '%s'", said, text);
}

int main(void)
{
	const uint32_t any = ABUSE_NUMBER_ANY;
	struct abuse_add own = { .name = "disk" };

	says(EEXIST, any, "disk", "", "new device: name=disk: abuse3 has it");
	says(EEXIST, any, "", UUID, "new device: uuid=" UUID ": abuse3 has it");
	says(EEXIST, any, "free", "01234567-89AB-CDEF-0123-456789ABCDEF",
	     "uuid=" UUID ": abuse3 has it");
	says(EEXIST, any, "other", "00000000-0000-0000-0000-000000000001",
	     "name=other: abuse4 has it");
	says(EEXIST, 4, "free", "", "abuse4: the number is taken");
	says(EEXIST, 5, "disk", "", "abuse5: name=disk: abuse3 has it");
	is_gone = true;
	says(EEXIST, any, "disk", "", "the name or the UUID is taken");
	says(EEXIST, 4, "", UUID, "the name or the UUID is taken");
	is_gone = false;

	/* Its own does not count, as at set-up. */
	identity_taken("abuse3", 3, own.name, own.uuid);
	ok(strstr(said, "the name or the UUID is taken"), "'%s'", said);

	says(EPERM, any, "owner", "", "owner=5: needs CAP_SYS_ADMIN");
	says(EPERM, any, "", "", "uid 0 needs CAP_SYS_ADMIN");
	says(ENOSPC, any, "", "", "raise max_abuse");
	says(ENOSPC, 9, "", "", "abuse9: the module has no such number");
	return done();
}
