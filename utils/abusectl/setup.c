// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The keys of set-up as one table: spelling, range, place in struct
 * abuse_params. Parsing, range messages, comparison with a device that is up,
 * and help all come from it. Touches no device.
 */
#include "setup.h"
#include "cmd.h"
#include "complete.h"
#include "parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum kind { SIZE32, SIZE64, FEATURE, NAME, UUID, SECONDS, SEAL, MODE, RECONNECT };

#define ANY_SIZE	INT64_MAX
#define PAGE		0		/* as min or max: what this machine's page is */
#define MAX_PLAIN_QUEUE	512		/* more is newer than 2009 */

/* What a number must be, beside between min and max. */
#define POWER_OF_TWO	1
#define MULTIPLE_4096	2
#define OR_ZERO		4

struct key {
	const char *names[4];		/* the first is the one in messages */
	enum kind kind;
	size_t offset;			/* in struct abuse_params */
	uint64_t min, max;
	unsigned int rules;
	uint64_t bit;			/* of flags or features */
	bool plain;			/* known to 2009 */
	const char *help;
};

#define AT(field)	offsetof(struct abuse_params, field)

static const struct key keys[] = {
	{ { "size", "sz" }, SIZE64, AT(capacity), 512, ANY_SIZE, 0, 0, true,
	  "capacity, a multiple of bs (default 16M)" },
	{ { "bs", "blocksize" }, SIZE32, AT(logical_block_size), 512, PAGE,
	  POWER_OF_TWO, 0, true, "logical block size (default 4096)" },
	{ { "qs", "queuesize", "queusize" }, SIZE32, AT(queue_limit), 1, 65536, 0, 0,
	  true, "requests handed out at once (default 128)" },
	{ { "ro" }, MODE, 0, 0, 0, 0, 1, true, "make it read-only" },
	{ { "rw" }, MODE, 0, 0, 0, 0, 0, true, "make it writable (default)" },
	{ { "reconnect" }, RECONNECT, 0, 0, 0, 0, 0, true,
	  "change qs, ro, rw, timeout of a device that is up" },
	{ { "name" }, NAME, AT(name), 0, 0, 0, 0, false,
	  "1 to 31 of A-Z a-z 0-9 . _ -; unique" },
	{ { "uuid" }, UUID, AT(uuid), 0, 0, 0, 0, false, "unique" },
	{ { "pbs" }, SIZE32, AT(physical_block_size), 512, 1U << 30, POWER_OF_TWO, 0,
	  false, "physical block size, at least bs (default bs)" },
	{ { "io_min" }, SIZE32, AT(io_min), 512, 1U << 30, 0, 0, false,
	  "smallest good request, a multiple of pbs (default pbs)" },
	{ { "io_opt" }, SIZE32, AT(io_opt), 512, 1U << 30, OR_ZERO, 0, false,
	  "best request, a multiple of io_min (default 0: none)" },
	{ { "max_request" }, SIZE32, AT(max_request), PAGE, ABUSE_MAX_REQUEST,
	  MULTIPLE_4096, 0, false, "largest request (default 1M)" },
	{ { "chunk" }, SIZE32, AT(chunk), 4096, 1U << 30, POWER_OF_TWO | OR_ZERO, 0,
	  false, "no request crosses a multiple of it (default 0: none)" },
	{ { "write_cache" }, FEATURE, 0, 0, 0, 0, ABUSE_F_WRITE_CACHE, false,
	  "pass flush on (default no)" },
	{ { "fua" }, FEATURE, 0, 0, 0, 0, ABUSE_F_FUA, false,
	  "pass forced unit access on; needs write_cache (default no)" },
	{ { "discard" }, FEATURE, 0, 0, 0, 0, ABUSE_F_DISCARD, false,
	  "pass discard on (default no)" },
	{ { "write_zeroes" }, FEATURE, 0, 0, 0, 0, ABUSE_F_WRITE_ZEROES, false,
	  "pass write-zeroes on (default no)" },
	{ { "rotational" }, FEATURE, 0, 0, 0, 0, ABUSE_F_ROTATIONAL, false,
	  "seeks are slow (default no)" },
	{ { "max_discard" }, SIZE64, AT(max_discard), 512, UINT32_MAX, 0, 0, false,
	  "in one request (default 2G)" },
	{ { "max_write_zeroes" }, SIZE64, AT(max_write_zeroes), 512, UINT32_MAX, 0, 0,
	  false, "in one request (default 2G)" },
	{ { "discard_granularity" }, SIZE32, AT(discard_granularity), 512, 1U << 30,
	  POWER_OF_TWO, 0, false, "unit of discard (default pbs)" },
	{ { "timeout" }, SECONDS, AT(timeout), 1000000, INT64_MAX, 0, 0, false,
	  "an unanswered request fails after so long (default\n"
	  "                       never, on a user's device user_timeout)" },
	{ { "sealed" }, SEAL, AT(seal_uid), 0, 0, 0, 0, false,
	  "only root and this uid or user serve; makes it trusted" },
};

