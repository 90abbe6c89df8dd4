// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Reads abuse.conf(5) into a plan and opens its device; see conf.h. The keys are
 * the plan's, but for the two that have a place of their own on the command line.
 */
#include "conf.h"
#include "cmd.h"
#include "complete.h"
#include "hint.h"
#include "parse.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SUFFIX		".conf"
#define OPTION		"--config"
#define RULES_SECONDS	3	/* more than udev needs, if it has rules at all */

/* ABUSE_CONF_DIR names another directory: tests make one up. */
static const char *conf_dir(void)
{
	const char *dir = getenv("ABUSE_CONF_DIR");

	return dir ? dir : "/etc/abuse";
}

/* Valid names of files; also a number, which is no valid name of a device. */
static bool is_word(const char *text)
{
	size_t len = strlen(text);

	return len && len < sizeof(((struct conf *)0)->name) &&
	       len == strspn(text, NAME_CHARACTERS);
}

/* Path of the file and name of the device. */
static int name_file(struct conf *conf, const char *text)
{
	const char *base = strrchr(text, '/');
	size_t len;
	char *name;

	if (!base && !is_word(text))
		return invalid(NULL, "--config %s: must be 1 to 31 of A-Z a-z 0-9 . _ - "
			       "for %s/NAME%s, or a path with a slash", text,
			       conf_dir(), SUFFIX);
	if (!base)
		len = (size_t)snprintf(conf->path, sizeof(conf->path), "%s/%s%s",
				       conf_dir(), text, SUFFIX);
	else
		len = (size_t)snprintf(conf->path, sizeof(conf->path), "%s", text);
	if (len >= sizeof(conf->path))
		return invalid(NULL, "--config: a path of %zu bytes is too long", len);
	name = strdup(base ? base + 1 : text);
	if (!name)
		return failed(conf->path, "out of memory");
	len = strlen(name);
	if (base && len > strlen(SUFFIX) && !strcmp(name + len - strlen(SUFFIX), SUFFIX))
		name[len - strlen(SUFFIX)] = '\0';
	if (parse_name(name, conf->name))
		*conf->name = '\0';
	free(name);
	return EXIT_OK;
}

static int take_device(struct conf *conf, const char *line, const char *value)
{
	uint64_t number;

	if (!value || parse_number(value, &number) || number > ABUSE_MAX_NUMBER)
		return invalid(line, "device=%s: must be a number from 0 to %u; leave it "
			      "out for the device of the file's name",
			      value ? value : "", ABUSE_MAX_NUMBER);
	conf->number = (int)number;
	return EXIT_OK;
}

static int take_backend(struct conf *conf, const char *line, const char *value)
{
	int ret;

	conf->backend = strdup(value ? value : "");
	if (!conf->backend)
		return failed(line, "out of memory");
	ret = plan_take_backend(&conf->plan, line, conf->backend);
	if (ret < 0)
		return invalid(line, "backend=%s: must be one of those that 'abusectl "
			      "help server' lists", conf->backend);
	return ret;
}

static int take(struct conf *conf, const char *line, const char *key,
		const char *value)
{
	char hint[HINT_TEXT];
	bool is_device = !strcmp(key, "device"), is_backend = !strcmp(key, "backend");
	int ret;

	if (is_device ? conf->number >= 0 : is_backend ? conf->backend != NULL :
	    plan_has(&conf->plan, key))
		return invalid(line, "%s: said twice, or against an earlier line; delete "
			      "one of them", key);
	if (is_device)
		return take_device(conf, line, value);
	if (is_backend)
		return take_backend(conf, line, value);
	ret = plan_take(&conf->plan, line, key, value);
	if (ret < 0)
		return invalid(line, "%s: no such key%s", key, *key_hint(key, value, hint) ? hint :
			       "; delete the line, or take one of abuse.conf(5)");
	return ret;
}

static int read_lines(struct conf *conf, FILE *file)
{
	char *text = NULL, *key, *value, line[PATH_MAX + 16];
	unsigned int nr = 0;
	size_t size = 0;
	int ret = EXIT_OK;

	errno = 0;
	while (!ret && getline(&text, &size, file) >= 0) {
		snprintf(line, sizeof(line), "%s:%u", conf->path, ++nr);
		if (parse_line(text, &key, &value))
			ret = take(conf, line, key, value);
	}
	free(text);
	if (!ret && ferror(file))
		ret = invalid(conf->path, "cannot be read: %s", strerror(errno));
	return ret;
}

static int read_file(struct conf *conf)
{
	FILE *file = fopen(conf->path, "re");
	int ret;

	if (!file)
		return invalid(conf->path, "cannot be read: %s; abuse.conf(5) says what "
			      "belongs there", strerror(errno));
	ret = read_lines(conf, file);
	fclose(file);
	if (!ret && !conf->backend)
		ret = invalid(conf->path, "backend is missing; say which, as in "
			     "'backend = file:/srv/disk.img'");
	return ret ? ret : plan_check(&conf->plan, conf->path);
}

