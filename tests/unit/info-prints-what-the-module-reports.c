/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (C) 2026 the abuse authors */
/*
 * abusectl info --json has every value that GET_PARAMS reports: each field that is set to a value of its own is
 * found again, features and operations by name. The names are those that abuse(4) has for all bits of the interface.
 * cflags: -luuid -ljson-c
 * needs: /usr/include/json-c/json.h:libjson-c-dev
 */
/* under: memcheck */
#include "said.h"

#include "../../utils/abusectl/parse.c"
#include "../../utils/abusectl/commands/info.c"

int option_next(const struct cmd *cmd, int argc, char **argv, const char **value)
{
	(void)cmd;
	(void)argc;
	(void)argv;
	(void)value;
	return 0;
}

void options_complete(const struct cmd *cmd, const char *word)
{
	(void)cmd;
	(void)word;
}

void complete_devices(const char *word)
{
	(void)word;
}

int misused(const char *format, ...)
{
	(void)format;
	return EXIT_USAGE;
}

int device_open(const char *text, unsigned int *number)
{
	(void)text;
	return *number = 7, -1;
}

int device_failed(unsigned int number, const char *operation, int err)
{
	return failed(device_name(number), "cannot %s: %d", operation, err);
}

const char *device_name(unsigned int number)
{
	return number == 7 ? "abuse7" : "?";
}

int abuse_ctl_get_status(int fd, struct abuse_info *info)
{
	(void)fd;
	(void)info;
	return -EIO;
}

int abuse_ctl_get_params_sized(int fd, struct abuse_params *params, size_t size)
{
	(void)fd;
	(void)params;
	(void)size;
	return -EIO;
}

static json_object *info_of(const struct abuse_params *params)
{
	const struct abuse_info info = { .ab_number = 7, .ab_size = 1 << 20, .ab_blocksize = 512, .ab_max_queue = 3 };
	FILE *screen = stdout;
	json_object *object;
	char *text = NULL;
	size_t size;

	stdout = open_memstream(&text, &size);
	print_json(&info, params);
	fclose(stdout);
	stdout = screen;
	object = json_tokener_parse(text);
	must(object, "it is JSON");
	free(text);
	return object;
}

static void has(json_object *object, const char *key, const char *wanted)
{
	json_object *value;

	must(json_object_object_get_ex(object, key, &value), "there is %s", key);
	ok(!strcmp(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN), wanted), "%s: %s, wanted %s", key,
	   json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN), wanted);
}

static void each_value_is_there(void)
{
	const struct abuse_params params = {
		.features = ABUSE_F_WRITE_CACHE | ABUSE_F_ROTATIONAL, .physical_block_size = 4096, .io_min = 8192,
		.io_opt = 16384, .max_request = 65536, .chunk = 32768, .max_discard = 5 << 20, .max_write_zeroes = 6 << 20,
		.discard_granularity = 1024, .timeout = 1500000000, .flags = ABUSE_PARAMS_SEALED, .seal_uid = 1001,
		.name = "disk", .state = ABUSE_S_UP, .owner = 1002, .trusted = 1, .hw_queues = 2, .depth = 128,
		.atomic_min = 2048, .atomic_max = 16384, .store = "file:/disk", .number = 7,
		.all_features = ABUSE_F_FUA | ABUSE_F_REDIRECT | ABUSE_F_ATOMIC | ABUSE_F_MAP,
		.all_ops = 1 << ABUSE_OP_READ | 1 << ABUSE_OP_WRITE_ZEROES,
	};
	static const char *const wanted[][2] = {
		{ "write_cache", "true" }, { "fua", "false" }, { "discard", "false" }, { "write_zeroes", "false" },
		{ "rotational", "true" }, { "physical_block_size", "4096" }, { "io_min", "8192" }, { "io_opt", "16384" },
		{ "max_request", "65536" }, { "chunk", "32768" }, { "max_discard", "5242880" },
		{ "max_write_zeroes", "6291456" }, { "discard_granularity", "1024" }, { "timeout", "1.5" },
		{ "sealed_for", "1001" }, { "name", "\"disk\"" }, { "uuid", "null" }, { "state", "\"up\"" },
		{ "owner", "1002" }, { "trusted", "true" }, { "hw_queues", "2" }, { "depth", "128" }, { "number", "7" },
		{ "atomic_min", "2048" }, { "atomic_max", "16384" }, { "queue_limit", "3" }, { "block_size", "512" },
		{ "size", "1048576" }, { "all_features", "[\"fua\",\"redirect\",\"atomic\",\"map\"]" },
		{ "all_ops", "[\"read\",\"write_zeroes\"]" },
	};
	json_object *object = info_of(&params);
	size_t i;

	for (i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		has(object, wanted[i][0], wanted[i][1]);
	json_object_put(object);
}

static void every_bit_has_a_name(void)
{
	const struct abuse_params params = { .all_features = 2 * ABUSE_F_MAP - 1, .all_ops = 2 * (1 << ABUSE_OP_WRITE_ZEROES) - 1 };
	json_object *object = info_of(&params);

	has(object, "all_features", "[\"write_cache\",\"fua\",\"discard\",\"write_zeroes\",\"rotational\",\"redirect\",\"store\","
	    "\"atomic\",\"map\"]");
	has(object, "all_ops", "[\"read\",\"write\",\"flush\",\"discard\",\"write_zeroes\"]");
	json_object_put(object);
}

int main(void)
{
	each_value_is_there();
	every_bit_has_a_name();
	return done();
}
