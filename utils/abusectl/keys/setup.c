// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Settings against each other and against the device they are for: what cannot be is
 * refused before the module is asked, and what the module refuses is explained. The
 * keys themselves are in setup-keys.c. Touches no device.
 */
#include "setup.h"
#include "cmd.h"
#include "parse.h"

#include <errno.h>
#include <string.h>

static const char *about;		/* messages name it in place of a device */

static const char *name_of(unsigned int number)
{
	return about ? about : device_name(number);
}

static int check_queue(const struct abuse_params *params,
		       const struct abuse_params *now)
{
	uint32_t most = now->hw_queues * now->depth;

	if (params->queue_limit <= most)
		return EXIT_OK;
	return failed(name_of(now->number), "qs=%u: must be from 1 to %u, hw_queues "
		      "times depth of the device", params->queue_limit, most);
}

/* Refuses a @value of key @name that is no multiple of @unit, key @of. */
static int check_multiple(unsigned int number, const char *name, uint64_t value,
			  const char *of, uint64_t unit)
{
	if (value % unit == 0)
		return EXIT_OK;
	return failed(name_of(number), "%s=%llu: must be a multiple of %s=%llu",
		      name, (unsigned long long)value, of, (unsigned long long)unit);
}

/* Refuses key @name if it is set without its @feature. */
static int check_needs(const struct settings *settings, unsigned int number,
		       const char *name, uint64_t feature, const char *needed)
{
	if (!settings_has(settings, name) || settings->params.features & feature)
		return EXIT_OK;
	return failed(name_of(number), "%s: must come with %s", name, needed);
}

/* The default is large enough for every other value. */
static int check_max_discard(const struct abuse_params *params, unsigned int number,
			     uint64_t pbs)
{
	bool is_fine = params->discard_granularity > pbs;
	uint64_t least = is_fine ? params->discard_granularity : pbs;

	if (!params->max_discard || params->max_discard >= least)
		return EXIT_OK;
	return failed(name_of(number), "max_discard=%llu: must be from %s=%llu to %llu",
		      (unsigned long long)params->max_discard,
		      is_fine ? "discard_granularity" : "pbs", (unsigned long long)least,
		      (unsigned long long)SETTINGS_MAX_DISCARD);
}

/* Name and UUID that were given at "add" stay. */
static int check_identity(const struct abuse_params *params,
			  const struct abuse_params *now)
{
	static const uint8_t none[sizeof(now->uuid)];
	char wanted[UUID_TEXT], has[UUID_TEXT];

	if (*params->name && *now->name && strcmp(params->name, now->name))
		return failed(name_of(now->number), "name=%s: the device has the name "
			      "%s, which cannot change", params->name, now->name);
	if (memcmp(params->uuid, none, sizeof(none)) &&
	    memcmp(now->uuid, none, sizeof(none)) &&
	    memcmp(params->uuid, now->uuid, sizeof(none)))
		return failed(name_of(now->number), "uuid=%s: the device has the UUID "
			      "%s, which cannot change", format_uuid(params->uuid, wanted),
			      format_uuid(now->uuid, has));
	return EXIT_OK;
}

static int check_operations(const struct settings *settings, unsigned int number,
			  uint64_t bs, uint64_t pbs)
{
	const struct abuse_params *params = &settings->params;

	if (params->features & ABUSE_F_FUA &&
	    !(params->features & ABUSE_F_WRITE_CACHE))
		return failed(name_of(number), "fua: must come with write_cache");
	return check_needs(settings, number, "max_discard", ABUSE_F_DISCARD,
			   "discard") ||
	       check_needs(settings, number, "discard_granularity", ABUSE_F_DISCARD,
			   "discard") ||
	       check_needs(settings, number, "max_write_zeroes",
			   ABUSE_F_WRITE_ZEROES, "write_zeroes") ||
	       check_multiple(number, "discard_granularity",
			      params->discard_granularity, "bs", bs) ||
	       check_multiple(number, "max_discard", params->max_discard, "bs", bs) ||
	       check_max_discard(params, number, pbs) ||
	       check_multiple(number, "max_write_zeroes", params->max_write_zeroes,
			      "bs", bs);
}

