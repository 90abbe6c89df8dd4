// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * abusectl serve-many: reads a file with a line for each disk, gets the devices there one
 * after the other, and serves them all from one set of threads. A line that is wrong, and a
 * disk that cannot be served or ends, is reported, and the others are served.
 */
#include "serve/background.h"
#include "serve/leave.h"
#include "serve/many.h"
#include "serve/notify.h"
#include "cmd.h"
#include "complete.h"
#include "options.h"
#include "parse.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define MAX_WORDS		32
#define DEFAULT_DEPTH		64		/* of a device that is added */
#define DEFAULT_MAX_REQUEST	(64 * 1024)	/* bytes: a buffer holds two */
#define END_SECONDS		10		/* for what is held, after SIGTERM */

enum { WORKERS = 'w', DEPTH = 'd', DRY_RUN = 'n' };

static const struct opt options[] = {
	{ .letter = WORKERS, .name = "workers", .value = "N",
	  .help = "threads for all disks together, 1 to 64 (default 4)" },
	{ .letter = DEPTH, .name = "depth", .value = "N",
	  .help = "requests that a device which is added has room for, 1 to 1024 (default 64)" },
	{ .letter = 'f', .name = "fork",
	  .help = "return once the disks are served, by a process in the background" },
	{ .letter = DRY_RUN, .name = "dry-run", .help = "check FILE, and do nothing" },
	{ .letter = 'v', .name = "verbose", .help = "print each disk as it is served, and how long that took" },
	{ 0 },
};

struct job {
	const char *file;
	uint64_t workers, depth;
	bool forks, is_dry, verbose;
	struct many_disk *disks;	/* of the lines that are right */
	size_t nr;
	size_t keeper;			/* index of a disk that was in use at the last look */
	struct devices there;		/* before any was added */
	int status;			/* the worst so far */
};

static void add_status(struct job *job, int ret)
{
	if (ret > job->status)
		job->status = ret;
}

/* ---- the file ---- */

/* Words up to a comment; -1: too many. */
static int split(char *text, char **words)
{
	int nr = 0;
	char *word;

	for (word = strtok(text, " \t\r\n"); word && *word != '#'; word = strtok(NULL, " \t\r\n")) {
		if (nr == MAX_WORDS)
			return -1;
		words[nr++] = word;
	}
	words[nr] = NULL;
	return nr;
}

/* Refuses backends and keys that need threads of their own for each disk. */
static int check_plan(const struct plan *plan)
{
	static const char *const shared[] = { "workers", "spin", "connections" };
	const struct backend *backend = plan->serving.backend;
	size_t i;

	for (i = 0; i < sizeof(shared) / sizeof(*shared); i++)
		if (plan_has(plan, shared[i]))
			return invalid(shared[i], "cannot be set for one of many disks; leave it "
				       "out, or serve this one with 'abusectl server'");
	if (plan->serving.inject.given)
		return invalid("delay and error keys", "cannot be set for one of many disks; serve "
			       "this one with 'abusectl server'");
	if (backend->start || backend->is_async || backend->inner)
		return invalid(plan->serving.spec, "needs a process for each disk; serve this "
			       "disk with 'abusectl server'");
	if (!plan->has_backend)
		return invalid(NULL, "no backend; say one behind the name, as in 'vm1 "
			       "file:/srv/vm1.img'");
	return EXIT_OK;
}

static int check_name(const struct job *job, const char *name)
{
	char checked[ABUSE_NAME_LEN];
	size_t i;

	if (parse_name(name, checked))
		return invalid(name, "no name of a device; use 1 to 31 of A-Z a-z 0-9 . _ -, but no "
			       "number and no abuseN");
	for (i = 0; i < job->nr; i++)
		if (!strcmp(job->disks[i].name, name))
			return invalid(name, "is also the name in %s; take another", job->disks[i].place);
	return EXIT_OK;
}

