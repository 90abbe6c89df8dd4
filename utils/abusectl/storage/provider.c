// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * abusectl storage-provider: the disks of abuse.conf(5) as volumes for storagectl(1) and
 * "mount -t storage.FSTYPE abuse:NAME". systemd starts a process for each connection to the
 * socket. A volume is acquired by starting abuse@NAME.service; the caller gets the open disk.
 */
#include "interface.h"
#include "cmd.h"
#include "keys/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define ERROR(name)	STORAGE_INTERFACE "." name

struct wanted {
	const char *name, *mode, *template, *type;
	int read_only;			/* -1: as the disk is */
	uint64_t size;
	int may_ask;
};

static const sd_json_dispatch_field acquire_fields[] = {
	{ "name", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string, offsetof(struct wanted, name), SD_JSON_MANDATORY },
	{ "createMode", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string, offsetof(struct wanted, mode), 0 },
	{ "template", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string, offsetof(struct wanted, template), 0 },
	{ "readOnly", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_tristate, offsetof(struct wanted, read_only), 0 },
	{ "requestAs", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string, offsetof(struct wanted, type), 0 },
	{ "createSizeBytes", _SD_JSON_VARIANT_TYPE_INVALID, sd_json_dispatch_uint64, offsetof(struct wanted, size), 0 },
	{ "allowInteractiveAuthentication", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_tristate,
	  offsetof(struct wanted, may_ask), 0 },
	{ 0 },
};

/* Returns when the server is ready, or has failed. */
static int start_unit(const char *name)
{
	char unit[64];
	char *words[] = { (char *)"systemctl", (char *)"start", unit, NULL };
	int status;

	snprintf(unit, sizeof(unit), "abuse@%s.service", name);
	status = command_run(unit, words);
	if (status > 0)
		failed(unit, "cannot be started; 'systemctl status %s' shows why", unit);
	return status ? EXIT_FAILED : EXIT_OK;
}

/* The number of the disk, or -errno. *read_only is what is wanted, and then what the disk is to be opened for. */
static int find_disk(const char *name, int *read_only)
{
	int number = conf_device(name);
	struct abuse_dev dev;

	if (number < 0 || abuse_dev_stat((unsigned int)number, &dev))
		return -ENODEV;
	if (*read_only < 0)
		*read_only = !!dev.read_only;
	return dev.read_only && !*read_only ? -EROFS : number;
}

static int open_disk(int number, bool read_only)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/abuse%d", number);
	fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	fd = -errno;
	failed(path, "cannot be opened: %m");
	return fd;
}

static int acquire(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags, void *arg)
{
	struct wanted wanted = { .read_only = -1 };
	int ret = sd_varlink_dispatch(link, parameters, acquire_fields, &wanted), fd;

	(void)flags;
	(void)arg;
	if (ret)
		return ret;
	if (wanted.mode && !strcmp(wanted.mode, "new"))
		return sd_varlink_error(link, ERROR("CreateNotSupported"), NULL);
	if (wanted.template && *wanted.template)
		return sd_varlink_error(link, ERROR("NoSuchTemplate"), NULL);
	if (!conf_exists(wanted.name))
		return sd_varlink_error(link, ERROR("NoSuchVolume"), NULL);
	if (wanted.type && !strcmp(wanted.type, "dir"))
		return sd_varlink_error(link, ERROR("TypeNotSupported"), NULL);
	if (start_unit(wanted.name))
		return sd_varlink_error_errno(link, EIO);
	ret = find_disk(wanted.name, &wanted.read_only);
	if (ret == -EROFS)
		return sd_varlink_error(link, ERROR("ReadOnlyVolume"), NULL);
	if (ret < 0)
		return sd_varlink_error_errno(link, ret);
	/* mount.storage asks for a file first, then for a disk; if both fail, it prints the first error. */
	if (wanted.type && strcmp(wanted.type, "blk"))
		return sd_varlink_error(link, ERROR("TypeNotSupported"), NULL);
	fd = open_disk(ret, wanted.read_only);
	if (fd < 0)
		return sd_varlink_error_errno(link, fd);
	ret = sd_varlink_push_fd(link, fd);
	if (ret < 0) {
		close(fd);
		return ret;
	}
	return sd_varlink_replybo(link,
				  SD_JSON_BUILD_PAIR_INTEGER("fileDescriptorIndex", ret),
				  SD_JSON_BUILD_PAIR_STRING("type", "blk"),
				  SD_JSON_BUILD_PAIR_BOOLEAN("readOnly", wanted.read_only));
}

