// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * abusectl setup: give an empty device its size and limits, or (reconnect)
 * change one that is up. The call of 2009 is used as long as its keys suffice.
 */
#include "cmd.h"
#include "complete.h"
#include "keys/conf.h"
#include "keys/hint.h"
#include "parse.h"
#include "keys/setup.h"
#include "options.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct opt options[] = {
	{ .letter = 'c', .is_long_only = 1, .name = "config", .value = "NAME",
	  .help = "take everything from a file, see abuse.conf(5)" },
	{ .letter = 'n', .name = "dry-run", .help = "print what would be done, and do nothing" },
	{ 0 },
};

#define DEFAULT_SIZE	(4096 * 4096)
#define DEFAULT_BLOCK	4096
#define DEFAULT_QUEUE	128

/* An empty device: keys that were not given are as in 2009. */
static void fill_in(struct settings *settings, const struct abuse_params *now)
{
	struct abuse_params *params = &settings->params;
	uint32_t most = now->hw_queues * now->depth;

	if (!settings_has(settings, "size"))
		params->capacity = DEFAULT_SIZE;
	if (!settings_has(settings, "bs"))
		params->logical_block_size = DEFAULT_BLOCK;
	if (!settings_has(settings, "qs"))
		params->queue_limit = most && most < DEFAULT_QUEUE ? most :
								     DEFAULT_QUEUE;
}

/* A device that is up: pass on the values that may change, keep the others. */
static void keep_rest(struct settings *settings, const struct abuse_params *now)
{
	const struct abuse_params wanted = settings->params;

	settings->params = (struct abuse_params) {
		.capacity = now->capacity,
		.logical_block_size = now->logical_block_size,
		.queue_limit = wanted.queue_limit ? wanted.queue_limit :
						    now->queue_limit,
		.timeout = wanted.timeout,
		.flags = now->flags,
		.seal_uid = now->seal_uid,
	};
	if (settings_has(settings, "ro") || settings_has(settings, "rw")) {
		settings->params.flags &= ~ABUSE_PARAMS_READ_ONLY;
		settings->params.flags |= wanted.flags & ABUSE_PARAMS_READ_ONLY;
	}
}

static int set_plain(int fd, const struct settings *settings)
{
	const struct abuse_params *params = &settings->params;
	struct abuse_info info = {
		.ab_size = params->capacity,
		.ab_blocksize = params->logical_block_size,
		.ab_max_queue = params->queue_limit,
	};

	if (params->flags & ABUSE_PARAMS_READ_ONLY)
		info.ab_flags |= ABUSE_FLAGS_READ_ONLY;
	if (settings->reconnect)
		info.ab_flags |= ABUSE_FLAGS_RECONNECT;
	return abuse_ctl_set_status(fd, &info);
}

static int set_up(int fd, unsigned int number, struct settings *settings, bool is_dry)
{
	struct abuse_params now;
	int ret;

	ret = abuse_ctl_get_params(fd, &now);
	if (ret < 0)
		return device_failed(number, "read parameters", -ret);
	if (now.state == ABUSE_S_UP && !settings->reconnect)
		return failed(device_name(number), "is up already; pass reconnect to "
			      "change it, or 'abusectl reset %u' first (ends all I/O)",
			      number);
	if (now.state == ABUSE_S_UP) {
		ret = settings_match(settings, &now);
		keep_rest(settings, &now);
	} else {
		fill_in(settings, &now);
		ret = settings_check(settings, &now);
	}
	if (ret)
		return ret;
	if (is_dry) {
		printf("would %s %s\n", now.state == ABUSE_S_UP ? "change" : "configure",
		       device_name(number));
		return EXIT_OK;
	}

	if (settings_are_plain(settings))
		ret = set_plain(fd, settings);
	else
		ret = abuse_ctl_set_params(fd, &settings->params);
	return ret < 0 ? settings_refused(settings, &now, -ret) : EXIT_OK;
}

/*
 * Just what the server of that file would do first, with the rights to add and to
 * seal; the server then comes without them.
 */
static int run_file(const char *file, bool is_dry)
{
	struct conf conf;
	int ret;

	ret = conf_open(&conf, file);
	if (ret)
		return ret;
	conf_prepare_user(&conf);
	conf.plan.is_dry = is_dry;
	conf.plan.only_sets_up = true;
	ret = plan_attach(&conf.plan);
	if (conf.plan.serving.store && !ret)
		conf.plan.serving.backend->close(conf.plan.serving.store, false);
	conf_close(&conf);
	return ret;
}

static int take_keys(const char *dev, char **argv, struct settings *settings)
{
	char *list, *key, *value, hint[HINT_TEXT];
	int ret;

	for (; *argv; argv++)
		for (list = *argv; parse_pair(&list, &key, &value); ) {
			ret = settings_take(settings, dev, key, value);
			if (ret < 0)
				return misused("%s: %s: no such key%s", dev, key, key_hint(key, value, hint));
			if (ret)
				return ret;
		}
	return EXIT_OK;
}

static int run(int argc, char **argv)
{
	struct settings settings = { 0 };
	const char *file = NULL, *value;
	unsigned int number;
	bool is_dry = false;
	int fd, option, ret;

	while ((option = option_next(&cmd_setup, argc, argv, &value)) > 0) {
		is_dry |= option == 'n';
		if (option == 'c')
			file = value;
	}
	if (option < 0)
		return option_status(option);
	argv += optind;
	if (file && *argv)
		return misused("%s: with --config, all of it stands in the file", *argv);
	if (file)
		return run_file(file, is_dry);
	if (!*argv)
		return misused("a DEV is needed");
	ret = take_keys(argv[0], argv + 1, &settings);
	if (ret)
		return ret;
	fd = device_open_own(argv[0], &number);
	if (fd < 0)
		return EXIT_FAILED;
	ret = set_up(fd, number, &settings, is_dry);
	close(fd);
	return ret;
}

static void details(void)
{
	conf_help();
	settings_help();
}

static void complete(int argc, char **argv)
{
	const char *word = argv[argc - 1];

	if (conf_complete(argc, argv))
		return;
	if (argc > 2 && *word != '-')
		settings_complete(word, true);
	else if (*word == '-')
		options_complete(&cmd_setup, word);
	else
		complete_devices(word);
}

const struct cmd cmd_setup = {
	.name = "setup",
	.run = run,
	.args = "DEV [KEY[=VALUE],...]",
	.options = options,
	.summary = "configure an unconfigured device",
	.details = details,
	.complete = complete,
};