static int take_words(const struct job *job, struct many_disk *disk, char **words)
{
	struct abuse_params *params = &disk->plan.settings.params;
	int ret = check_name(job, words[0]);

	if (ret)
		return ret;
	disk->name = words[0];
	plan_init(&disk->plan);
	ret = plan_take_words(&disk->plan, words[0], words + 1);
	if (!ret)
		ret = check_plan(&disk->plan);
	if (ret)
		return ret;
	if (!params->max_request && !params->atomic_max)
		params->max_request = DEFAULT_MAX_REQUEST;
	return plan_check(&disk->plan, words[0]);
}

static int take_line(struct job *job, const char *line, unsigned int nr)
{
	struct many_disk *disks, *disk;
	char *words[MAX_WORDS + 1];
	int count, ret;

	disks = realloc(job->disks, (job->nr + 1) * sizeof(*disks));
	if (!disks)
		return failed(NULL, "out of memory");
	job->disks = disks;
	disk = &disks[job->nr];
	memset(disk, 0, sizeof(*disk));
	disk->text = strdup(line);
	if (!disk->text || asprintf(&disk->place, "%s:%u", job->file, nr) < 0) {
		free(disk->text);
		return failed(NULL, "out of memory");
	}
	report_place(disk->place);
	count = split(disk->text, words);
	ret = count < 0 ? invalid(NULL, "more than %d words; join keys with commas", MAX_WORDS) :
	      count ? take_words(job, disk, words) : EXIT_OK;
	report_place(NULL);
	if (count > 0 && !ret) {
		job->nr++;
		return EXIT_OK;
	}
	free(disk->text);
	free(disk->place);
	return ret;
}

static int read_file(struct job *job)
{
	FILE *file = fopen(job->file, "re");
	unsigned int nr = 0;
	char *line = NULL;
	size_t size = 0;

	if (!file)
		return invalid(job->file, "cannot be read: %s; it has a line for each disk, 'NAME "
			       "BACKEND [KEY=VALUE]...'", strerror(errno));
	while (getline(&line, &size, file) >= 0)
		add_status(job, take_line(job, line, ++nr));
	if (ferror(file))
		add_status(job, invalid(job->file, "cannot be read: %s", strerror(errno)));
	free(line);
	fclose(file);
	if (!job->nr && !job->status)
		return invalid(job->file, "names no disk; it has a line for each, 'NAME BACKEND "
			       "[KEY=VALUE]...'");
	return job->nr ? EXIT_OK : job->status;
}

/* ---- devices ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct abuse_dev *)a)->name, ((const struct abuse_dev *)b)->name);
}

/* All devices, by name: to look each up in sysfs would take time with the square of their number. */
static void list_devices(struct job *job)
{
	abuse_dev_each(devices_append, &job->there);
	if (job->there.nr)
		qsort(job->there.devs, job->there.nr, sizeof(*job->there.devs), by_name);
}

static int open_device(const struct job *job, struct many_disk *disk)
{
	struct serving *serving = &disk->plan.serving;
	struct abuse_add add = { .number = ABUSE_NUMBER_ANY, .depth = (uint32_t)job->depth };
	const struct abuse_dev *found = NULL;
	struct abuse_dev key = { 0 };
	char text[16];

	snprintf(key.name, sizeof(key.name), "%s", disk->name);
	if (job->there.nr)
		found = bsearch(&key, job->there.devs, job->there.nr, sizeof(key), by_name);
	if (found) {
		if (device_is_foreign((unsigned int)found->number))
			return EXIT_FAILED;
		snprintf(text, sizeof(text), "%u", (unsigned int)found->number);
		serving->fd = device_open(text, &serving->number);
		return serving->fd < 0 ? EXIT_FAILED : EXIT_OK;
	}
	snprintf(add.name, sizeof(add.name), "%s", disk->name);
	serving->fd = device_add_open(&add);
	serving->number = add.number;
	disk->plan.was_added = true;
	return serving->fd < 0 ? EXIT_FAILED : EXIT_OK;
}

