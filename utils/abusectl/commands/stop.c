// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * abusectl stop: end the servers of devices, which stay up.
 */
#include "away.h"
#include "cmd.h"
#include "complete.h"
#include "namespace.h"
#include "options.h"
#include "parse.h"
#include "use.h"
#include "verb.h"

#include <limits.h>
#include <libabuse.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_MS	30000

enum { SHUTDOWN = 'S' };

static const struct opt options[] = {
	{ .letter = 't', .name = "timeout", .value = "TIME",
	  .help = "wait at most this long for each (default 30s)" },
	{ .letter = 'n', .name = "dry-run", .help = "print what would be done, and do nothing" },
	{ .letter = SHUTDOWN, .is_long_only = 1, .name = "shutdown",
	  .help = "of all devices, and do not wait for servers of disks that are in use" },
	{ 0 },
};

static int stop(const char *text, void *arg)
{
	const struct stopping *how = arg;
	int number = abuse_dev_find(text);
	struct abuse_dev dev;
	int ret = number < 0 ? number : abuse_dev_stat((unsigned int)number, &dev);

	if (ret < 0)
		return device_missing(text, -ret);
	return device_stop((unsigned int)number, how);
}

/*
 * The kernel's map keeps the file of the disk open, even without ranges until a FLUSH has synced
 * what the map wrote, and so keeps the file system of this file from being unmounted.
 */
static int free_store(unsigned int number, bool is_dry)
{
	const char *name = device_name(number);
	int fd, ret;

	if (is_dry) {
		printf("would reset %s: all I/O ends with errors\n", name);
		return EXIT_OK;
	}
	fd = device_open(name, &number);
	if (fd < 0)
		return EXIT_FAILED;
	ret = use_is_busy(number) ? 0 : abuse_ctl_reset(fd);
	close(fd);
	return ret < 0 ? device_failed(number, "reset", -ret) : EXIT_OK;
}

/*
 * Servers of a disk in use serve on until it is no longer in use; see serve/leave.h. The mount
 * namespace of such a server, which has its unit's sandbox, must not itself keep the disk in use:
 * systemd-shutdown unmounts file systems in its own namespace alone.
 */
static void clear_namespaces(unsigned int number, const struct stopping *how)
{
	int pids[MOST_SERVERS];
	unsigned int i, nr = how->is_dry ? 0 : device_servers(number, pids, MOST_SERVERS);
	int namespace;

	for (i = 0; i < nr; i++) {
		namespace = namespace_open(pids[i]);
		if (namespace < 0)
			continue;
		if (device_is_server(number, pids[i]))	/* the pid may be another's now */
			namespace_clear(namespace);
		close(namespace);
	}
}

/* The servers of disks that are in use, which serve on. */
struct kept {
	int *pids;
	size_t nr;
};

static void keep_servers(struct kept *kept, unsigned int number)
{
	int pids[MOST_SERVERS];
	unsigned int nr = device_servers(number, pids, MOST_SERVERS);
	int *all = nr ? reallocarray(kept->pids, kept->nr + nr, sizeof(*all)) : NULL;

	if (!all)
		return;
	memcpy(all + kept->nr, pids, nr * sizeof(*all));
	kept->pids = all;
	kept->nr += nr;
}

static bool has_kept_server(const struct kept *kept, unsigned int number)
{
	int pids[MOST_SERVERS];
	unsigned int i, nr = device_servers(number, pids, MOST_SERVERS);
	size_t k;

	for (i = 0; i < nr; i++)
		for (k = 0; k < kept->nr; k++)
			if (pids[i] == kept->pids[k])
				return true;
	return false;
}

static int stop_one_at_shutdown(const struct abuse_dev *dev, const struct kept *kept, bool is_busy,
				const struct stopping *how)
{
	unsigned int number = (unsigned int)dev->number;
	struct stopping now = *how;
	int status = EXIT_OK;

	now.only_tells = is_busy || has_kept_server(kept, number);
	if (is_busy)
		clear_namespaces(number, &now);
	if (dev->servers && device_stop(number, &now))
		status = EXIT_FAILED;
	if (!now.only_tells && !strcmp(dev->state, "up") && free_store(number, now.is_dry))
		status = EXIT_FAILED;
	return status;
}

static int stop_at_shutdown(const struct stopping *how)
{
	struct devices all = { 0 };
	int status = devices_collect((char *[]){ NULL }, &all);
	bool *is_busy = calloc(all.nr + 1, sizeof(*is_busy));
	struct kept kept = { 0 };
	size_t i;

	if (!is_busy)
		return failed(NULL, "out of memory");
	for (i = 0; i < all.nr; i++) {
		is_busy[i] = use_is_busy((unsigned int)all.devs[i].number);
		if (is_busy[i])
			keep_servers(&kept, (unsigned int)all.devs[i].number);
	}
	for (i = 0; i < all.nr; i++)
		if (stop_one_at_shutdown(&all.devs[i], &kept, is_busy[i], how))
			status = EXIT_FAILED;
	free(kept.pids);
	free(is_busy);
	free(all.devs);
	return status;
}

static int run(int argc, char **argv)
{
	struct stopping how = { .sig = SIGTERM, .milliseconds = DEFAULT_MS };
	bool is_shutdown = false;
	const char *value;
	int64_t time;
	int option;

	while ((option = option_next(&cmd_stop, argc, argv, &value)) > 0) {
		how.is_dry |= option == 'n';
		is_shutdown |= option == SHUTDOWN;
		if (option != 't')
			continue;
		if (parse_time(value, NSEC_PER_SEC, &time) || time < 0 ||
		    time / 1000000 > INT_MAX)
			return invalid(NULL, "--timeout %s: must be a time such as 500ms, 30s or "
				       "5min", value);
		how.milliseconds = (int)(time / 1000000);
	}
	if (option < 0)
		return option_status(option);
	if (is_shutdown && optind < argc)
		return misused("%s: --shutdown is about all devices", argv[optind]);
	return is_shutdown ? stop_at_shutdown(&how) : verb_each(argc, argv, stop, &how);
}

static void details(void)
{
	puts("Sends SIGTERM to each server and waits until it has completed the requests that it\n"
	     "holds and has ended. The device stays up, and its requests wait for the next server.\n"
	     "To end a server of abuse@NAME.service, stop the unit, or it starts the server again.\n"
	     "With --shutdown, for abuse-shutdown.service: the servers of all devices. Disks that are\n"
	     "neither in use nor open are reset, too, so that the file systems of their files can be unmounted.");
}

const struct cmd cmd_stop = {
	.name = "stop",
	.run = run,
	.args = "[-t TIME] DEV... | --shutdown",
	.summary = "end the servers of devices; the devices stay up",
	.options = options,
	.details = details,
	.complete = complete_all_devices,
};
