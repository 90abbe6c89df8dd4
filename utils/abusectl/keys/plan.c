// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a server is to do, and bringing a device to where it can; see plan.h. What
 * comes here is parsed, what goes on from here serves.
 */
#include "plan.h"
#include "cmd.h"
#include "key.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define DEFAULT_BATCH	16		/* so that no worker waits for a slow one's requests */

/* What no backend can be made to do that does not. */
#define BACKEND_FEATURES	(ABUSE_F_DISCARD | ABUSE_F_WRITE_ZEROES)

#define OWN(field)	4, offsetof(struct serving, field)

static const struct key own_keys[] = {
	{ { "workers" }, KEY_NUMBER, OWN(nr_workers), 1, ABUSE_MAX_THREADS,
	  .help = "threads, 1 to 64 (default: as CPUs, 2 to 4)" },
	{ { "batch" }, KEY_NUMBER, OWN(batch), 1, 256,
	  .help = "requests fetched at once, 1 to 256 (default 16; 64 for\n"
		  "mem, null and zero)" },
	{ { "spin" }, KEY_TIME, OWN(spin), 0, ABUSE_MAX_SPIN,
	  .help = "look so long, at most, for a request before sleeping,\n"
		  "0 to 1ms (default 200us)" },
	{ { "redirect" }, KEY_NUMBER, OWN(redirect), 0, 1, .value = "0|1",
	  .help = "1: the kernel reads and writes files itself,\n"
		  "where it can (default 1)" },
	{ { "connections" }, KEY_NUMBER, OWN(connections), 1, 16,
	  .help = "to an NBD server that allows several, at most, 1 to 16\n"
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
	serving->backend = backend;
	serving->spec = spec;
	return EXIT_OK;
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
	if (target->read_only)
		params->flags |= ABUSE_PARAMS_READ_ONLY;
	params->features |= target->features & now->all_features & ~off;
	ret = settings_check(settings, now);
	if (ret)
		return ret;
	ret = abuse_ctl_set_params(serving->fd, params);
	return ret < 0 ? settings_refused(settings, now, -ret) : EXIT_OK;
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
 * The store is opened as who will serve it: a file or memory object made on the way
 * is theirs, and what they may not open is not opened.
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
		return device_failed(serving->number, "read parameters", -ret);
	target = (struct target) {
		.number = serving->number,
		.disk = (dev_t)info.ab_device,
		.is_up = now.state == ABUSE_S_UP,
		.features = backend->features,
		.fd = serving->fd,
		.must_be_writable = settings_has(settings, "rw"),
		.connections = serving->connections,
		.params = now.state == ABUSE_S_UP ? &now : &settings->params,
	};
	target.read_only = (target.is_up ? now.flags : settings->params.flags) &
			   ABUSE_PARAMS_READ_ONLY;
	target.size = target.is_up ? now.capacity : settings->params.capacity;

	if (target.is_up) {
		ret = settings_match(settings, &now);
		if (ret)
			return ret;
	} else if (!target.size && !backend->knows_size) {
		return invalid(device_name(serving->number), "size= is needed, since the "
			       "device is empty");
	}
	if (serving->connections && !backend->has_connections)
		return failed("connections", "%s has none; leave the key out",
			      serving->spec);
	ret = open_store(plan, &target);
	if (ret)
		return ret;
	if (!target.is_up)
		ret = set_up(serving, settings, &target, &now);
	if (ret)
		backend->close(serving->store, true);
	serving->size = target.size;
	return ret;
}

int plan_attach(struct plan *plan)
{
	struct serving *serving = &plan->serving;
	int fd = serving->fd, ret;

	if (!serving->batch)
		serving->batch = serving->backend->batch ?: DEFAULT_BATCH;
	while (flock(fd, LOCK_EX) && errno == EINTR)
		;
	ret = attach(plan);
	flock(fd, LOCK_UN);
	return ret;
}

void plan_help(void)
{
	puts("Keys of the server, beside those of set-up:");
	keys_help(&own_table);
	inject_help();
}

void plan_complete(const char *word)
{
	keys_complete(&own_table, word, NULL);
	inject_complete(word);
	settings_complete(word, false);
}
