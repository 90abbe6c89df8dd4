// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * abusectl server: find the backend, set the device up if it is empty, then
 * serve. Servers of one device that start at the same moment do the first two
 * steps one after another, under a lock on the control node.
 */
#include "backend.h"
#include "cmd.h"
#include "parse.h"
#include "setup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static const struct backend *const backends[] = {
	&backend_zero, &backend_null, &backend_mem, &backend_file,
};

#define NR_BACKENDS	(sizeof(backends) / sizeof(*backends))
#define MAX_WORKERS	64
#define MAX_BATCH	256
#define DEFAULT_BATCH	16

/* What no backend can be made to do that does not. */
#define BACKEND_FEATURES	(ABUSE_F_DISCARD | ABUSE_F_WRITE_ZEROES)

struct arguments {
	const char *dev;
	struct settings settings;
	struct serving serving;		/* what can be said before opening */
	const char *backend_args;
};

/* "NAME" or "NAME:ARGS"; NULL if no backend is called that. */
static const struct backend *backend_find(const char *spec, const char **args)
{
	size_t i, len = strcspn(spec, ":");

	for (i = 0; i < NR_BACKENDS; i++)
		if (strlen(backends[i]->name) == len &&
		    !strncmp(backends[i]->name, spec, len)) {
			*args = spec[len] ? spec + len + 1 : NULL;
			return backends[i];
		}
	return NULL;
}

static int take_count(const char *dev, const char *key, const char *value,
		      unsigned int max, unsigned int *count)
{
	uint64_t number;

	if (!value || parse_number(value, &number) || !number || number > max)
		return invalid(dev, "%s=%s: must be a number from 1 to %u", key,
			       value ? value : "", max);
	*count = (unsigned int)number;
	return EXIT_OK;
}

static int take_key(struct arguments *arguments, const char *key,
		    const char *value)
{
	int ret;

	if (!strcmp(key, "workers"))
		return take_count(arguments->dev, key, value, MAX_WORKERS,
				  &arguments->serving.nr_workers);
	if (!strcmp(key, "batch"))
		return take_count(arguments->dev, key, value, MAX_BATCH,
				  &arguments->serving.batch);
	if (!strcmp(key, "reconnect"))
		return misused("reconnect: a server changes no device that is up; "
			       "'abusectl setup' does");
	ret = settings_take(&arguments->settings, arguments->dev, key, value);
	return ret < 0 ? misused("%s: neither a backend nor a key", key) : ret;
}

static int take_backend(struct arguments *arguments, const char *spec)
{
	struct serving *serving = &arguments->serving;

	serving->backend = backend_find(spec, &arguments->backend_args);
	serving->spec = spec;
	if (!serving->backend)
		return EXIT_USAGE;
	if (arguments->backend_args && !serving->backend->args)
		return misused("%s: %s takes no argument", spec,
			       serving->backend->name);
	return EXIT_OK;
}

static int parse(int argc, char **argv, struct arguments *arguments)
{
	char *list, *key, *value;
	bool has_backend = false;
	int i, ret;

	for (i = 1; i < argc; i++) {
		const char *ignored;

		if (!strcmp(argv[i], "-v") || !strcmp(argv[i], "--verbose")) {
			arguments->serving.verbose = true;
			continue;
		}
		if (*argv[i] == '-')
			return misused("%s: no such option", argv[i]);
		if (!arguments->dev) {
			arguments->dev = argv[i];
			continue;
		}
		if (!has_backend && backend_find(argv[i], &ignored)) {
			has_backend = true;
			ret = take_backend(arguments, argv[i]);
			if (ret)
				return ret;
			continue;
		}
		for (list = argv[i]; parse_pair(&list, &key, &value); ) {
			ret = take_key(arguments, key, value);
			if (ret)
				return ret;
		}
	}
	return arguments->dev ? EXIT_OK : misused("a DEV is needed");
}

/* Set an empty device up as the backend can and the keys want. */
static int set_up(const struct serving *serving, struct settings *settings,
		  const struct target *target, const struct abuse_params *now)
{
	struct abuse_params *params = &settings->params;
	uint64_t off = settings->features_off;
	int ret;

	if (off & ABUSE_F_WRITE_CACHE)
		off |= ABUSE_F_FUA;
	if (params->features & ~target->features & BACKEND_FEATURES)
		return failed(device_name(serving->number), "discard or write_zeroes: "
			      "%s cannot do that", serving->spec);
	params->capacity = target->size;
	params->features |= target->features & now->all_features & ~off;
	ret = settings_check(settings, now);
	if (ret)
		return ret;
	ret = abuse_ctl_set_params(serving->fd, params);
	return ret < 0 ? settings_refused(settings, serving->number, -ret) : EXIT_OK;
}