static int attach(struct job *job, struct many *many, struct many_disk *disk)
{
	struct serving *serving = &disk->plan.serving;
	int ret = open_device(job, disk);

	if (ret)
		return ret;
	serving->verbose = job->verbose;
	ret = plan_attach(&disk->plan);
	if (!ret) {
		ret = many_add(many, disk);
		if (ret)
			serving->backend->close(serving->store, plan_undo(&disk->plan));
	}
	if (ret)
		close(serving->fd);
	return ret;
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * NSEC_PER_SEC + (uint64_t)time.tv_nsec;
}

static void attach_all(struct job *job, struct many *many)
{
	uint64_t began;
	size_t i;
	int ret;

	list_devices(job);
	for (i = 0; i < job->nr; i++) {
		began = now();
		report_place(job->disks[i].place);
		ret = attach(job, many, &job->disks[i]);
		report_place(NULL);
		add_status(job, ret);
		if (!ret && job->verbose)
			printf("%s is /dev/abuse%u, after %llu us\n", job->disks[i].name,
			       job->disks[i].plan.serving.number,
			       (unsigned long long)(now() - began) / 1000);
	}
}

/* ---- serving ---- */

static void announce(const struct job *job, struct many *many)
{
	char text[256];
	unsigned int nr = many_count(many);

	snprintf(text, sizeof(text), "serving %u disk%s of %.128s with %u worker%s", nr,
		 nr == 1 ? "" : "s", job->file, many->nr_threads, many->nr_threads == 1 ? "" : "s");
	if (!is_quiet())
		printf("abusectl: %s\n", text);
	fflush(stdout);
	notify_ready(text);
	background_ready(0);		/* the caller asks for no number: there are many */
}

/* The next signal, or < 0 now and then. */
static int next_signal(const sigset_t *signals, int64_t interval)
{
	const struct timespec step = {
		.tv_sec = interval / NSEC_PER_SEC, .tv_nsec = interval % NSEC_PER_SEC,
	};

	notify_alive();
	return interval ? sigtimedwait(signals, NULL, &step) : sigwaitinfo(signals, NULL);
}

/*
 * A disk that is in use keeps this process, as it keeps one of server; see leave.h. The search
 * begins where it found one last.
 */
static bool is_kept(struct job *job, struct many *many)
{
	const struct many_disk *disk;
	size_t i;

	for (i = 0; i < job->nr; i++) {
		disk = &job->disks[job->keeper];
		if (many_serves(many, disk) && leave_must_wait(&disk->plan.serving))
			return true;
		job->keeper = (job->keeper + 1) % job->nr;
	}
	return false;
}

/* False: a disk holds requests that are not answered in time. */
static bool await_end(struct job *job, struct many *many, const sigset_t *signals)
{
	int64_t interval = notify_interval();
	uint64_t deadline = UINT64_MAX;
	bool is_leaving = false;	/* once no disk is in use any more */
	int sig;

	while (many_count(many)) {
		sig = next_signal(signals, is_leaving ? LEAVE_LOOK : interval);
		if (sig == SIGUSR1)
			note(job->file, "%u disks are served", many_count(many));
		if (sig == SIGHUP)
			sig = SIGTERM;
		if (sig == SIGTERM && !is_leaving && deadline == UINT64_MAX && leave_is_shutdown()) {
			is_leaving = true;
			leave_mark();
		}
		if (is_leaving && sig != SIGINT && is_kept(job, many))
			continue;
		if ((is_leaving || sig == SIGTERM || sig == SIGINT) && deadline == UINT64_MAX) {
			is_leaving = false;
			notify_stopping();
			many_stop(many, job->disks, job->nr);
			deadline = now() + (uint64_t)END_SECONDS * NSEC_PER_SEC;
			interval = NSEC_PER_SEC;
		}
		if (now() > deadline)
			return false;
	}
	return true;
}