#define NR_KEYS	(sizeof(keys) / sizeof(*keys))

static const struct key *key_find(const char *name)
{
	size_t i, n;

	for (i = 0; i < NR_KEYS; i++)
		for (n = 0; n < 4 && keys[i].names[n]; n++)
			if (!strcmp(keys[i].names[n], name))
				return &keys[i];
	return NULL;
}

static uint64_t key_bit(const struct key *key)
{
	return 1ULL << (key - keys);
}

static uint64_t bound(uint64_t limit)
{
	return limit == PAGE ? (uint64_t)sysconf(_SC_PAGESIZE) : limit;
}

/* What is allowed, as in "a power of two from 512 to 4096". */
static const char *key_range(const struct key *key, char text[128])
{
	switch (key->kind) {
	case SIZE32:
	case SIZE64:
		snprintf(text, 128, "%s%s from %llu to %llu (K, M, G, T allowed)",
			 key->rules & OR_ZERO ? "0, or " : "",
			 key->rules & POWER_OF_TWO ? "a power of two" :
			 key->rules & MULTIPLE_4096 ? "a multiple of 4096" : "a number",
			 (unsigned long long)bound(key->min),
			 (unsigned long long)bound(key->max));
		return text;
	case FEATURE:
		return "0 or 1, or left out";
	case NAME:
		return "1 to 31 of A-Z a-z 0-9 . _ -";
	case UUID:
		return "8-4-4-4-12 hexadecimal digits";
	case SECONDS:
		return "seconds, from 0.001, or never";
	case SEAL:
		return "a uid or the name of a user, or left out";
	case MODE:
	case RECONNECT:
		break;
	}
	return "given without a value";
}

static uint64_t get_number(const struct key *key, const struct abuse_params *params)
{
	const char *at = (const char *)params + key->offset;
	uint32_t narrow;
	uint64_t wide;

	if (key->kind == SIZE32) {
		memcpy(&narrow, at, sizeof(narrow));
		return narrow;
	}
	memcpy(&wide, at, sizeof(wide));
	return wide;
}

static void set_number(const struct key *key, struct abuse_params *params,
		       uint64_t number)
{
	char *at = (char *)params + key->offset;
	uint32_t narrow = (uint32_t)number;

	if (key->kind == SIZE32)
		memcpy(at, &narrow, sizeof(narrow));
	else
		memcpy(at, &number, sizeof(number));
}

static bool is_allowed(const struct key *key, uint64_t number)
{
	if (!number && key->rules & OR_ZERO)
		return true;
	if (number < bound(key->min) || number > bound(key->max))
		return false;
	if (key->rules & POWER_OF_TWO && number & (number - 1))
		return false;
	return !(key->rules & MULTIPLE_4096) || !(number % 4096);
}

static bool take_value(const struct key *key, struct settings *settings,
		       const char *value)
{
	struct abuse_params *params = &settings->params;
	uint64_t number;
	int64_t time;
	uid_t uid = 0;

	switch (key->kind) {
	case SIZE32:
	case SIZE64:
		if (!value || parse_size(value, &number) || !is_allowed(key, number))
			return false;
		set_number(key, params, number);
		return true;
	case FEATURE:
		if (value && strcmp(value, "0") && strcmp(value, "1"))
			return false;
		params->features &= ~key->bit;
		settings->features_off &= ~key->bit;
		if (value && *value == '0')
			settings->features_off |= key->bit;
		else
			params->features |= key->bit;
		return true;
	case NAME:
		return value && !parse_name(value, params->name);
	case UUID:
		return value && !parse_uuid(value, params->uuid);
	case SECONDS:
		if (!value || parse_seconds(value, &time) ||
		    (time >= 0 && time < (int64_t)key->min))
			return false;
		params->timeout = time;
		return true;
	case SEAL:
		if (value && parse_user(value, &uid))
			return false;
		params->seal_uid = uid;
		params->flags |= ABUSE_PARAMS_SEALED;
		return true;
	case MODE:
		if (key->bit)
			params->flags |= ABUSE_PARAMS_READ_ONLY;
		else
			params->flags &= ~ABUSE_PARAMS_READ_ONLY;
		return !value;
	case RECONNECT:
		settings->reconnect = true;
		return !value;
	}
	return false;
}

int settings_take(struct settings *settings, const char *dev, const char *name,
		  const char *value)
{
	const struct key *key = key_find(name);
	char range[128];

	if (!key)
		return -1;
	if (!take_value(key, settings, value))
		return invalid(dev, "%s%s%s: must be %s", name, value ? "=" : "",
			       value ? value : "", key_range(key, range));
	settings->given |= key_bit(key);
	return EXIT_OK;
}

