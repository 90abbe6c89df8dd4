// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * Registered files, to which replies may redirect requests: permission checks,
 * registration, reference counts, and the last close. redirect_io.c does the I/O.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/dcache.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "abuse.h"

#define ABUSE_MAX_FILES		256	/* of one descriptor */

#define ABUSE_FILE_SIZE_1	offsetofend(struct abuse_file, index)

/* Of a file on an overlay file system: the inode below, which has the data. */
static struct inode *abuse_file_real_inode(struct file *file)
{
	return d_real_inode(file->f_path.dentry);
}

static struct block_device *abuse_file_bdev(struct file *file)
{
	struct inode *inode = abuse_file_real_inode(file);

	return S_ISBLK(inode->i_mode) ? I_BDEV(file->f_mapping->host) :
					inode->i_sb->s_bdev;
}

static int abuse_file_check(const struct abuse_device *dev, struct file *file)
{
	struct inode *inode = abuse_file_real_inode(file);

	if (!(file->f_mode & (FMODE_READ | FMODE_WRITE)))
		return -EBADF;
	if (!S_ISREG(inode->i_mode) && !S_ISBLK(inode->i_mode))
		return -EINVAL;
	if (file->f_flags & O_APPEND)
		return -EINVAL;
	if (((file->f_mode & FMODE_READ) && !file->f_op->read_iter) ||
	    ((file->f_mode & FMODE_WRITE) && !file->f_op->write_iter))
		return -EINVAL;
	/* Of a block device the inode of its own file system says so. */
	if (IS_SWAPFILE(inode) || IS_SWAPFILE(file->f_mapping->host))
		return -ETXTBSY;
	/* Redirected requests cannot time out, so a user could block others for ever. */
	if (abuse_device_is_users(dev) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	return 0;
}

/* ---- one disk on another ------------------------------------------------------- */

/*
 * A redirected request cannot be cancelled. If its file lies on the disk of the request,
 * directly or through further disks, the request waits for itself, and RESET waits with
 * it. The check below finds such loops through disks of this driver and the file systems
 * on them. It cannot see through other drivers (dm, md, loop) or file systems that span
 * several disks (btrfs).
 */
static DEFINE_MUTEX(stack_lock);

/* Whether files of the first device lie on the second, directly or through others. */
static bool abuse_device_lies_on(struct abuse_device *from,
				 const struct abuse_device *dev)
{
	const struct abuse_target *target;
	struct abuse_device *at, *next;
	bool found = false;
	LIST_HEAD(seen);

	lockdep_assert_held(&stack_lock);
	list_add(&from->walk, &seen);
	list_for_each_entry(at, &seen, walk) {
		found |= at == dev;
		list_for_each_entry(target, &at->stacked, node)
			if (list_empty(&target->below->walk))
				list_add_tail(&target->below->walk, &seen);
	}
	list_for_each_entry_safe(at, next, &seen, walk)
		list_del_init(&at->walk);
	return found;
}

int abuse_target_stack(struct abuse_target *target)
{
	struct block_device *bdev = abuse_file_bdev(target->file);
	struct abuse_device *below = bdev ? abuse_disk_device(bdev->bd_disk) :
					    NULL;
	int err = -ELOOP;

	if (!below)
		return 0;
	mutex_lock(&stack_lock);
	if (target->nr_stacked || !abuse_device_lies_on(below, target->dev)) {
		target->below = below;
		if (!target->nr_stacked++)
			list_add(&target->node, &target->dev->stacked);
		err = 0;
	}
	mutex_unlock(&stack_lock);
	return err;
}

/*
 * Requests that were redirected to the file end as usual. Only a call that has looked the
 * target up already can redirect more to it.
 */
void abuse_target_unstack(struct abuse_target *target)
{
	if (!target->below)
		return;
	mutex_lock(&stack_lock);
	if (!--target->nr_stacked)
		list_del(&target->node);
	mutex_unlock(&stack_lock);
}

/* ---- one file ------------------------------------------------------------------ */

/* The file is closed, or the current task closes it and needs nothing else of target. */
static void abuse_target_free(struct abuse_target *target)
{
	put_cred(target->cred);
	abuse_device_put(target->dev);
	kfree(target);
	module_put(THIS_MODULE);
}

/*
 * Closing a file may block for ever: a block device writes back its dirty pages first, and
 * network file systems ask a server. If a kernel thread drops the last reference, fput()
 * leaves the close to one work item that serves all kernel threads of the machine, and one
 * file whose close blocks keeps the files of all others open. Therefore a work item of the
 * device closes the files here. __fput_sync() closes a file in the calling kernel thread.
 * The work item closes one file after the other, in the order of the calls, so that a
 * device occupies at most one worker with closes that block.
 *
 * If the file was the last user of a lazily unmounted file system, the kernel's common
 * work item still drops the mount.
 */
void abuse_targets_close(struct work_struct *work)
{
	struct abuse_device *dev = container_of(work, struct abuse_device,
						close_work);
	struct llist_node *node = llist_reverse_order(llist_del_all(&dev->closing));
	struct abuse_target *target, *next;

	llist_for_each_entry_safe(target, next, node, closing) {
		abuse_fput_sync(target->file);
		atomic_inc(&dev->nr_closed);
		wake_up_all(&dev->doomed_wait);
		/* The last of them may be what keeps the device and the module. */
		abuse_target_free(target);
	}
}

static void abuse_target_close_later(struct kref *ref)
{
	struct abuse_target *target = container_of(ref, struct abuse_target,
						   ref);
	struct abuse_device *dev = target->dev;

	atomic_inc(&dev->nr_closes);
	if (llist_add(&target->closing, &dev->closing))
		abuse_lanes_queue_work(dev, &dev->close_work);
}

/*
 * Drops a reference. If it is the last one, a worker closes the file: an EXCHANGE may wait for
 * requests for a long time, and its task would close the file only when it returns to user space.
 */
void abuse_target_put(struct abuse_target *target)
{
	kref_put(&target->ref, abuse_target_close_later);
}

/*
 * For the close of the descriptor and a call that fails: the task closes the file itself when it
 * returns to user space or exits, as its own descriptor of the file. So the file system can be
 * unmounted once the process is gone. A kernel thread does not return to user space; a worker
 * closes the file in its place.
 */
static void abuse_target_close(struct kref *ref)
{
	struct abuse_target *target = container_of(ref, struct abuse_target,
						   ref);

	if (current->flags & PF_KTHREAD) {
		abuse_target_close_later(ref);
		return;
	}
	fput(target->file);
	abuse_target_free(target);
}

/*
 * For calls that let go of files: a worker closes the last reference, and the call waits for it.
 * Kernels that cannot close a file in a worker leave it to the task.
 */
void abuse_target_release(struct abuse_target *target)
{
	kref_put(&target->ref, abuse_has_fput_sync() ? abuse_target_close_later :
						       abuse_target_close);
}

/*
 * To be called at the end of such a call, without a lock. begun: dev->nr_closes before. When it
 * returns, the file systems can be unmounted, unless the caller is being killed: a close may wait
 * for a server of the file system, and the one that resets a disk is not always the one that
 * chose its files.
 */
void abuse_targets_wait_closed(struct abuse_device *dev, int begun)
{
	int until = atomic_read(&dev->nr_closes);

	if (until != begun)
		wait_event_killable(dev->doomed_wait,
				    atomic_read(&dev->nr_closed) - until >= 0);
}

/* The minimum alignment of direct I/O, in bytes. */
static unsigned int abuse_file_block_size(struct file *file)
{
	struct block_device *bdev = abuse_file_bdev(file);

	return bdev ? bdev_logical_block_size(bdev) :
		      i_blocksize(abuse_file_real_inode(file));
}

static struct abuse_target *abuse_target_alloc(struct abuse_device *dev, int fd)
{
	struct abuse_target *target;
	struct file *file;
	int err;

	file = fget(fd);
	if (!file)
		return ERR_PTR(-EBADF);
	err = abuse_file_check(dev, file);
	if (err)
		goto out_put;
	err = -ENOMEM;
	target = kzalloc(sizeof(*target), GFP_KERNEL_ACCOUNT);
	if (!target)
		goto out_put;
	kref_init(&target->ref);
	target->file = file;
	target->block_mask = abuse_file_block_size(file) - 1;
	target->has_own_pages = abuse_file_has_own_pages(file);
	target->can_swap_directly = abuse_file_bdev(file) &&
				    abuse_file_can_bypass_cache(file);
	INIT_LIST_HEAD(&target->mapped);
	target->cred = get_current_cred();
	target->dev = dev;
	abuse_device_get(dev);
	__module_get(THIS_MODULE);
	err = abuse_target_stack(target);
	if (!err)
		return target;
	kref_put(&target->ref, abuse_target_close);
	return ERR_PTR(err);

out_put:
	fput(file);
	return ERR_PTR(err);
}

/* NULL if no file is registered under that index. */
struct abuse_target *abuse_target_get(struct abuse_server *srv, u32 index)
{
	struct abuse_target *target;

	xa_lock(&srv->targets);
	target = xa_load(&srv->targets, index);
	if (target)
		kref_get(&target->ref);
	xa_unlock(&srv->targets);
	return target;
}

/* The descriptor refers to it no more. */
static void abuse_target_unregister(struct abuse_target *target)
{
	abuse_target_unstack(target);
	abuse_target_release(target);
}

/* The first registration of a device allocates what redirect.c and lanes.c need. */
static int abuse_prepare_redirect(struct abuse_server *srv)
{
	struct abuse_device *dev = srv->dev;
	int err;

	if (mutex_lock_killable(&dev->control))
		return -EINTR;
	err = abuse_server_check(srv);
	if (!err)
		err = abuse_redirect_start(dev);
	mutex_unlock(&dev->control);
	return err;
}

static int abuse_read_file_args(struct abuse_file *file, void __user *arg)
{
	int err = abuse_read_sized(file, sizeof(*file), ABUSE_FILE_SIZE_1, arg);

	if (err)
		return err;
	return file->flags ? -EINVAL : 0;
}

long abuse_register_file(struct abuse_server *srv, void __user *arg)
{
	struct abuse_file __user *to = arg;
	struct abuse_target *target;
	struct abuse_file file;
	u32 index;
	int err;

	err = abuse_read_file_args(&file, arg);
	if (!err)
		err = abuse_prepare_redirect(srv);
	if (err)
		return err;
	target = abuse_target_alloc(srv->dev, file.fd);
	if (IS_ERR(target))
		return PTR_ERR(target);
	kref_get(&target->ref);
	err = xa_alloc(&srv->targets, &index, target,
		       XA_LIMIT(0, ABUSE_MAX_FILES - 1), GFP_KERNEL_ACCOUNT);
	if (err) {
		abuse_target_unregister(target);
		err = err == -EBUSY ? -EMFILE : err;
	} else if (put_user(index, &to->index)) {
		/* Meanwhile somebody else may have unregistered it, and the index may be another file's. */
		if (xa_cmpxchg(&srv->targets, index, target, NULL, 0) == target)
			abuse_target_unregister(target);
		err = -EFAULT;
	}
	abuse_target_release(target);
	return err;
}

long abuse_unregister_file(struct abuse_server *srv, unsigned long index)
{
	struct abuse_target *target = NULL;

	if (index < ABUSE_MAX_FILES)
		target = xa_erase(&srv->targets, index);
	if (!target)
		return -ENOENT;
	abuse_target_unregister(target);
	return 0;
}

/* The last reference to the descriptor is gone. */
void abuse_unregister_files(struct abuse_server *srv)
{
	struct abuse_target *target;
	unsigned long index;

	xa_for_each(&srv->targets, index, target) {
		abuse_target_unstack(target);
		kref_put(&target->ref, abuse_target_close);
	}
	xa_destroy(&srv->targets);
}
