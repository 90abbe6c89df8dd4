// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * abusectl server: read what is wanted, from arguments or a file, get the device
 * there, then serve.
 */
#include "serve/background.h"
#include "cmd.h"
#include "complete.h"
#include "keys/conf.h"
#include "keys/plan.h"
#include "parse.h"

#include <string.h>
#include <stdio.h>
#include <unistd.h>

static int take_keys(struct plan *plan, const char *dev, char *list)
{
	char *key, *value;
	int ret;

	while (parse_pair(&list, &key, &value)) {
		ret = plan_take(plan, dev, key, value);
		if (ret < 0)
			return misused("%s: neither a backend nor a key", key);
		if (ret)
			return ret;
	}
	return EXIT_OK;
}

/* DEV, then a backend and keys; options are gone. */
static int parse(int argc, char **argv, struct plan *plan)
{
	bool has_backend = false;
	int i, ret;

	for (i = 1; i < argc; i++) {
		ret = has_backend ? -1 : plan_take_backend(plan, NULL, argv[i]);
		if (ret < 0)
			ret = take_keys(plan, argv[0], argv[i]);
		else
			has_backend = true;
		if (ret)
			return ret;
	}
	return EXIT_OK;
}

static int serve(struct plan *plan)
{
	struct serving *serving = &plan->serving;
	bool is_gone = false;
	int ret;

	ret = plan_attach(plan);
	if (ret)
		return ret;
	ret = workers_run(serving, &is_gone);
	serving->backend->close(serving->store, is_gone);
	return ret;
}

static int run_arguments(int argc, char **argv, bool verbose)
{
	struct plan plan;
	int ret;

	plan_init(&plan);
	plan.serving.verbose = verbose;
	ret = parse(argc, argv, &plan);
	if (ret)
		return ret;
	plan.serving.fd = device_open(argv[0], &plan.serving.number);
	if (plan.serving.fd < 0)
		return EXIT_FAILED;
	ret = serve(&plan);
	close(plan.serving.fd);
	return ret;
}

static int run_file(const char *file, bool verbose)
{
	struct conf conf;
	int ret;

	ret = conf_open(&conf, file);
	if (ret)
		return ret;
	conf.plan.serving.verbose = verbose;
	ret = serve(&conf.plan);
	conf_close(&conf);
	return ret == EXIT_OK ? EXIT_OK : EXIT_FAILED;
}

static int run(int argc, char **argv)
{
	bool verbose = false, forks = false, is_child;
	const char *file = NULL;
	int i, ret, nr = 0;

	for (i = 1; i < argc; i++) {
		ret = conf_option(argc, argv, &i, &file);
		if (ret < 0)
			return EXIT_USAGE;
		if (ret)
			continue;
		if (!strcmp(argv[i], "-v") || !strcmp(argv[i], "--verbose"))
			verbose = true;
		else if (!strcmp(argv[i], "-f") || !strcmp(argv[i], "--fork"))
			forks = true;
		else if (*argv[i] == '-')
			return misused("%s: no such option", argv[i]);
		else
			argv[nr++] = argv[i];
	}
	if (file && nr)
		return misused("%s: with --config, all of it stands in the file",
			       argv[0]);
	if (!file && !nr)
		return misused("a DEV is needed");
	if (forks) {
		ret = background_begin(&is_child);
		if (ret || !is_child)
			return ret;
	}
	return file ? run_file(file, verbose) : run_arguments(nr, argv, verbose);
}

static void details(void)
{
	puts("Sets the device up when it is empty, else serves what is there. Any number of\n"
	     "servers may serve one device; any may be killed at any time.\n"
	     "\n"
	     "Backends:");
	backends_help();
	putchar('\n');
	plan_help();
	puts("size= is needed unless the device is up, the file exists or the backend is cow or nbd;\n"
	     "write_cache, fua, discard and write_zeroes are as the backend can, bs is 512 by\n"
	     "default.\n");
	conf_help();
	puts("SIGTERM, SIGINT: answer what is held and exit 0. SIGUSR1: print counters.\n"
	     "-v, --verbose: print whether this process is declared an I/O flusher and its\n"
	     "memory is locked; without both, nothing is promised under swap.\n"
	     "-f, --fork: return once the disk is served, by a process in the background.\n");
	settings_help();
}

static void complete(int argc, char **argv)
{
	const char *word = argv[argc - 1];
	int i, nr = 0;

	if (conf_complete(argc, argv))
		return;
	for (i = 1; i < argc - 1; i++)
		nr += *argv[i] != '-';
	if (*word == '-') {
		conf_complete_option(word);
		complete_word(word, "--verbose", "print what holds under swap");
		complete_word(word, "--fork", "return once it serves, in the background");
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
	.summary = "set a device up if it is empty, and serve it",
	.details = details,
	.complete = complete,
};
