// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * The plan of a server, and bringing a device to where it can be served; see plan.h. Input
 * is parsed already; serving follows.
 */
#include "plan.h"
#include "away.h"
#include "backends/label.h"
#include "cmd.h"
#include "hint.h"
#include "key.h"
#include "parse.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define LEAST_BLOCK	512
#define DEFAULT_BATCH	16		/* so that no worker waits for a slow one's requests */

/* Features that a backend must have by itself. */
#define BACKEND_FEATURES	(ABUSE_F_DISCARD | ABUSE_F_WRITE_ZEROES)

#define OWN(field)	4, offsetof(struct serving, field)

static const struct key own_keys[] = {
	{ { "workers" }, KEY_NUMBER, OWN(nr_workers), 1, ABUSE_MAX_THREADS,
	  .help = "threads, 1 to 64 (default: one per CPU, 2 to 4)" },
	{ { "batch" }, KEY_NUMBER, OWN(batch), 1, 256,
	  .help = "requests fetched at once, 1 to 256 (default 16; 64 for\n"
		  "mem, null and zero)" },
	{ { "spin" }, KEY_TIME, OWN(spin), 0, ABUSE_MAX_SPIN,
	  .help = "busy-poll at most this long before sleeping, 0 to\n"
		  "1ms (default 50us)" },
	{ { "redirect" }, KEY_NUMBER, OWN(redirect), 0, 1, .value = "0|1",
	  .help = "1: the kernel reads and writes the file itself,\n"
		  "if it can (default 1)" },
	{ { "map" }, KEY_NUMBER, OWN(map), 0, 1, .value = "0|1",
	  .help = "1: the kernel serves alone, without a server, what it\n"
		  "can (default 1)" },
	{ { "connections" }, KEY_NUMBER, OWN(connections), 1, 16,
	  .help = "most connections to an NBD server, 1 to 16\n"
		  "(default 4)" },
};

static const struct key_table own_table = KEY_TABLE(own_keys);

static unsigned int default_workers(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return cpus < 2 ? 2 : cpus > 4 ? 4 : (unsigned int)cpus;
}

void plan_init(struct plan *plan)
{
	*plan = (struct plan) {
		.serving = {
			.fd = -1,
			.backend = backends[0],
			.spec = backends[0]->name,
			.nr_workers = default_workers(),
			.spin = ABUSE_DEFAULT_SPIN,
			.redirect = 1,
			.map = 1,
		},
	};
}

int plan_take(struct plan *plan, const char *subject, const char *name,
	      const char *value)
{
	int ret;

	ret = key_take(&own_table, &plan->serving, &plan->given, subject, name, value);
	if (ret >= 0)
		return ret;
	ret = inject_take(&plan->serving.inject, subject, name, value);
	if (ret >= 0)
		return ret;
	if (!strcmp(name, "reconnect"))
		return invalid(subject, "reconnect: a server changes no device that is "
			       "up; leave it out and use 'abusectl setup'");
	return settings_take(&plan->settings, subject, name, value);
}

bool plan_knows(const char *name)
{
	return key_find(&own_table, name) || inject_knows(name);
}

bool plan_has(const struct plan *plan, const char *name)
{
	const struct key *key = key_find(&own_table, name);

	return key ? plan->given & key_bit(&own_table, key) :
		     inject_has(&plan->serving.inject, name) ||
		     settings_has_either(&plan->settings, name);
}

int plan_take_backend(struct plan *plan, const char *subject, const char *spec)
{
	struct serving *serving = &plan->serving;
	const struct backend *backend = backend_find(spec, &plan->backend_args);

	if (!backend)
		return -1;
	if (plan->backend_args && !backend->args)
		return invalid(subject, "%s: %s takes no argument", spec,
			       backend->name);
	if (backend->compose)
		backend = backend->compose(plan->backend_args);
	if (!backend)
		return EXIT_USAGE;
	serving->backend = backend;
	serving->spec = spec;
	plan->has_backend = true;
	return EXIT_OK;
}

static int take_list(struct plan *plan, const char *subject, char *list)
{
	char *key, *value, hint[HINT_TEXT];
	int ret;

	while (parse_pair(&list, &key, &value)) {
		ret = plan_take(plan, subject, key, value);
		if (ret < 0 && (strchr(key, '/') || !access(key, F_OK)))
			return misused("%s: neither a backend nor a key; for a file, say file:%s",
				       key, key);
		if (ret < 0)
			return misused("%s: neither a backend nor a key%s", key,
				       *key_hint(key, value, hint) ? hint :
				       "; 'abusectl help server' lists both");
		if (ret)
			return ret;
	}
	return EXIT_OK;
}

int plan_take_words(struct plan *plan, const char *subject, char **words)
{
	int ret;

	for (; *words; words++) {
		ret = plan->has_backend ? -1 : plan_take_backend(plan, NULL, *words);
		if (ret < 0)
			ret = take_list(plan, subject, *words);
		if (ret)
			return ret;
	}
	return EXIT_OK;
}

