// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * From what a program calls a device to a control node of one that is up: found,
 * opened or added, set up or taken over. server.c enters with a checked config; no
 * request is fetched here.
 */
#include "internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static int open_number(int number)
{
	char text[16];

	if (number < 0)
		return number;
	snprintf(text, sizeof(text), "%d", number);
	return abuse_dev_open(text);
}

/* By the number or the name that @text is; -EEXIST: somebody was faster. */
static int add(const char *text)
{
	struct abuse_add add = { .number = ABUSE_NUMBER_ANY };
	int number = abuse_dev_find(text), ret;

	if (number >= 0)
		add.number = (uint32_t)number;
	else if (strlen(text) < sizeof(add.name) && !strchr(text, '/'))
		memcpy(add.name, text, strlen(text));
	else
		return -EINVAL;
	ret = abuse_ctl_add(&add);
	return ret < 0 ? ret : open_number((int)add.number);
}

static int open_named(const char *text, bool may_add)
{
	int fd = abuse_dev_open(text);

	if (!may_add || (fd != -ENODEV && fd != -ENOENT && fd != -ENXIO))
		return fd == -ENOENT || fd == -ENXIO ? -ENODEV : fd;
	fd = add(text);
	return fd == -EEXIST ? abuse_dev_open(text) : fd;
}

static int open_device(struct abuse_server *srv)
{
	const struct abuse_config *config = &srv->config;

	if (!config->device && config->fd > 0)
		return config->fd;
	srv->is_fd_ours = true;
	if (!config->device)
		return open_number(abuse_ctl_get_free());
	return open_named(config->device, config->flags & ABUSE_SERVER_ADD);
}

/* Anyone may take a name or number first; what is served there would be theirs. */
static bool is_foreign(const struct abuse_server *srv)
{
	return srv->config.flags & ABUSE_SERVER_ADD && srv->params.owner &&
	       srv->params.owner != geteuid();
}

static uint64_t features_of(const struct abuse_server *srv)
{
	const struct abuse_ops *ops = &srv->ops;
	uint64_t features = 0;

	if (ops->flush)
		features |= ABUSE_F_WRITE_CACHE | ABUSE_F_FUA;
	if (ops->trim)
		features |= ABUSE_F_DISCARD;
	if (ops->zero)
		features |= ABUSE_F_WRITE_ZEROES;
	return features & srv->params.all_features;
}

static int set_up(struct abuse_server *srv)
{
	struct abuse_params params = *srv->config.params;

	if (!params.features)
		params.features = features_of(srv);
	return abuse_ctl_set_params(srv->fd, &params);
}

/* What @wanted gives, @now must have; limits that may change are not compared. */
static bool is_as_wanted(const struct abuse_params *wanted,
			 const struct abuse_params *now)
{
	static const unsigned char none[sizeof(wanted->uuid)];

#define DIFFERS(field)	(wanted->field && wanted->field != now->field)
	return !((wanted->flags ^ now->flags) & ABUSE_PARAMS_READ_ONLY) &&
	       !(wanted->flags & ~now->flags) &&
	       !DIFFERS(features) && !DIFFERS(capacity) &&
	       !DIFFERS(logical_block_size) && !DIFFERS(physical_block_size) &&
	       !DIFFERS(io_min) && !DIFFERS(io_opt) && !DIFFERS(max_request) &&
	       !DIFFERS(chunk) && !DIFFERS(max_discard) &&
	       !DIFFERS(max_write_zeroes) && !DIFFERS(discard_granularity) &&
	       (!memcmp(wanted->uuid, none, sizeof(none)) ||
		!memcmp(wanted->uuid, now->uuid, sizeof(none))) &&
	       (!(wanted->flags & ABUSE_PARAMS_SEALED) ||
		wanted->seal_uid == now->seal_uid) &&
	       !DIFFERS(atomic_min) && !DIFFERS(atomic_max) &&
	       (!*wanted->store ||
		!strncmp(wanted->store, now->store, ABUSE_STORE_LEN)) &&
	       (!*wanted->name || !strncmp(wanted->name, now->name, ABUSE_NAME_LEN));
#undef DIFFERS
}

static int set_up_or_take_over(struct abuse_server *srv)
{
	const struct abuse_params *wanted = srv->config.params;
	int ret;

	ret = abuse_ctl_get_params(srv->fd, &srv->params);
	if (ret < 0)
		return ret;
	if (is_foreign(srv))
		return -EPERM;
	if (srv->params.state == ABUSE_S_UP)
		return wanted && !is_as_wanted(wanted, &srv->params) ? -EBUSY : 0;
	if (!wanted)
		return -ENXIO;
	ret = set_up(srv);
	return ret < 0 ? ret : abuse_ctl_get_params(srv->fd, &srv->params);
}

int server_attach(struct abuse_server *srv)
{
	int ret;

	srv->fd = open_device(srv);
	if (srv->fd < 0)
		return srv->fd;
	/* Of servers that start at the same moment one sets up, the others take over. */
	while (flock(srv->fd, LOCK_EX) && errno == EINTR)
		;
	ret = set_up_or_take_over(srv);
	flock(srv->fd, LOCK_UN);
	return ret;
}
