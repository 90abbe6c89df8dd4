// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * abusectl info: the configuration of a device. Printed as in 2009; as JSON all
 * that the module reports.
 */
#include "cmd.h"
#include "complete.h"
#include "json-number.h"
#include "json-text.h"
#include "options.h"
#include "parse.h"

#include <libabuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static const struct opt options[] = {
	{ .letter = 'J', .name = "json",
	  .help = "all that the module reports, sizes in bytes, times in seconds" },
	{ 0 },
};

static void print_plain(const struct abuse_info *info)
{
	printf("ab_size = %llu\n", (unsigned long long)info->ab_size);
	printf("ab_number = %u\n", info->ab_number);
	printf("ab_flags = %x\n", info->ab_flags);
	printf("ab_blocksize = %u\n", info->ab_blocksize);
	printf("ab_max_queue = %u\n", info->ab_max_queue);
	printf("ab_queue_size = %u\n", info->ab_queue_size);
	printf("ab_errors = %u\n", info->ab_errors);
}

static void add_number(json_object *object, const char *key, uint64_t number)
{
	json_object_object_add(object, key, json_number(number));
}

static void add_bool(json_object *object, const char *key, bool value)
{
	json_object_object_add(object, key, json_object_new_boolean(value));
}

static void add_text(json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, json_object_new_string(text));
}

static void add_names(json_object *object, const char *key, uint64_t bits, const char *const *names)
{
	json_object *array = json_object_new_array();

	for (; *names; names++, bits >>= 1)
		if (bits & 1)
			json_object_array_add(array, json_object_new_string(*names));
	json_object_object_add(object, key, array);
}

/* Bit n is names[n]. */
static const char *const feature_names[] = {
	"write_cache", "fua", "discard", "write_zeroes", "rotational", "redirect", "store", "atomic", "map", NULL,
};

static const char *const op_names[] = { "read", "write", "flush", "discard", "write_zeroes", NULL };

static const char *state_name(uint32_t state)
{
	static const char *const names[] = {
		[ABUSE_S_EMPTY] = "empty", [ABUSE_S_UP] = "up",
		[ABUSE_S_DYING] = "dying",
	};

	return state < sizeof(names) / sizeof(*names) ? names[state] : "unknown";
}

/* Seconds, "never", or null where the default counts. */
static json_object *timeout_of(const struct abuse_params *params)
{
	if (!params->timeout)
		return NULL;
	if (params->timeout < 0)
		return json_object_new_string("never");
	return json_object_new_double((double)params->timeout / 1e9);
}

static void print_json(const struct abuse_info *info,
		       const struct abuse_params *params)
{
	static const uint8_t no_uuid[16];
	json_object *object = json_object_new_object();
	char text[UUID_TEXT];

	add_text(object, "device", device_name(info->ab_number));
	add_number(object, "number", info->ab_number);
	snprintf(text, sizeof(text), "%u:%u", major(info->ab_device),
		 minor(info->ab_device));
	add_text(object, "devnum", text);
	add_text(object, "state", state_name(params->state));
	add_number(object, "size", info->ab_size);
	add_number(object, "flags", info->ab_flags);
	add_bool(object, "read_only", info->ab_flags & ABUSE_FLAGS_READ_ONLY);
	add_number(object, "block_size", info->ab_blocksize);
	add_number(object, "queue_limit", info->ab_max_queue);
	add_number(object, "queue_size", info->ab_queue_size);
	add_number(object, "errors", info->ab_errors);
	add_number(object, "max_vecs", info->ab_max_vecs);
	add_number(object, "physical_block_size", params->physical_block_size);
	add_number(object, "io_min", params->io_min);
	add_number(object, "io_opt", params->io_opt);
	add_number(object, "max_request", params->max_request);
	add_number(object, "chunk", params->chunk);
	add_bool(object, "write_cache", params->features & ABUSE_F_WRITE_CACHE);
	add_bool(object, "fua", params->features & ABUSE_F_FUA);
	add_bool(object, "discard", params->features & ABUSE_F_DISCARD);
	add_bool(object, "write_zeroes", params->features & ABUSE_F_WRITE_ZEROES);
	add_bool(object, "rotational", params->features & ABUSE_F_ROTATIONAL);
	add_number(object, "max_discard", params->max_discard);
	add_number(object, "max_write_zeroes", params->max_write_zeroes);
	add_number(object, "discard_granularity", params->discard_granularity);
	add_number(object, "atomic_min", params->atomic_min);
	add_number(object, "atomic_max", params->atomic_max);
	add_names(object, "all_features", params->all_features, feature_names);
	add_names(object, "all_ops", params->all_ops, op_names);
	json_object_object_add(object, "timeout", timeout_of(params));
	json_object_object_add(object, "name", *params->name ?
			       json_text(params->name) : NULL);
	json_object_object_add(object, "uuid",
			       memcmp(params->uuid, no_uuid, sizeof(no_uuid)) ?
			       json_object_new_string(format_uuid(params->uuid, text)) :
			       NULL);
	add_number(object, "owner", params->owner);
	add_bool(object, "trusted", params->trusted);
	json_object_object_add(object, "sealed_for",
			       params->flags & ABUSE_PARAMS_SEALED ?
			       json_number(params->seal_uid) : NULL);
	json_object_object_add(object, "store", *params->store ?
			       json_text(params->store) : NULL);
	add_number(object, "hw_queues", params->hw_queues);
	add_number(object, "depth", params->depth);
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

static int run(int argc, char **argv)
{
	struct abuse_params params;
	struct abuse_info info;
	unsigned int number;
	const char *value;
	bool json = false;
	int fd, option, ret;

	while ((option = option_next(&cmd_info, argc, argv, &value)) > 0)
		json |= option == 'J';
	if (option < 0)
		return option_status(option);
	if (argc - optind != 1)
		return misused("one DEV is needed");
	fd = device_open(argv[optind], &number);
	if (fd < 0)
		return EXIT_FAILED;
	ret = abuse_ctl_get_status(fd, &info);
	if (!ret && json)
		ret = abuse_ctl_get_params(fd, &params);
	close(fd);
	if (ret < 0)
		return device_failed(number, "read its status", -ret);
	if (json)
		print_json(&info, &params);
	else
		print_plain(&info);
	return EXIT_OK;
}

static void complete(int argc, char **argv)
{
	options_complete(&cmd_info, argv[argc - 1]);
	complete_devices(argv[argc - 1]);
}

const struct cmd cmd_info = {
	.name = "info",
	.run = run,
	.args = "[--json] DEV",
	.summary = "print the configuration of a device",
	.options = options,
	.complete = complete,
};