static int serve(struct job *job, const sigset_t *signals)
{
	struct many many;
	int ret = many_start(&many, (unsigned int)job->workers);

	if (ret)
		return ret;
	attach_all(job, &many);
	background_let_go();
	if (many_count(&many))
		announce(job, &many);
	many_ready(&many);
	if (!await_end(job, &many, signals)) {
		note(job->file, "requests that are not completed wait for the next server");
		/* Its threads still use what a return would free. */
		fflush(NULL);
		_exit(job->status);
	}
	many_end(&many);
	add_status(job, many.nr_failed ? EXIT_FAILED : EXIT_OK);
	return job->status;
}

/* Each disk takes up to ten descriptors. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void block_signals(sigset_t *signals)
{
	sigemptyset(signals);
	leave_add_signals(signals);
	sigaddset(signals, SIGUSR1);
	sigaddset(signals, MANY_ENDED);
	pthread_sigmask(SIG_BLOCK, signals, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void forget(struct job *job)
{
	size_t i;

	for (i = 0; i < job->nr; i++) {
		free(job->disks[i].plan.made);
		free(job->disks[i].text);
		free(job->disks[i].place);
	}
	free(job->disks);
	free(job->there.devs);
}

static int take_count(const char *option, const char *text, uint64_t most, uint64_t *to)
{
	if (!parse_number(text, to) && *to && *to <= most)
		return EXIT_OK;
	return invalid(NULL, "%s %s: must be a number from 1 to %llu", option, text,
		       (unsigned long long)most);
}

static int take_options(int argc, char **argv, struct job *job)
{
	const char *value;
	int option, ret = EXIT_OK;

	while ((option = option_next(&cmd_serve_many, argc, argv, &value)) > 0) {
		job->forks |= option == 'f';
		job->is_dry |= option == DRY_RUN;
		job->verbose |= option == 'v';
		if (option == WORKERS)
			ret = take_count("--workers", value, ABUSE_MAX_THREADS, &job->workers);
		if (option == DEPTH)
			ret = take_count("--depth", value, 1024, &job->depth);
		if (ret)
			return -1 - ret;
	}
	return option;
}

static int run(int argc, char **argv)
{
	struct job job = { .workers = 4, .depth = DEFAULT_DEPTH };
	struct background server;
	sigset_t signals;
	bool is_child;
	int ret;

	ret = take_options(argc, argv, &job);
	if (ret < 0)
		return option_status(ret);
	if (optind + 1 != argc)
		return misused("one FILE is needed");
	job.file = argv[optind];
	if (job.forks && !job.is_dry) {
		ret = background_begin(&is_child, &server);
		if (ret || !is_child)
			return ret;
	}
	ret = read_file(&job);
	if (!ret && job.is_dry)
		ret = job.status;
	if (!ret && !job.is_dry) {
		raise_limit();
		block_signals(&signals);
		ret = serve(&job, &signals);
	}
	forget(&job);
	return ret;
}

static void details(void)
{
	puts("FILE has a line for each disk: the name of its device, which is added if there is none,\n"
	     "a backend and keys, as for 'abusectl server'. '#' begins a comment.\n"
	     "\n"
	     "  vm1 cow:/srv/base.img:/srv/vm1.delta\n"
	     "  vm2 file:/srv/vm2.img size=10G,sealed\n"
	     "\n"
	     "A wrong line, or a disk that fails, is reported with its line; the others are served.\n"
	     "Backends with threads of their own, as nbd, and the keys workers, spin, connections and those\n"
	     "of delays and errors are for 'abusectl server'. max_request defaults to 64K.\n"
	     "SIGTERM, SIGINT, SIGHUP: complete held requests and exit. SIGUSR1: print the number of disks.\n");
}

static void complete(int argc, char **argv)
{
	const char *word = argv[argc - 1];

	if (*word == '-')
		options_complete(&cmd_serve_many, word);
	else
		complete_files(word, 0);
}

const struct cmd cmd_serve_many = {
	.name = "serve-many",
	.run = run,
	.args = "FILE",
	.options = options,
	.summary = "serve many disks from one process",
	.details = details,
	.complete = complete,
};