/* A number needs no name; a device without number goes by one. */
static const char *wanted_name(const struct conf *conf)
{
	const char *name = conf->plan.settings.params.name;

	return *name || conf->number >= 0 ? name : conf->name;
}

static int obtain_device(struct conf *conf)
{
	const char *name = wanted_name(conf);
	struct serving *serving = &conf->plan.serving;

	if (!*name && conf->number < 0)
		return invalid(conf->path, "device is missing, and no device can have the "
			      "file's name; say 'device = N' or 'name = NAME'");
	serving->fd = device_obtain(conf->number, name, &serving->number,
				    &conf->plan.was_added);
	return serving->fd < 0 ? EXIT_FAILED : EXIT_OK;
}

/* conf->backend is to be freed, also after a failure. */
static int read_conf(struct conf *conf, const char *text)
{
	int ret;

	memset(conf, 0, sizeof(*conf));
	conf->number = -1;
	plan_init(&conf->plan);
	ret = name_file(conf, text);
	return ret ? ret : read_file(conf);
}

int conf_open(struct conf *conf, const char *text)
{
	int ret = read_conf(conf, text);

	if (!ret)
		ret = obtain_device(conf);
	if (ret)
		free(conf->backend);
	return ret;
}

int conf_device(const char *name)
{
	struct conf conf;
	int number = -1;

	if (!read_conf(&conf, name))
		number = device_find(conf.number, wanted_name(&conf));
	free(conf.backend);
	return number >= 0 && device_is_foreign((unsigned int)number) ? -1 : number;
}

void conf_close(struct conf *conf)
{
	close(conf->plan.serving.fd);
	free(conf->backend);
}

static bool group_may_serve(unsigned int number)
{
	struct stat st;
	char node[32];

	snprintf(node, sizeof(node), "/dev/abctl%u", number);
	return !stat(node, &st) && st.st_mode & S_IRGRP && st.st_gid;
}

void conf_prepare_user(struct conf *conf)
{
	static const struct timespec nap = { .tv_nsec = 20000000 };
	const struct abuse_params *params = &conf->plan.settings.params;
	int i;

	if (geteuid() || !(params->flags & ABUSE_PARAMS_SEALED))
		return;
	conf->plan.store_user = params->seal_uid;
	if (!params->seal_uid)
		return;
	for (i = 0; i < RULES_SECONDS * 50; i++) {
		if (group_may_serve(conf->plan.serving.number))
			return;
		nanosleep(&nap, NULL);
	}
}

/* Does the option stand before the last word? */
static bool is_given(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc - 1; i++)
		if (!strcmp(argv[i], OPTION) || !strncmp(argv[i], OPTION "=", strlen(OPTION "=")))
			return true;
	return false;
}

void conf_help(void)
{
	printf("--config NAME: do as %s/NAME%s says, see abuse.conf(5); NAME may be a path\n"
	       "with a slash. DEV, backend and keys then stand in the file.\n\n",
	       conf_dir(), SUFFIX);
}

bool conf_exists(const char *name)
{
	char path[PATH_MAX];

	return is_word(name) && snprintf(path, sizeof(path), "%s/%s" SUFFIX, conf_dir(), name) < (int)sizeof(path) &&
	       !access(path, F_OK);
}

int conf_each(int (*fn)(const char *name, void *arg), void *arg)
{
	DIR *dir = opendir(conf_dir());
	const struct dirent *entry;
	char text[256];
	size_t len;
	int ret = 0;

	while (!ret && dir && (entry = readdir(dir))) {
		len = strlen(entry->d_name);
		if (len <= strlen(SUFFIX) ||
		    strcmp(entry->d_name + len - strlen(SUFFIX), SUFFIX))
			continue;
		snprintf(text, sizeof(text), "%.*s", (int)(len - strlen(SUFFIX)),
			 entry->d_name);
		if (is_word(text))
			ret = fn(text, arg);
	}
	if (dir)
		closedir(dir);
	return ret;
}

struct completed {
	const char *word;
	size_t prefix;
};

static int complete_one(const char *name, void *arg)
{
	const struct completed *completed = arg;

	complete_behind(completed->word, completed->prefix, name, conf_dir());
	return 0;
}

/* The file, behind the first @prefix bytes of @word. */
static void complete_name(const char *word, size_t prefix)
{
	struct completed completed = { word, prefix };

	if (strchr(word + prefix, '/') || access(conf_dir(), R_OK))
		complete_files(word, prefix);
	else
		conf_each(complete_one, &completed);
}

bool conf_complete(int argc, char **argv)
{
	const char *word = argv[argc - 1];
	size_t prefix = strlen(OPTION "=");

	if (!strcmp(argv[argc - 2], OPTION)) {
		complete_name(word, 0);
		return true;
	}
	if (!strncmp(word, OPTION "=", prefix)) {
		complete_name(word, prefix);
		return true;
	}
	/* All else stands in the file. */
	return is_given(argc, argv) && *word != '-';
}
