// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (C) 2026 the abuse authors
/*
 * qemu: an image of a virtual machine, through a server qemu-nbd(8) of our own. It looks
 * for a format that it knows at the image itself, and never lets QEMU guess: bytes
 * of a raw image could make it one that names other files.
 */
#include "cmd.h"
#include "nbd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD	128

static const struct {
	const char *name, *magic;
	size_t offset;
} formats[] = {
	{ .name = "qcow2", .magic = "QFI\xfb" },
	{ .name = "vhdx", .magic = "vhdxfile" },
	{ .name = "vmdk", .magic = "KDMV" },
	{ .name = "vmdk", .magic = "# Disk DescriptorFile" },
	{ .name = "vpc", .magic = "con" "ectix" },
	{ .name = "vdi", .magic = "\x7f\x10\xda\xbe", .offset = 64 },
	{ .name = "qed", .magic = "QED" },
	{ .name = "parallels", .magic = "WithoutFreeSpace" },
	{ .name = "parallels", .magic = "WithouFreSpacExt" },
};

/* NULL: none of them, or *err */
static const char *format_of(const char *path, int *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char bytes[HEAD] = "";
	ssize_t nr;
	size_t i;

	nr = fd < 0 ? -1 : pread(fd, bytes, sizeof(bytes), 0);
	*err = nr < 0 ? errno : 0;
	if (fd >= 0)
		close(fd);
	for (i = 0; nr > 0 && i < sizeof(formats) / sizeof(*formats); i++)
		if (!strncmp(bytes + formats[i].offset, formats[i].magic,
			     strlen(formats[i].magic)))
			return formats[i].name;
	return NULL;
}

static int qemu_open(struct target *target, const char *path, void **store)
{
	static char full[PATH_MAX], option[32];
	char *argv[] = {
		(char *)"qemu-nbd", (char *)"--persistent", (char *)"--shared=16",
		(char *)"--discard=unmap", (char *)"--cache=writethrough", option, full,
		target->read_only ? (char *)"--read-only" : NULL, NULL,
	};
	const char *format;
	int err = 0;

	if (!path || !*path)
		return misused("qemu: needs a path, as in qemu:disk.qcow2");
	format = realpath(path, full) ? format_of(full, &err) : NULL;
	if (!format && (err || access(path, F_OK)))
		return failed(path, "cannot be opened: %s", strerror(err ? err : errno));
	if (!format)
		return failed(path, "is no qcow2, vhdx, vmdk, vpc, vdi, qed or parallels image; "
			      "for a raw one, say file:%s", path);
	snprintf(option, sizeof(option), "--format=%s", format);
	return nbd_open_child(target, argv, path, store);
}

const struct backend backend_qemu = {
	NBD_BACKEND,
	.name = "qemu",
	.args = "PATH",
	.summary = "an image that qemu-nbd knows: qcow2, vhdx, vmdk, vdi",
	.is_alone = true,
	.open = qemu_open,
	.is_lost = nbd_is_lost,
};
