// SPDX-License-Identifier: LGPL-2.1-or-later
// Copyright (C) 2026 the abuse authors
/*
 * A function per control command: fill in the size as the program's header has it, make the call, return
 * -errno. The first three go to /dev/abuse-control, the others to the control
 * node of one device. Prints nothing and keeps nothing.
 */
#include "internal.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int control_call(unsigned long cmd, const void *arg)
{
	int fd = open(CONTROL_NODE, O_RDWR | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = abuse_ioctl(fd, cmd, arg);
	close(fd);
	return ret;
}

int abuse_ctl_add_sized(struct abuse_add *add, size_t size)
{
	add->size = (uint32_t)size;
	return control_call(ABUSE_CTL_ADD, add);
}

int abuse_ctl_add(struct abuse_add *add)
{
	return abuse_ctl_add_sized(add, ADD_SIZE_1);
}

int abuse_ctl_add_open_sized(struct abuse_add *add, size_t size, struct abuse_params *params,
			     size_t params_size)
{
	struct abuse_add all = { 0 };
	int ret;

	memcpy(&all, add, size < sizeof(all) ? size : sizeof(all));
	all.flags |= ABUSE_ADD_OPEN;
	all.params = (uintptr_t)params;
	if (params)
		params->size = (uint32_t)params_size;
	ret = abuse_ctl_add_sized(&all, sizeof(all));
	add->number = all.number;
	return ret == -E2BIG ? -EOPNOTSUPP : ret;
}

int abuse_ctl_add_open(struct abuse_add *add, struct abuse_params *params)
{
	return abuse_ctl_add_open_sized(add, ADD_SIZE_1, params, PARAMS_SIZE_1);
}

int abuse_ctl_remove(unsigned int number)
{
	return control_call(ABUSE_CTL_REMOVE, (const void *)(uintptr_t)number);
}

int abuse_ctl_get_free(void)
{
	return control_call(ABUSE_CTL_GET_FREE, NULL);
}

int abuse_ctl_get_status(int fd, struct abuse_info *info)
{
	memset(info, 0, sizeof(*info));
	return abuse_ioctl(fd, ABUSE_GET_STATUS, info);
}

int abuse_ctl_set_status(int fd, const struct abuse_info *info)
{
	return abuse_ioctl(fd, ABUSE_SET_STATUS, info);
}

int abuse_ctl_get_params_sized(int fd, struct abuse_params *params, size_t size)
{
	memset(params, 0, size);
	params->size = (uint32_t)size;
	return abuse_ioctl(fd, ABUSE_GET_PARAMS, params);
}

int abuse_ctl_get_params(int fd, struct abuse_params *params)
{
	return abuse_ctl_get_params_sized(fd, params, PARAMS_SIZE_1);
}

int abuse_ctl_set_params_sized(int fd, struct abuse_params *params, size_t size)
{
	params->size = (uint32_t)size;
	return abuse_ioctl(fd, ABUSE_SET_PARAMS, params);
}

int abuse_ctl_set_params(int fd, struct abuse_params *params)
{
	return abuse_ctl_set_params_sized(fd, params, PARAMS_SIZE_1);
}

int abuse_ctl_set_poll(int fd, unsigned int mode)
{
	return abuse_ioctl(fd, ABUSE_SET_POLL, (const void *)(uintptr_t)mode);
}

int abuse_ctl_reset(int fd)
{
	return abuse_ioctl(fd, ABUSE_RESET, NULL);
}

int abuse_ctl_get_bio(int fd, struct abuse_xfr_hdr *hdr)
{
	return abuse_ioctl(fd, ABUSE_GET_BIO, hdr);
}

int abuse_ctl_put_bio(int fd, struct abuse_xfr_hdr *hdr)
{
	return abuse_ioctl(fd, ABUSE_PUT_BIO, hdr);
}

/* ---- the map ---- */

static struct abuse_map map_of(const struct abuse_map_entry *entries, unsigned int nr, size_t size)
{
	return (struct abuse_map) {
		.size = sizeof(struct abuse_map),
		.entries = (uintptr_t)entries,
		.nr = nr,
		.entry_size = (uint32_t)size,
	};
}

int abuse_ctl_map_sized(int fd, const struct abuse_map_entry *entries, unsigned int nr, size_t size)
{
	struct abuse_map map = map_of(entries, nr, size);
	int ret = abuse_ioctl(fd, ABUSE_MAP, &map);

	return ret == -ENOTTY ? -EOPNOTSUPP : ret;
}

int abuse_ctl_map(int fd, const struct abuse_map_entry *entries, unsigned int nr)
{
	return abuse_ctl_map_sized(fd, entries, nr, sizeof(*entries));
}

int abuse_ctl_get_map_sized(int fd, uint64_t sector, struct abuse_map_entry *entries, unsigned int nr,
			    size_t size)
{
	struct abuse_map map = map_of(entries, nr, size);
	int ret;

	map.sector = sector;
	ret = abuse_ioctl(fd, ABUSE_GET_MAP, &map);
	if (ret < 0)
		return ret == -ENOTTY ? -EOPNOTSUPP : ret;
	return (int)map.nr;
}

int abuse_ctl_get_map(int fd, uint64_t sector, struct abuse_map_entry *entries, unsigned int nr)
{
	return abuse_ctl_get_map_sized(fd, sector, entries, nr, sizeof(*entries));
}
