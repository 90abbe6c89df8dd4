// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * abusectl replay: rebuild from a log the disks that a power cut could have left, and run a
 * command on each. The log is the backend record's.
 */
#include "cmd.h"
#include "complete.h"
#include "json-text.h"
#include "options.h"
#include "parse.h"
#include "record/history.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOLDER	"{}"			/* in COMMAND: the path of the disk */

enum { TO = 't', EACH = 'e', REORDER = 'r', SEED = 's', STATES = 'n', BASE = 'b', DIR = 'd',
       MARK = 'm' };

static const struct opt options[] = {
	{ .letter = TO, .is_long_only = 1, .name = "to", .value = "EPOCH",
	  .help = "cut the power at the end of this epoch" },
	{ .letter = EACH, .is_long_only = 1, .name = "each",
	  .help = "at the end of each epoch in turn" },
	{ .letter = REORDER, .is_long_only = 1, .name = "reorder",
	  .help = "within the epoch: any part of what was not flushed is lost" },
	{ .letter = SEED, .is_long_only = 1, .name = "seed", .value = "N",
	  .help = "with --reorder: another seed, another disk (default 1)" },
	{ .letter = STATES, .is_long_only = 1, .name = "states", .value = "N",
	  .help = "with --reorder: N disks of each epoch, from N seeds (default 1)" },
	{ .letter = BASE, .is_long_only = 1, .name = "base", .value = "FILE",
	  .help = "what the disk had before the log (default: zeroes)" },
	{ .letter = DIR, .is_long_only = 1, .name = "dir", .value = "DIR",
	  .help = "make the disks there (default $TMPDIR, or /var/tmp)" },
	{ .letter = MARK, .is_long_only = 1, .name = "mark", .value = "TEXT",
	  .help = "append a mark to the log, also while it is written" },
	{ .letter = 'J', .name = "json", .help = "list the epochs as JSON" },
	{ 0 },
};

struct request {
	const char *base, *dir, *mark;
	uint64_t to, seed, states;
	bool has_to, is_each, is_reordered, is_json;
	char **command;
	unsigned long nr, failures;
};

/* ---- the command ---- */

/* @command with the path in place of {}, or behind it. */
static char **fill_in(char **command, const char *path)
{
	size_t n = 0, i;
	bool is_named = false;
	char **words, *at;

	while (command[n])
		n++;
	words = calloc(n + 2, sizeof(*words));
	if (!words)
		return NULL;
	for (i = 0; i < n; i++) {
		words[i] = command[i];
		at = strstr(command[i], HOLDER);
		if (!at)
			continue;
		is_named = true;
		if (asprintf(&words[i], "%.*s%s%s", (int)(at - command[i]), command[i], path,
			     at + strlen(HOLDER)) < 0) {
			free(words);
			return NULL;
		}
	}
	if (!is_named)
		words[n] = (char *)path;
	return words;
}

static void start(char **command, const char *path, size_t epoch, const char *mark)
{
	char **words = fill_in(command, path);
	char text[24];

	snprintf(text, sizeof(text), "%zu", epoch);
	if (!words || setenv("ABUSE_DISK", path, 1) || setenv("ABUSE_EPOCH", text, 1) ||
	    setenv("ABUSE_MARK", mark ? mark : "", 1))
		_exit(126);
	execvp(words[0], words);
	fprintf(stderr, "abusectl: replay: %s: cannot be run: %s\n", words[0], strerror(errno));
	_exit(127);
}

/* How it ended, in words; NULL: well. */
static const char *run_command(const struct request *request, const char *path, size_t epoch,
			       const char *mark, int *status)
{
	static char text[64];
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child)
		start(request->command, path, epoch, mark);
	*status = 127 << 8;
	while (child > 0 && waitpid(child, status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(*status))
		snprintf(text, sizeof(text), "was killed by signal %d", WTERMSIG(*status));
	else
		snprintf(text, sizeof(text), "ended with %d", WEXITSTATUS(*status));
	return *status ? text : NULL;
}

static int try_state(struct request *request, struct state *state, size_t epoch,
		     const uint64_t *seed)
{
	const char *mark, *how;
	char which[48] = "";
	int status, ret = state_make(state, epoch, seed, &mark);

	if (ret)
		return ret;
	how = run_command(request, state->disk, epoch, mark, &status);
	request->nr++;
	if (!how)
		return EXIT_OK;
	request->failures++;
	if (seed)
		snprintf(which, sizeof(which), " --reorder --seed %llu",
			 (unsigned long long)*seed);
	printf("--to %zu%s: %s %s%s%s\n", epoch, which, request->command[0], how,
	       mark ? "; the last mark was " : "", mark ? mark : "");
	/* Nothing was tried: it will not be there for the next one either. */
	return WIFEXITED(status) && WEXITSTATUS(status) == 127 ? EXIT_FAILED : EXIT_OK;
}

static int try_epoch(struct request *request, struct state *state, size_t epoch)
{
	uint64_t seed = request->seed, i;
	int ret = EXIT_OK;

	if (!request->is_reordered)
		return try_state(request, state, epoch, NULL);
	for (i = 0; i < request->states && !ret; i++, seed++)
		ret = try_state(request, state, epoch, &seed);
	return ret;
}

static int replay(struct request *request, const struct history *history)
{
	size_t epoch = request->is_each ? 0 : request->to;
	size_t last = request->is_each ? history->nr_epochs : request->to;
	struct state state;
	int ret;

	ret = state_begin(&state, history, request->dir, request->base);
	if (ret)
		return ret;
	for (; epoch <= last && !ret; epoch++)
		ret = try_epoch(request, &state, epoch);
	state_end(&state);
	if (!is_quiet())
		printf("%lu disks, %lu failed\n", request->nr, request->failures);
	return ret ? ret : request->failures ? EXIT_FAILED : EXIT_OK;
}

