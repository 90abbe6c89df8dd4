// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * abusectl server: read what is wanted, from arguments or a file, get the device
 * there, then serve.
 */
#include "serve/background.h"
#include "serve/leave.h"
#include "serve/notify.h"
#include "away.h"
#include "cmd.h"
#include "complete.h"
#include "keys/conf.h"
#include "keys/plan.h"
#include "options.h"
#include "parse.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FINDS	32
#define REPLACE_MS	30000		/* a server completes what it holds in this time, or hangs */

enum {
	SHOW = 'S', FIND = 'F', FORCE = 'x', CONFIG = 'c', PID_FILE = 'p', DRY_RUN = 'n', REPLACE = 'r',
	ROOT_STORAGE = 'R',
};

static const struct opt options[] = {
	{ .letter = FIND, .is_long_only = 1, .name = "find",
	  .help = "in place of DEV: an unconfigured device, or a new one (always for users)" },
	{ .letter = SHOW, .is_long_only = 1, .name = "show",
	  .help = "print the path of the disk once it is served; implies --fork" },
	{ .letter = 'f', .name = "fork",
	  .help = "return once the disk is served, by a process in the background" },
	{ .letter = CONFIG, .is_long_only = 1, .name = "config", .value = "NAME",
	  .help = "take everything from a file, see abuse.conf(5)" },
	{ .letter = 'P', .name = "partscan",
	  .help = "make nodes for partitions, with partx(8); for root" },
	{ .letter = PID_FILE, .is_long_only = 1, .name = "pid-file", .value = "FILE",
	  .help = "write the server's process id there; removed when it ends" },
	{ .letter = REPLACE, .is_long_only = 1, .name = "replace",
	  .help = "end the servers that served before, once this one serves; implies --fork" },
	{ .letter = ROOT_STORAGE, .is_long_only = 1, .name = "root-storage",
	  .help = "the root file system is there: survive the shutdown, see abuse(7)" },
	{ .letter = FORCE, .is_long_only = 1, .name = "force",
	  .help = "join a device that another store serves: reads may miss written data" },
	{ .letter = DRY_RUN, .name = "dry-run", .help = "print what would be done, and do nothing" },
	{ .letter = 'v', .name = "verbose", .help = "print whether memory is locked" },
	{ 0 },
};

struct request {
	struct plan *plan;
	bool finds, shows, forks, scans, verbose, is_forced, is_dry, replaces, is_root_storage;
	const char *file;
	char pid_file[PATH_MAX];
};

static int scan(unsigned int number)
{
	char disk[32];
	char *words[] = { (char *)"partx", (char *)"--update", disk, NULL };
	int status;

	snprintf(disk, sizeof(disk), "/dev/abuse%u", number);
	status = command_run(disk, words);
	if (status > 0)
		failed(disk, "partx found no partitions that it could add; the disk is served");
	return status ? EXIT_FAILED : EXIT_OK;
}

/* Output for the caller when the disk is served; the serving process prints it. */
static void greet(const struct serving *serving, void *arg)
{
	const struct request *request = arg;

	if (request->scans)
		scan(serving->number);
	if (request->shows) {
		printf("/dev/abuse%u\n", serving->number);
		fflush(stdout);
	}
}

static int serve(struct request *request)
{
	struct plan *plan = request->plan;
	struct serving *serving = &plan->serving;
	bool is_gone = false, has_served = false;
	int ret;

	plan->is_forced = request->is_forced;
	plan->is_dry = request->is_dry;
	serving->verbose = request->verbose;
	serving->is_root_storage = request->is_root_storage;
	serving->pid_file = *request->pid_file ? request->pid_file : NULL;
	serving->is_silent = request->shows;
	serving->greet = greet;
	serving->greet_arg = request;
	ret = plan_attach(plan);
	if (ret || plan->is_dry)
		return ret;
	background_let_go();
	ret = workers_run(serving, &has_served, &is_gone);
	if (!has_served && plan_undo(plan))
		is_gone = true;
	serving->backend->close(serving->store, is_gone);
	return ret;
}

static int serve_free(struct request *request)
{
	struct plan *plan = request->plan;
	int i, ret = PLAN_TAKEN;

	plan->must_set_up = true;
	for (i = 0; i < MAX_FINDS && ret == PLAN_TAKEN; i++) {
		plan->serving.fd = device_find_free(&plan->serving.number, &plan->was_added);
		if (plan->serving.fd < 0)
			return EXIT_FAILED;
		ret = serve(request);
		close(plan->serving.fd);
	}
	return ret == PLAN_TAKEN ? failed("--find", "another process has configured each device that "
					  "was found; try again") : ret;
}

/* A backend or a file in the place of DEV */
static int check_device_word(const char *word)
{
	const char *args;
	struct stat st;

	if (abuse_dev_find(word) >= 0)
		return EXIT_OK;
	if (backend_find(word, &args))
		return misused("%s: DEV comes before the backend; or say --find for any free device", word);
	if (!stat(word, &st) && S_ISREG(st.st_mode))
		return misused("%s: is a file, not a DEV; say 'abusectl server --find file:%s'", word, word);
	return EXIT_OK;
}