bool settings_has(const struct settings *settings, const char *name)
{
	return settings->given & key_bit(key_find(name));
}

bool settings_has_either(const struct settings *settings, const char *name)
{
	const struct key *key = key_find(name);
	uint64_t mask = 0;
	size_t i;

	for (i = 0; key && i < NR_KEYS; i++)
		if (&keys[i] == key ||
		    (key->kind == MODE && keys[i].kind == MODE))
			mask |= key_bit(&keys[i]);
	return settings->given & mask;
}

bool settings_are_plain(const struct settings *settings)
{
	size_t i;

	if (settings->params.queue_limit > MAX_PLAIN_QUEUE)
		return false;
	for (i = 0; i < NR_KEYS; i++)
		if (settings->given & key_bit(&keys[i]) && !keys[i].plain)
			return false;
	return true;
}

#define VALUE_TEXT	64

static const char *key_value(const struct key *key, const struct abuse_params *params,
			     char text[VALUE_TEXT])
{
	switch (key->kind) {
	case SIZE32:
	case SIZE64:
		snprintf(text, VALUE_TEXT, "%llu",
			 (unsigned long long)get_number(key, params));
		return text;
	case FEATURE:
		return params->features & key->bit ? "1" : "0";
	case NAME:
		return *params->name ? params->name : "none";
	case UUID:
		return format_uuid(params->uuid, text);
	case SEAL:
		if (!(params->flags & ABUSE_PARAMS_SEALED))
			return "none";
		snprintf(text, VALUE_TEXT, "%u", params->seal_uid);
		return text;
	case MODE:
		return params->flags & ABUSE_PARAMS_READ_ONLY ? "ro" : "rw";
	case SECONDS:
	case RECONNECT:
		break;
	}
	return "";
}

static int check_queue(const struct abuse_params *params,
		       const struct abuse_params *now)
{
	uint32_t most = now->hw_queues * now->depth;

	if (params->queue_limit <= most)
		return EXIT_OK;
	return failed(device_name(now->number), "qs=%u: must be from 1 to %u, hw_queues "
		      "times depth of the device", params->queue_limit, most);
}

/* Refuses a @value of key @name that is no multiple of @unit, key @of. */
static int check_multiple(unsigned int number, const char *name, uint64_t value,
			  const char *of, uint64_t unit)
{
	if (value % unit == 0)
		return EXIT_OK;
	return failed(device_name(number), "%s=%llu: must be a multiple of %s=%llu",
		      name, (unsigned long long)value, of, (unsigned long long)unit);
}

/* Refuses key @name if it is set without its @feature. */
static int check_needs(const struct settings *settings, unsigned int number,
		       const char *name, uint64_t feature, const char *needed)
{
	if (!settings_has(settings, name) || settings->params.features & feature)
		return EXIT_OK;
	return failed(device_name(number), "%s: must come with %s", name, needed);
}

/* The default is more than any of what it must not be less than. */
static int check_max_discard(const struct abuse_params *params, unsigned int number,
			     uint64_t pbs)
{
	bool is_fine = params->discard_granularity > pbs;
	uint64_t least = is_fine ? params->discard_granularity : pbs;

	if (!params->max_discard || params->max_discard >= least)
		return EXIT_OK;
	return failed(device_name(number), "max_discard=%llu: must be from %s=%llu to %llu",
		      (unsigned long long)params->max_discard,
		      is_fine ? "discard_granularity" : "pbs", (unsigned long long)least,
		      (unsigned long long)key_find("max_discard")->max);
}