/* ---- the list, and marks ---- */

static int list(const struct history *history, bool is_json)
{
	struct json_object *root = json_object_new_object();
	struct json_object *epochs = json_object_new_array();
	size_t i;

	for (i = 0; i <= history->nr_epochs; i++) {
		const struct epoch *epoch = &history->epochs[i];
		struct json_object *item = json_object_new_object();

		json_object_object_add(item, "epoch", json_object_new_int64((int64_t)i));
		json_object_object_add(item, "writes",
				       json_object_new_int64((int64_t)epoch->writes));
		json_object_object_add(item, "bytes",
				       json_object_new_int64((int64_t)epoch->bytes));
		json_object_object_add(item, "mark", epoch->mark ?
				       json_text(epoch->mark) : NULL);
		json_object_array_add(epochs, item);
		if (!is_json)
			printf("%6zu %8llu writes %12llu bytes  %s\n", i,
			       (unsigned long long)epoch->writes,
			       (unsigned long long)epoch->bytes,
			       epoch->mark ? epoch->mark : "");
	}
	json_object_object_add(root, "epochs", epochs);
	if (is_json)
		puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY));
	json_object_put(root);
	return EXIT_OK;
}

static int append_mark(const char *path, const char *text)
{
	struct log_record record = { .op = LOG_MARK, .length = strlen(text) };
	struct log_header header;
	struct log log;
	int ret;

	if (record.length > LOG_MARK_MAX)
		return invalid(NULL, "--mark: must have at most %d bytes", LOG_MARK_MAX);
	ret = log_open(&log, path, O_RDWR, &header);
	if (ret)
		return ret == -EINVAL ? failed(path, "is no log that 'abusectl server' has written with the backend "
					       "record") :
					failed(path, "cannot be opened: %s", strerror(-ret));
	ret = log_append(&log, &record, text, true);
	log_close(&log);
	return ret ? failed(path, "cannot be written: %s", strerror(-ret)) : EXIT_OK;
}

/* ---- arguments ---- */

static int take_number(const char *name, const char *value, uint64_t least, uint64_t *number)
{
	if (!parse_number(value, number) && *number >= least)
		return EXIT_OK;
	return invalid(NULL, "--%s %s: must be a number%s", name, value,
		       least ? " above 0" : "");
}

static int take_option(struct request *request, int option, const char *value)
{
	switch (option) {
	case TO:
		request->has_to = true;
		return take_number("to", value, 0, &request->to);
	case SEED:
		return take_number("seed", value, 0, &request->seed);
	case STATES:
		return take_number("states", value, 1, &request->states);
	case EACH:
		request->is_each = true;
		break;
	case REORDER:
		request->is_reordered = true;
		break;
	case BASE:
		request->base = value;
		break;
	case DIR:
		request->dir = value;
		break;
	case MARK:
		request->mark = value;
		break;
	case 'J':
		request->is_json = true;
		break;
	}
	return EXIT_OK;
}

static int run_on(struct request *request, const char *path)
{
	struct history history;
	int ret = history_open(&history, path);

	if (ret)
		return ret;
	if (!request->command)
		ret = list(&history, request->is_json);
	else if (request->has_to && request->to > history.nr_epochs)
		ret = failed(path, "--to %llu: must be one of its epochs, 0 to %zu",
			     (unsigned long long)request->to, history.nr_epochs);
	else
		ret = replay(request, &history);
	history_close(&history);
	return ret;
}

static int run(int argc, char **argv)
{
	const char *tmp = getenv("TMPDIR");
	struct request request = { .seed = 1, .states = 1, .dir = tmp && *tmp ? tmp : "/var/tmp" };
	const char *value, *log;
	int option, ret;

	while ((option = option_next(&cmd_replay, argc, argv, &value)) > 0) {
		ret = take_option(&request, option, value);
		if (ret)
			return ret;
	}
	if (option < 0)
		return option_status(option);
	if (optind == argc)
		return misused("a LOG is needed");
	log = argv[optind];
	request.command = optind + 1 < argc ? argv + optind + 1 : NULL;
	if (request.mark)
		return request.command ? misused("--mark: runs no COMMAND") :
					 append_mark(log, request.mark);
	if (request.has_to && request.is_each)
		return misused("--to and --each: give one of them");
	if (request.command && !request.has_to && !request.is_each)
		return misused("--to EPOCH or --each is needed, to say where the power is cut");
	if (!request.command && (request.has_to || request.is_each || request.is_reordered))
		return misused("a COMMAND is needed, behind --");
	signal(SIGPIPE, SIG_DFL);
	return run_on(&request, log);
}

static void details(void)
{
	puts("LOG is what 'abusectl server DEV record:LOG:BACKEND' wrote. An epoch ends with each\n"
	     "flush that the disk completed; without COMMAND they are listed. COMMAND gets the\n"
	     "path of the disk, a file, in place of {} or behind its words, and may change it. In\n"
	     "its environment are ABUSE_DISK, ABUSE_EPOCH, and ABUSE_MARK, the last mark before\n"
	     "the cut. Each disk on which it does not end with 0 is named, with the options that\n"
	     "make it again, and the exit status is then 1.");
}

static void complete(int argc, char **argv)
{
	const char *word = argv[argc - 1];

	if (*word == '-')
		options_complete(&cmd_replay, word);
	else
		complete_files(word, 0);
}

const struct cmd cmd_replay = {
	.name = "replay",
	.run = run,
	.args = "LOG [OPTION] [-- COMMAND]",
	.options = options,
	.summary = "run a command on disks that a power cut could have left",
	.details = details,
	.complete = complete,
};
