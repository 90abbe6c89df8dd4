// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * The descriptor of a control node that ADD returns: an open file whose inode belongs to a file
 * system of this driver that nobody mounts. So it needs no node in /dev, which a container
 * need not have. Its inode is a character device of the node's number: programs that show who
 * has a node open (fuser) find it, and it can be opened again through /proc.
 */
#include <linux/mount.h>
#include <linux/pseudo_fs.h>
#include <linux/slab.h>

#include "abuse.h"

#define ABUSE_FS_MAGIC	0x61627573	/* "abus" */

static int abuse_handle_fs_init(struct fs_context *fc)
{
	if (!init_pseudo(fc, ABUSE_FS_MAGIC))
		return -ENOMEM;
	/* Its files can be opened again through /proc. */
	fc->s_iflags &= ~SB_I_NODEV;
	return 0;
}

static struct file_system_type abuse_handle_fs = {
	.name			= "abuse",
	.owner			= THIS_MODULE,
	.init_fs_context	= abuse_handle_fs_init,
	.kill_sb		= kill_anon_super,
};

/* Mounted while there is a descriptor: a mount keeps the module loaded. */
static struct vfsmount *abuse_handle_mount;
static int abuse_handle_count;

static void abuse_handle_unpin(void)
{
	simple_release_fs(&abuse_handle_mount, &abuse_handle_count);
}

/* The last reference to the descriptor is gone. */
void abuse_handle_close(struct abuse_device *dev)
{
	spin_lock(&dev->lock);
	dev->nr_handles--;
	spin_unlock(&dev->lock);
	abuse_handle_unpin();
}

static struct file *abuse_handle_file(const struct abuse_device *dev)
{
	struct inode *inode = new_inode(abuse_handle_mount->mnt_sb);
	struct file *file;
	char name[24];

	if (!inode)
		return ERR_PTR(-ENOMEM);
	inode->i_ino = get_next_ino();
	inode->i_uid = dev->owner;
	inode->i_flags |= S_PRIVATE;
	init_special_inode(inode, S_IFCHR | 0600, MKDEV(abuse_node_major, dev->number));
	/* Not chrdev_open(): the last close would put a cdev that the first open did not get. */
	inode->i_fop = &abuse_server_fops;
	snprintf(name, sizeof(name), "abctl%u", dev->number);
	__module_get(THIS_MODULE);
	file = alloc_file_pseudo(inode, abuse_handle_mount, name, O_RDWR, &abuse_server_fops);
	if (!IS_ERR(file)) {
		nonseekable_open(inode, file);
		return file;
	}
	module_put(THIS_MODULE);
	iput(inode);
	return file;
}

static int abuse_handle_make(struct abuse_birth *birth)
{
	struct abuse_server *srv = abuse_server_alloc(birth->dev);
	struct file *file;

	if (IS_ERR(srv))
		return PTR_ERR(srv);
	file = abuse_handle_file(birth->dev);
	if (IS_ERR(file)) {
		kfree(srv);
		return PTR_ERR(file);
	}
	abuse_device_get(birth->dev);
	srv->is_handle = true;
	spin_lock(&birth->dev->lock);
	birth->dev->nr_handles++;
	spin_unlock(&birth->dev->lock);
	/* The set-up that the device is born with is its first. */
	atomic64_set(&srv->epoch, birth->params ? 1 : 0);
	abuse_server_attach(srv, file);
	birth->file = file;
	return 0;
}

/* Of a device that is reserved: abuse_handle_install() or abuse_handle_cancel() follows. */
int abuse_handle_open(struct abuse_birth *birth)
{
	int err;

	err = simple_pin_fs(&abuse_handle_fs, &abuse_handle_mount, &abuse_handle_count);
	if (err)
		return err;
	birth->fd = get_unused_fd_flags(O_CLOEXEC);
	err = birth->fd < 0 ? birth->fd : abuse_handle_make(birth);
	if (!err)
		return 0;
	if (birth->fd >= 0)
		put_unused_fd(birth->fd);
	abuse_handle_unpin();
	return err;
}

int abuse_handle_install(struct abuse_birth *birth)
{
	fd_install(birth->fd, birth->file);
	return birth->fd;
}

void abuse_handle_cancel(struct abuse_birth *birth)
{
	if (!birth->file)
		return;
	put_unused_fd(birth->fd);
	fput(birth->file);
}
