// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the abuse authors
/*
 * Files to which requests are redirected, and ranges of the disk that are mapped to them.
 */
#include "internal.h"

int abuse_server_add_file(struct abuse_server *srv, int fd)
{
	struct abuse_file file = { .size = sizeof(file), .fd = fd };
	int ret;

	reason_clear();
	if (!(srv->params.all_features & ABUSE_F_REDIRECT))
		return reason_set(-EOPNOTSUPP, "this kernel cannot redirect requests to files");
	ret = abuse_ioctl(srv->fd, ABUSE_REGISTER_FILE, &file);
	if (ret == -ENOTTY)
		ret = -EOPNOTSUPP;
	if (ret == -EPERM)
		return reason_set(ret, "/dev/abuse%u belongs to an ordinary user: its requests cannot be redirected",
				  srv->params.number);
	return ret < 0 ? reason_of_error(ret, "cannot register the file") : (int)file.index;
}

int abuse_server_remove_file(struct abuse_server *srv, unsigned int file)
{
	int ret = abuse_ioctl(srv->fd, ABUSE_UNREGISTER_FILE,
			      (const void *)(uintptr_t)file);

	return ret == -ENOTTY ? -EOPNOTSUPP : ret;
}

int abuse_map_sized(struct abuse_server *srv, const struct abuse_map_entry *entries, unsigned int nr, size_t size)
{
	int ret = abuse_ctl_map_sized(srv->fd, entries, nr, size);

	reason_clear();
	return reason_of_error(ret, "cannot map the disk to files");
}

int abuse_map(struct abuse_server *srv, const struct abuse_map_entry *entries, unsigned int nr)
{
	return abuse_map_sized(srv, entries, nr, sizeof(*entries));
}