/* What was said when it was added stays. */
static int check_identity(const struct abuse_params *params,
			  const struct abuse_params *now)
{
	static const uint8_t none[sizeof(now->uuid)];
	char wanted[UUID_TEXT], has[UUID_TEXT];

	if (*params->name && *now->name && strcmp(params->name, now->name))
		return failed(device_name(now->number), "name=%s: the device has the name "
			      "%s, which cannot change", params->name, now->name);
	if (memcmp(params->uuid, none, sizeof(none)) &&
	    memcmp(now->uuid, none, sizeof(none)) &&
	    memcmp(params->uuid, now->uuid, sizeof(none)))
		return failed(device_name(now->number), "uuid=%s: the device has the UUID "
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
		return failed(device_name(number), "fua: must come with write_cache");
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
		return failed(device_name(number), "size=0: a disk has at least one block");
	return check_queue(params, now) ||
	       check_identity(params, now) ||
	       check_multiple(number, "size", params->capacity, "bs", bs) ||
	       check_multiple(number, "pbs", pbs, "bs", bs) ||
	       check_multiple(number, "io_min", io_min, "pbs", pbs) ||
	       check_multiple(number, "io_opt", params->io_opt, "io_min", io_min) ||
	       check_operations(settings, number, bs, pbs) ?
		EXIT_FAILED : EXIT_OK;
}

static bool is_same(const struct key *key, const struct settings *settings,
		    const struct abuse_params *now)
{
	const struct abuse_params *params = &settings->params;

	switch (key->kind) {
	case SIZE32:
	case SIZE64:
		return key->offset == AT(queue_limit) ||
		       get_number(key, params) == get_number(key, now);
	case FEATURE:
		return !(params->features & key->bit) == !(now->features & key->bit);
	case NAME:
		return !strcmp(params->name, now->name);
	case UUID:
		return !memcmp(params->uuid, now->uuid, sizeof(now->uuid));
	case SEAL:
		return now->flags & ABUSE_PARAMS_SEALED &&
		       params->seal_uid == now->seal_uid;
	case MODE:
		return settings->reconnect ||
		       !((params->flags ^ now->flags) & ABUSE_PARAMS_READ_ONLY);
	case SECONDS:
	case RECONNECT:
		break;
	}
	return true;
}

static int differs(const struct key *key, const struct settings *settings,
		   const struct abuse_params *now)
{
	char wanted[VALUE_TEXT], has[VALUE_TEXT];

	return failed(device_name(now->number), "%s%s%s: the device is up with %s; leave "
		      "the key out, or 'abusectl reset %u' first (ends all I/O)",
		      key->kind == MODE ? "" : key->names[0],
		      key->kind == MODE ? "" : "=",
		      key_value(key, &settings->params, wanted),
		      key_value(key, now, has), now->number);
}

int settings_match(const struct settings *settings,
		   const struct abuse_params *now)
{
	size_t i;

	for (i = 0; i < NR_KEYS; i++)
		if (settings->given & key_bit(&keys[i]) &&
		    !is_same(&keys[i], settings, now))
			return differs(&keys[i], settings, now);
	return check_queue(&settings->params, now);
}

/* CAP_SYS_ADMIN is missing for one of these, unless the device was sealed just now. */
static int not_permitted(const struct settings *settings,
			 const struct abuse_params *now)
{
	const char *name = device_name(now->number);
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
	return device_failed(now->number, "set it up", EPERM);
}

int settings_refused(const struct settings *settings,
		     const struct abuse_params *now, int err)
{
	const struct abuse_params *params = &settings->params;
	unsigned int number = now->number;
	const char *name = device_name(number);
	unsigned long long size = params->capacity;

	switch (err) {
	case EBUSY:
		if (params->flags & ABUSE_PARAMS_SEALED && !settings->reconnect)
			return failed(name, "is up, its disk is claimed (mounted, swap, md), "
				      "or somebody else than root has it open ('fuser -v "
				      "/dev/abuse%u' tells); 'abusectl reset %u' or close it "
				      "first", number, number);
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
		return failed(name, "size=%llu bs=%u qs=%u: refused by the module, which "
			      "is not of this program's version; load the one that is",
			      size, params->logical_block_size, params->queue_limit);
	case E2BIG:
	case ENOTTY:
		return failed(name, "the module loaded is older than this program and "
			      "lacks these keys; load the one of the same version");
	}
	return device_failed(number, "set it up", err);
}

void settings_help(void)
{
	static const char *const values[] = {
		[SIZE32] = "=N", [SIZE64] = "=N", [FEATURE] = "[=0|1]",
		[NAME] = "=NAME", [UUID] = "=UUID", [SECONDS] = "=SEC|never",
		[SEAL] = "[=USER]", [MODE] = "", [RECONNECT] = "",
	};
	char spelling[64];
	size_t i;

	puts("Keys, separated by commas; sizes in bytes or with K, M, G, T (1024 each):");
	for (i = 0; i < NR_KEYS; i++) {
		const struct key *key = &keys[i];

		snprintf(spelling, sizeof(spelling), "%s%s%s%s%s%s", key->names[0],
			 key->names[1] ? "/" : "", key->names[1] ? key->names[1] : "",
			 key->names[1] && key->names[2] ? "/" : "",
			 key->names[1] && key->names[2] ? key->names[2] : "",
			 values[key->kind]);
		printf(strlen(spelling) > 20 ? "  %s\n%23s%s\n" : "  %-20s%.1s%s\n",
		       spelling, " ", key->help);
	}
}

void settings_complete(const char *word, bool live)
{
	char item[32];
	size_t i;

	for (i = 0; i < NR_KEYS; i++) {
		const struct key *key = &keys[i];
		bool is_bare = key->kind == FEATURE || key->kind == SEAL ||
			       key->kind == MODE || key->kind == RECONNECT;

		if (key->kind == RECONNECT && !live)
			continue;
		snprintf(item, sizeof(item), "%s%s", key->names[0],
			 is_bare ? "" : "=");
		complete_item(word, item, key->help);
	}
}