/* The features of the backend that keys do not refuse */
static void add_features(struct settings *settings, uint64_t features,
			 const struct abuse_params *now)
{
	uint64_t off = settings->features_off;

	if (off & ABUSE_F_WRITE_CACHE)
		off |= ABUSE_F_FUA;
	settings->params.features |= features & now->all_features & ~off;
}

/* Of a store that is there, and whose size was not given */
static int check_store_size(const struct serving *serving, const struct settings *settings, uint64_t size)
{
	uint32_t bs = settings->params.logical_block_size ?: LEAST_BLOCK;

	if (settings_has(settings, "size") || size % bs == 0)
		return EXIT_OK;
	if (size % LEAST_BLOCK == 0)
		return failed(serving->spec, "has %llu bytes, which bs=%u does not divide; leave bs= out",
			      (unsigned long long)size, bs);
	return failed(serving->spec, "has %llu bytes, and a disk has blocks of %u; make it %llu bytes long, as "
		      "'truncate -s' does for a file", (unsigned long long)size, bs,
		      (unsigned long long)(size - size % bs + bs));
}

/* Set an empty device up as the backend can and the keys want. */
static int set_up(struct plan *plan, const struct target *target,
		  const struct abuse_params *now)
{
	const struct serving *serving = &plan->serving;
	struct settings *settings = &plan->settings;
	struct abuse_params *params = &settings->params;
	int ret;

	if (params->features & ~target->features & BACKEND_FEATURES)
		return failed(device_name(serving->number), "discard or write_zeroes: "
			      "%s cannot do that", serving->spec);
	params->capacity = target->size;
	ret = check_store_size(serving, settings, target->size);
	if (ret)
		return ret;
	if (target->read_only)
		params->flags |= ABUSE_PARAMS_READ_ONLY;
	add_features(settings, target->features, now);
	ret = settings_check(settings, now);
	if (ret)
		return ret;
	memcpy(params->store, plan->label, sizeof(params->store));
	ret = abuse_ctl_set_params(serving->fd, params);
	plan->was_set_up = ret >= 0;
	return ret < 0 ? settings_refused(settings, now, -ret) : EXIT_OK;
}

int plan_check(const struct plan *plan, const char *subject)
{
	static const struct abuse_params any = { .all_features = UINT64_MAX };
	struct settings settings = plan->settings;

	if (!settings.params.capacity)
		return EXIT_OK;
	add_features(&settings, plan->serving.backend->features, &any);
	return settings_check_alone(&settings, subject);
}

/* Refuse before a file is made. */
static int check_early(const struct plan *plan, const struct abuse_params *now)
{
	struct settings settings = plan->settings;

	if (!settings.params.capacity)
		return EXIT_OK;
	add_features(&settings, plan->serving.backend->features, now);
	return settings_check(&settings, now);
}

/*
 * Writes to one store are missing in another: a server that joins has the store of the set-up. A
 * set-up without a label was made by hand, or by another program.
 */
static int check_label(const struct plan *plan, const struct abuse_params *now)
{
	unsigned int number = plan->serving.number;
	const char *name = device_name(number);

	if (!strcmp(now->store, plan->label))
		return EXIT_OK;
	if (plan->is_forced)
		return note(name, "is up with %s and now served from %s, too: a read may miss "
			    "written data", *now->store ? now->store : "a store unknown",
			    plan->label);
	if (*now->store)
		return failed(name, "is up with %s; %s would lose data that is written there: give "
			      "the same store, 'abusectl reset %u' first (ends all I/O), or "
			      "pass --force to risk it", now->store, plan->label, number);
	if (plan->has_backend)
		return EXIT_OK;
	return failed(name, "is up, and the default backend, %s, would discard all writes; name "
		      "the backend, as in 'abusectl server %u %s'",
		      plan->serving.backend->name, number, plan->serving.backend->name);
}

/* This process, which has one thread, gets the rights of @uid as far as files go. */
static int become(uid_t uid)
{
	const struct passwd *user = getpwuid(uid);
	gid_t gid = user ? user->pw_gid : (gid_t)uid;

	if (user ? initgroups(user->pw_name, gid) : setgroups(0, NULL))
		return -errno;
	return setegid(gid) || seteuid(uid) ? -errno : 0;
}

static int become_root(void)
{
	return seteuid(0) || setegid(0) || initgroups("root", 0) ? -errno : 0;
}

/*
 * The store is opened with the rights of the user who will serve it: this user owns a file or memory
 * object that is made, and a file that this user may not open is not opened.
 */
static int open_store(struct plan *plan, struct target *target)
{
	const struct backend *backend = plan->serving.backend;
	int err = 0, ret;

	if (plan->store_user)
		err = become(plan->store_user);
	ret = err ? EXIT_OK : backend->open(target, plan->backend_args,
					    &plan->serving.store);
	if (plan->store_user && !err)
		err = become_root();
	if (err)
		return failed(device_name(target->number), "cannot open %s as uid %u: "
			      "%s", plan->serving.spec, plan->store_user,
			      strerror(-err));
	return ret;
}