/* From an open control node to an open store of a device that is up. */
static int attach(struct arguments *arguments)
{
	struct serving *serving = &arguments->serving;
	struct settings *settings = &arguments->settings;
	const struct backend *backend = serving->backend;
	struct abuse_params now;
	struct abuse_info info;
	struct target target;
	int ret;

	ret = abuse_ctl_get_params(serving->fd, &now);
	if (!ret)
		ret = abuse_ctl_get_status(serving->fd, &info);
	if (ret < 0)
		return device_failed(serving->number, "read parameters", -ret);
	target = (struct target) {
		.number = serving->number,
		.disk = (dev_t)info.ab_device,
		.is_up = now.state == ABUSE_S_UP,
		.features = backend->features,
	};
	target.read_only = (target.is_up ? now.flags : settings->params.flags) &
			   ABUSE_PARAMS_READ_ONLY;
	target.size = target.is_up ? now.capacity : settings->params.capacity;

	if (target.is_up) {
		ret = settings_match(settings, &now);
		if (ret)
			return ret;
	} else if (!target.size && backend != &backend_file) {
		return invalid(device_name(serving->number), "size= is needed, since the "
			       "device is empty");
	}
	ret = backend->open(&target, arguments->backend_args, &serving->store);
	if (ret)
		return ret;
	if (!target.is_up)
		ret = set_up(serving, settings, &target, &now);
	if (ret)
		backend->close(serving->store, true);
	serving->size = target.size;
	return ret;
}

static int serve(struct arguments *arguments)
{
	struct serving *serving = &arguments->serving;
	bool is_gone = false;
	int ret;

	while (flock(serving->fd, LOCK_EX) && errno == EINTR)
		;
	ret = attach(arguments);
	flock(serving->fd, LOCK_UN);
	if (ret)
		return ret;
	ret = workers_run(serving, &is_gone);
	serving->backend->close(serving->store, is_gone);
	return ret;
}

static unsigned int default_workers(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return cpus < 2 ? 2 : cpus > 4 ? 4 : (unsigned int)cpus;
}

static int run(int argc, char **argv)
{
	struct arguments arguments = {
		.serving = {
			.backend = &backend_zero,
			.spec = "zero",
			.nr_workers = default_workers(),
			.batch = DEFAULT_BATCH,
		},
	};
	int ret;

	ret = parse(argc, argv, &arguments);
	if (ret)
		return ret;
	arguments.serving.fd = device_open(arguments.dev, &arguments.serving.number);
	if (arguments.serving.fd < 0)
		return EXIT_FAILED;
	ret = serve(&arguments);
	close(arguments.serving.fd);
	return ret;
}

static void details(void)
{
	char spelling[32];
	size_t i;

	puts("Sets the device up when it is empty, else serves what is there. Any number of\n"
	     "servers may serve one device; any may be killed at any time.\n"
	     "\n"
	     "Backends:");
	for (i = 0; i < NR_BACKENDS; i++) {
		snprintf(spelling, sizeof(spelling), "%s%s%s", backends[i]->name,
			 backends[i]->args ? ":" : "",
			 backends[i]->args ? backends[i]->args : "");
		printf("  %-20s %s\n", spelling, backends[i]->summary);
	}
	puts("\n"
	     "Keys of the server, beside those of set-up:\n"
	     "  workers=N            threads, 1 to 64 (default: as CPUs, 2 to 4)\n"
	     "  batch=N              requests fetched at once, 1 to 256 (default 16)\n"
	     "size= is needed unless the device is up or the file exists; write_cache, fua,\n"
	     "discard and write_zeroes are as the backend can, bs is 512 by default.\n"
	     "\n"
	     "SIGTERM, SIGINT: answer what is held and exit 0. SIGUSR1: print counters.\n"
	     "-v, --verbose: print whether this process is declared an I/O flusher and its\n"
	     "memory is locked; without both, nothing is promised under swap.\n");
	settings_help();
}

const struct cmd cmd_server = {
	.name = "server",
	.run = run,
	.args = "DEV [BACKEND] [KEY=V,..]",
	.summary = "set a device up if it is empty, and serve it",
	.details = details,
};