int settings_check(const struct settings *settings,
		   const struct abuse_params *now)
{
	const struct abuse_params *params = &settings->params;
	uint64_t bs = params->logical_block_size ? params->logical_block_size : 512;
	uint64_t pbs = params->physical_block_size ? params->physical_block_size : bs;
	uint64_t io_min = params->io_min ? params->io_min : pbs;
	unsigned int number = now->number;

	if (!params->capacity)
		return failed(name_of(number), "size=0: a disk has at least one block");
	return check_queue(params, now) ||
	       check_identity(params, now) ||
	       check_multiple(number, "size", params->capacity, "bs", bs) ||
	       check_multiple(number, "pbs", pbs, "bs", bs) ||
	       check_multiple(number, "io_min", io_min, "pbs", pbs) ||
	       check_multiple(number, "io_opt", params->io_opt, "io_min", io_min) ||
	       check_operations(settings, number, bs, pbs) ?
		EXIT_USAGE : EXIT_OK;
}

int settings_check_alone(const struct settings *settings, const char *subject)
{
	/* The most that any device has */
	static const struct abuse_params any = { .hw_queues = 64, .depth = 1024 };
	int ret;

	about = subject;
	ret = settings_check(settings, &any);
	about = NULL;
	return ret;
}

int settings_match(const struct settings *settings,
		   const struct abuse_params *now)
{
	struct difference difference;

	if (settings_differ(settings, now, &difference) &&
	    !strncmp(difference.wanted, "size=", strlen("size=")))
		return failed(name_of(now->number), "%s: the device is up with %s; leave the "
			      "key out, or change it with 'abusectl resize %u %s'",
			      difference.wanted, difference.has, now->number,
			      difference.wanted + strlen("size="));
	if (settings_differ(settings, now, &difference))
		return failed(name_of(now->number), "%s: the device is up with %s; "
			      "leave the key out, or 'abusectl reset %u' first (ends all "
			      "I/O)", difference.wanted, difference.has, now->number);
	return check_queue(&settings->params, now);
}

/* CAP_SYS_ADMIN is missing for one of these, unless the device was sealed just now. */
static int not_permitted(const struct settings *settings,
			 const struct abuse_params *now)
{
	const char *name = name_of(now->number);
	bool seals = settings_has(settings, "sealed") && now->state != ABUSE_S_UP;
	bool waits = settings_has(settings, "timeout") && now->owner;

	if (seals && waits)
		return failed(name, "sealed, or a timeout above the module's user_timeout, "
			      "needs CAP_SYS_ADMIN");
	if (seals)
		return failed(name, "sealed: needs CAP_SYS_ADMIN, as root has it outside "
			      "containers");
	if (waits)
		return failed(name, "timeout: on a user's device at most that of "
			      "/sys/module/abuse/parameters/user_timeout; more, or "
			      "never, needs CAP_SYS_ADMIN");
	return device_failed(now->number, "configure it", EPERM);
}

int settings_refused(const struct settings *settings,
		     const struct abuse_params *now, int err)
{
	const struct abuse_params *params = &settings->params;
	unsigned int number = now->number;
	const char *name = name_of(number);
	unsigned long long size = params->capacity;

	switch (err) {
	case EBUSY:
		if (params->flags & ABUSE_PARAMS_SEALED && !settings->reconnect)
			return failed(name, "is up, its disk is claimed (mounted, swap, md), "
				      "or somebody else than root has it open ('abusectl "
				      "detach --dry-run %u' names the process); 'abusectl reset %u' or "
				      "close it first", number, number);
		return failed(name, settings->reconnect ?
			      "is in use: its disk is claimed (mounted, swap, md), or a "
			      "value differs that cannot change while it is up" :
			      "is up or its disk is claimed (mounted, swap, md); pass "
			      "reconnect to change it, or 'abusectl reset %u' first",
			      number);
	case EEXIST:
		return identity_taken(name, number, params->name, params->uuid);
	case EFBIG:
		return failed(name, "size=%llu: more than this kernel can address",
			      size);
	case EPERM:
		return not_permitted(settings, now);
	case EINVAL:
		return failed(name, "size=%llu bs=%u qs=%u: refused by the module, whose "
			      "version differs from this program's; load the module of the same "
			      "version",
			      size, params->logical_block_size, params->queue_limit);
	case E2BIG:
	case ENOTTY:
		return failed(name, "the module loaded is older than this program and "
			      "lacks these keys; load the one of the same version");
	}
	return device_failed(number, "configure it", err);
}