/* Locked. A device that was added for this plan and is empty */
static void remove_added(struct plan *plan)
{
	struct abuse_params now;

	if (plan->was_added && !abuse_ctl_get_params(plan->serving.fd, &now) &&
	    now.state == ABUSE_S_EMPTY)
		device_remove_patiently(plan->serving.number);
	plan->was_added = false;
}

/* A file that was made for a device that is not set up would be in the way. */
static void forget_file(struct plan *plan)
{
	bool is_other = plan->store_user && !become(plan->store_user);

	if (plan->made)
		unlink(plan->made);
	if (is_other)
		become_root();
	free(plan->made);
	plan->made = NULL;
}

static int check_keys(const struct plan *plan, const struct target *target,
		      const struct abuse_params *now)
{
	const struct serving *serving = &plan->serving;
	int ret;

	if (serving->connections && !serving->backend->has_connections)
		return failed("connections", "%s has none; leave the key out",
			      serving->spec);
	if (!target->is_up && !target->size && !serving->backend->knows_size)
		return invalid(device_name(serving->number), "size= is needed, since the "
			       "device is empty");
	if (!target->is_up)
		return check_early(plan, now);
	ret = check_label(plan, now);
	return ret ? ret : settings_match(&plan->settings, now);
}

static int say(const struct plan *plan, const struct target *target)
{
	printf("would %s %s and serve it from %s\n", target->is_up ? "join" : "configure",
	       device_name(plan->serving.number), plan->label);
	return EXIT_OK;
}

static int attach(struct plan *plan)
{
	struct serving *serving = &plan->serving;
	struct settings *settings = &plan->settings;
	const struct backend *backend = serving->backend;
	struct abuse_params now;
	struct abuse_info info;
	struct target target;
	int ret;

	ret = abuse_ctl_get_params(serving->fd, &now);
	if (!ret)
		ret = abuse_ctl_get_status(serving->fd, &info);
	if (ret < 0)
		return plan->must_set_up ? PLAN_TAKEN :
		       device_failed(serving->number, "read parameters", -ret);
	if (plan->must_set_up && now.state != ABUSE_S_EMPTY)
		return PLAN_TAKEN;
	target = (struct target) {
		.number = serving->number,
		.disk = (dev_t)info.ab_device,
		.is_up = now.state == ABUSE_S_UP,
		.features = backend->features,
		.fd = serving->fd,
		.must_be_writable = settings_has(settings, "rw"),
		.is_forced = plan->is_forced,
		.connections = serving->connections,
		.params = now.state == ABUSE_S_UP ? &now : &settings->params,
	};
	target.read_only = (target.is_up ? now.flags : settings->params.flags) &
			   ABUSE_PARAMS_READ_ONLY;
	target.size = target.is_up ? now.capacity : settings->params.capacity;
	label_of(backend, plan->backend_args, serving->number,
		 plan->store_user ? plan->store_user : geteuid(), plan->label);
	if (target.is_up)
		label_follow(now.store, plan->label);
	target.label = plan->label;

	ret = check_keys(plan, &target, &now);
	if (ret || plan->is_dry)
		return ret ? ret : say(plan, &target);
	if (plan->only_sets_up && target.is_up && backend->is_alone)
		return EXIT_OK;
	ret = open_store(plan, &target);
	if (ret)
		return ret;
	/* A process in the background is elsewhere when it forgets the file. */
	plan->made = target.made ? realpath(target.made, NULL) : NULL;
	if (!target.is_up)
		ret = set_up(plan, &target, &now);
	if (ret) {
		backend->close(serving->store, true);
		forget_file(plan);
	}
	serving->size = target.size;
	return ret;
}

int plan_attach(struct plan *plan)
{
	struct serving *serving = &plan->serving;
	int ret;

	if (!serving->batch)
		serving->batch = serving->backend->batch ?: DEFAULT_BATCH;
	ret = device_lock(serving->number, serving->fd);
	if (ret)
		return ret;
	ret = attach(plan);
	if (plan->is_dry || (ret && ret != PLAN_TAKEN))
		remove_added(plan);
	flock(serving->fd, LOCK_UN);
	return ret;
}

bool plan_undo(struct plan *plan)
{
	const struct serving *serving = &plan->serving;
	struct abuse_params now;
	bool is_undone;
	int pid;

	if (!plan->was_set_up || device_lock(serving->number, serving->fd))
		return false;
	is_undone = !abuse_ctl_get_params(serving->fd, &now) && now.state == ABUSE_S_UP &&
		    !device_servers(serving->number, &pid, 1) &&
		    !abuse_ctl_reset(serving->fd);
	if (is_undone) {
		forget_file(plan);
		remove_added(plan);
	}
	flock(serving->fd, LOCK_UN);
	return is_undone;
}

void plan_help(void)
{
	puts("Keys of the server, beside those of setup:");
	keys_help(&own_table);
	inject_help();
}

void plan_complete(const char *word)
{
	keys_complete(&own_table, word, NULL);
	inject_complete(word);
	settings_complete(word, false);
}