struct listing {
	sd_varlink *link;
	const char *pattern;
};

static const sd_json_dispatch_field list_fields[] = {
	{ "matchName", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string, offsetof(struct listing, pattern), 0 },
	{ 0 },
};

/* The size is known once a server has configured the disk. */
static int list_one(const char *name, void *arg)
{
	const struct listing *listing = arg;
	struct abuse_dev dev;
	int number, ret;
	bool is_up;

	if (listing->pattern && fnmatch(listing->pattern, name, 0))
		return 0;
	number = conf_device(name);
	is_up = number >= 0 && !abuse_dev_stat((unsigned int)number, &dev) && !strcmp(dev.state, "up");
	ret = sd_varlink_replybo(listing->link,
				 SD_JSON_BUILD_PAIR_STRING("name", name),
				 SD_JSON_BUILD_PAIR_STRING("type", "blk"),
				 SD_JSON_BUILD_PAIR_CONDITION(is_up, "readOnly", SD_JSON_BUILD_BOOLEAN(dev.read_only)),
				 SD_JSON_BUILD_PAIR_CONDITION(is_up, "sizeBytes", SD_JSON_BUILD_UNSIGNED(dev.size)));
	return ret < 0 ? ret : 0;
}

static int list_volumes(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags, void *arg)
{
	struct listing listing = { .link = link };
	int ret = sd_varlink_dispatch(link, parameters, list_fields, &listing);

	(void)flags;
	(void)arg;
	if (!ret)
		ret = sd_varlink_set_sentinel(link, ERROR("NoSuchVolume"));
	return ret ? ret : conf_each(list_one, &listing);
}

static int list_templates(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags, void *arg)
{
	(void)parameters;
	(void)flags;
	(void)arg;
	return sd_varlink_error(link, ERROR("NoSuchTemplate"), NULL);
}

static int run(int argc, char **argv)
{
	sd_varlink_server *server = NULL;
	int ret;

	if (argc > 1)
		return misused("%s: takes no argument", argv[1]);
	if (sd_listen_fds(0) <= 0)
		return misused("abuse-storage.socket starts it");
	ret = sd_varlink_server_new(&server, SD_VARLINK_SERVER_ROOT_ONLY | SD_VARLINK_SERVER_ALLOW_FD_PASSING_OUTPUT);
	if (ret >= 0)
		ret = sd_varlink_server_set_info(server, "abuse", "abusectl", VERSION, NULL);
	if (ret >= 0)
		ret = sd_varlink_server_add_interface(server, &vl_interface_storage);
	if (ret >= 0)
		ret = sd_varlink_server_bind_method_many(server,
							 STORAGE_INTERFACE ".Acquire", acquire,
							 STORAGE_INTERFACE ".ListVolumes", list_volumes,
							 STORAGE_INTERFACE ".ListTemplates", list_templates);
	if (ret >= 0)
		ret = sd_varlink_server_loop_auto(server);
	sd_varlink_server_unref(server);
	return ret < 0 ? failed(NULL, "%s", strerror(-ret)) : EXIT_OK;
}

static void details(void)
{
	puts("abuse-storage.socket starts it for each caller of io.systemd.StorageProvider, such as\n"
	     "storagectl(1) and mount.storage; abuse.conf(5) has an example.");
}

const struct cmd cmd_storage_provider = {
	.name = "storage-provider",
	.run = run,
	.args = "",
	.summary = "offer the disks of abuse.conf(5) to storagectl(1), for systemd",
	.details = details,
	.is_hidden = true,
};