static int run_arguments(char **argv, struct request *request)
{
	const char *dev = request->finds ? "--find" : *argv++;
	struct plan plan;
	int ret;

	ret = request->finds ? EXIT_OK : check_device_word(dev);
	if (ret)
		return ret;
	plan_init(&plan);
	request->plan = &plan;
	ret = plan_take_words(&plan, dev, argv);
	if (ret)
		return ret;
	if (request->finds)
		return serve_free(request);
	plan.serving.fd = device_open_own(dev, &plan.serving.number);
	if (plan.serving.fd < 0)
		return EXIT_FAILED;
	ret = serve(request);
	close(plan.serving.fd);
	return ret;
}

static int run_file(struct request *request)
{
	struct conf conf;
	int ret;

	ret = conf_open(&conf, request->file);
	if (ret)
		return ret;
	request->plan = &conf.plan;
	ret = serve(request);
	conf_close(&conf);
	return ret;
}

/* The server works in the root directory. */
static int take_pid_file(struct request *request, const char *path)
{
	char dir[PATH_MAX] = "";
	size_t len;

	if (*path != '/' && !getcwd(dir, sizeof(dir)))
		return failed("--pid-file", "the working directory is unknown: %s",
			      strerror(errno));
	len = (size_t)snprintf(request->pid_file, sizeof(request->pid_file), "%s%s%s", dir,
			       *dir ? "/" : "", path);
	return *path && len < sizeof(request->pid_file) ? EXIT_OK :
	       invalid(NULL, "--pid-file %s: must be the path of a file", path);
}

static int take_options(int argc, char **argv, struct request *request)
{
	const char *value;
	int option, ret;

	while ((option = option_next(&cmd_server, argc, argv, &value)) > 0) {
		request->finds |= option == FIND;
		request->shows |= option == SHOW;
		request->replaces |= option == REPLACE;
		request->is_root_storage |= option == ROOT_STORAGE;
		request->forks |= option == 'f' || option == SHOW || option == REPLACE;
		request->scans |= option == 'P';
		request->verbose |= option == 'v';
		request->is_forced |= option == FORCE;
		request->is_dry |= option == DRY_RUN;
		if (option == CONFIG)
			request->file = value;
		ret = option == PID_FILE ? take_pid_file(request, value) : EXIT_OK;
		if (ret)
			return -1 - ret;
	}
	return option;
}

/* A new server serves. systemd is told first, or it takes the end of the old one for that of the unit. */
static int end_others(const struct background *server)
{
	const struct stopping how = {
		.sig = SIGINT, .spared = server->pid, .milliseconds = REPLACE_MS,
	};

	notify_main_pid(server->pid);
	return device_stop(server->number, &how);
}

static int run(int argc, char **argv)
{
	struct request request = { 0 };
	struct background server;
	bool is_child;
	int ret;

	ret = take_options(argc, argv, &request);
	if (ret < 0)
		return option_status(ret);
	if (request.file && request.finds)
		return misused("--find: not with --config, whose file names the device");
	if (request.file && optind < argc)
		return misused("%s: with --config, all of it stands in the file",
			       argv[optind]);
	if (request.replaces && request.finds)
		return misused("--replace: not with --find, whose device has no server");
	if (!request.file && !request.finds && optind == argc)
		return misused("a DEV is needed, or --find");
	if (request.scans && geteuid())
		return misused("--partscan: needs root; without root, nbdkit's filter partition "
			       "serves one partition");
	if (request.forks && !request.is_dry) {
		if (request.replaces)
			notify_take_over();
		ret = background_begin(&is_child, &server);
		if (ret || !is_child)
			return ret || !request.replaces ? ret : end_others(&server);
	}
	if (request.is_root_storage) {
		leave_mark();
		device_keep_sysfs();
	}
	return request.file ? run_file(&request) : run_arguments(argv + optind, &request);
}

static void details(void)
{
	puts("Configures the device if it is unconfigured, and serves it. Any number of servers\n"
	     "may serve one device, and each may be killed at any time.\n"
	     "\n"
	     "Backends:");
	backends_help();
	putchar('\n');
	plan_help();
	puts("size= is needed unless the device is up, the file exists or the backend is cow or nbd;\n"
	     "write_cache, fua, discard and write_zeroes default to what the backend can do, bs to\n"
	     "512.\n");
	conf_help();
	puts("SIGTERM, SIGINT, SIGHUP: complete held requests and exit 0. SIGUSR1: print counters.\n"
	     "SIGTERM or SIGHUP while the machine shuts down: serve on while the disk is in use.\n"
	     "A device that is up has the label of its store ('abusectl list', BACKING), and\n"
	     "only servers of that store join it.\n");
	settings_help();
}

static void complete(int argc, char **argv)
{
	const char *word = argv[argc - 1];
	int i, nr = 0;

	if (!strcmp(argv[argc - 2], "--pid-file")) {
		complete_files(word, 0);
		return;
	}
	if (conf_complete(argc, argv))
		return;
	for (i = 1; i < argc - 1; i++)
		nr += *argv[i] != '-' || !strcmp(argv[i], "--find");
	if (*word == '-') {
		options_complete(&cmd_server, word);
	} else if (!nr) {
		complete_devices(word);
	} else {
		backends_complete(word);
		plan_complete(word);
	}
}

const struct cmd cmd_server = {
	.name = "server",
	.run = run,
	.args = "DEV [BACKEND] [KEY=V,..]",
	.options = options,
	.summary = "configure a device if necessary, and serve it",
	.details = details,
	.complete = complete,
};
