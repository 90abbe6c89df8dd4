// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files that a server registered so that its replies may redirect to them: who may
 * register what, and how long it is kept. redirect.c does the I/O.
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

/* Below an overlay: where the bytes are. */
static struct inode *real_inode(struct file *file)
{
	return d_real_inode(file->f_path.dentry);
}

static struct block_device *bdev_of(struct file *file)
{
	struct inode *inode = real_inode(file);

	return S_ISBLK(inode->i_mode) ? I_BDEV(file->f_mapping->host) :
					inode->i_sb->s_bdev;
}

static int check_file(const struct abuse_device *dev, struct file *file)
{
	struct inode *inode = real_inode(file);

	if (!(file->f_mode & (FMODE_READ | FMODE_WRITE)))
		return -EBADF;
	if (!S_ISREG(inode->i_mode) && !S_ISBLK(inode->i_mode))
		return -EINVAL;
	if (file->f_flags & O_APPEND)
		return -EINVAL;
	if (((file->f_mode & FMODE_READ) && !file->f_op->read_iter) ||
	    ((file->f_mode & FMODE_WRITE) && !file->f_op->write_iter))
		return -EINVAL;
	if (S_ISREG(inode->i_mode) && IS_SWAPFILE(inode))
		return -ETXTBSY;
	/* What a file has no time-out ends, and who can write to one can hold it up. */
	if (abuse_device_is_users(dev) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	return 0;
}

/* ---- one disk on another ------------------------------------------------------- */

/*
 * Nothing ends what a file has, so that a request which comes back to its own disk by
 * way of files would wait for itself, and RESET with it. Seen are disks of ours and what
 * is on them; not what other drivers put between, nor file systems of several disks.
 */
static DEFINE_MUTEX(stack_lock);

/* Is there a way down from one disk to the other? */
static bool lies_on(struct abuse_device *from, const struct abuse_device *dev)
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

static int stack(struct abuse_target *target)
{
	struct block_device *bdev = bdev_of(target->file);
	struct abuse_device *below = bdev ? abuse_disk_device(bdev->bd_disk) :
					    NULL;
	int err = -ELOOP;

	if (!below)
		return 0;
	mutex_lock(&stack_lock);
	if (!lies_on(below, target->dev)) {
		target->below = below;
		list_add(&target->node, &target->dev->stacked);
		err = 0;
	}
	mutex_unlock(&stack_lock);
	return err;
}

/* What it was given ends as it would have; new is only what a call has that runs now. */
static void unstack(struct abuse_target *target)
{
	if (!target->below)
		return;
	mutex_lock(&stack_lock);
	list_del(&target->node);
	mutex_unlock(&stack_lock);
}

/* ---- one file ------------------------------------------------------------------ */

/* Its file is closed, or will be by a task that needs nothing else of it. */
static void abuse_target_free(struct abuse_target *target)
{
	put_cred(target->cred);
	abuse_device_put(target->dev);
	kfree(target);
	module_put(THIS_MODULE);
}

/*
 * Closing a file may take for ever: a block device writes its dirty pages first, and
 * network file systems ask a server. fput() in a kernel thread leaves it to one work item
 * that serves all kernel threads of the machine, so that one file that cannot be closed
 * keeps all others open. So it is done here, on a workqueue of the device's own, by
 * __fput_sync(), which closes a file in the calling kernel thread. One file after the
 * other: a device with a file that cannot be closed closes none of its others, but has
 * one worker only that waits.
 *
 * The last reference to a mount, if it was unmounted lazily, is dropped by the kernel's
 * common work item all the same.
 */
void abuse_targets_close(struct work_struct *work)
{
	struct abuse_device *dev = container_of(work, struct abuse_device,
						close_work);
	struct llist_node *node = llist_del_all(&dev->closing);
	struct abuse_target *target, *next;

	llist_for_each_entry_safe(target, next, node, closing) {
		abuse_fput_sync(target->file);
		abuse_target_free(target);
	}
}

static void abuse_target_close_later(struct kref *ref)
{
	struct abuse_target *target = container_of(ref, struct abuse_target,
						   ref);
	struct abuse_device *dev = target->dev;

	if (llist_add(&target->closing, &dev->closing))
		abuse_lanes_queue_work(dev, &dev->close_work);
}

/*
 * Of requests: what is let go of last is closed by a worker, even if this is a server's
 * call. It may go on to wait for requests for a long time, and its task would close the
 * file only on its way back to user space.
 */
void abuse_target_put(struct abuse_target *target)
{
	kref_put(&target->ref, abuse_target_close_later);
}

/*
 * In the call that unregisters the file, or the close of the descriptor, the task itself
 * closes the file on its way back to user space, as with close(2): once the call has
 * returned, or the process is gone, a file system can be unmounted. In a kernel thread
 * there is no way back.
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

/* What direct I/O must be aligned to, at least: bytes. */
static unsigned int block_size_of(struct file *file)
{
	struct block_device *bdev = bdev_of(file);

	return bdev ? bdev_logical_block_size(bdev) :
		      i_blocksize(real_inode(file));
}

static struct abuse_target *target_alloc(struct abuse_device *dev, int fd)
{
	struct abuse_target *target;
	struct file *file;
	int err;

	file = fget(fd);
	if (!file)
		return ERR_PTR(-EBADF);
	err = check_file(dev, file);
	if (err)
		goto out_put;
	err = -ENOMEM;
	target = kzalloc(sizeof(*target), GFP_KERNEL_ACCOUNT);
	if (!target)
		goto out_put;
	kref_init(&target->ref);
	target->file = file;
	target->block_mask = block_size_of(file) - 1;
	target->cred = get_current_cred();
	target->dev = dev;
	abuse_device_get(dev);
	__module_get(THIS_MODULE);
	err = stack(target);
	if (!err)
		return target;
	kref_put(&target->ref, abuse_target_close);
	return ERR_PTR(err);

out_put:
	fput(file);
	return ERR_PTR(err);
}

/* NULL: there is none of that index. */
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

/* Off its descriptor. */
static void target_leave(struct abuse_target *target)
{
	unstack(target);
	kref_put(&target->ref, abuse_target_close);
}

/* What redirect.c needs is made when a device first has a file. */
static int prepare(struct abuse_server *srv)
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

static int read_file(struct abuse_file *file, void __user *arg)
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

	err = read_file(&file, arg);
	if (!err)
		err = prepare(srv);
	if (err)
		return err;
	target = target_alloc(srv->dev, file.fd);
	if (IS_ERR(target))
		return PTR_ERR(target);
	err = xa_alloc(&srv->targets, &index, target,
		       XA_LIMIT(0, ABUSE_MAX_FILES - 1), GFP_KERNEL_ACCOUNT);
	if (err) {
		target_leave(target);
		return err == -EBUSY ? -EMFILE : err;
	}
	if (put_user(index, &to->index)) {
		abuse_unregister_file(srv, index);
		return -EFAULT;
	}
	return 0;
}

long abuse_unregister_file(struct abuse_server *srv, unsigned long index)
{
	struct abuse_target *target = NULL;

	if (index < ABUSE_MAX_FILES)
		target = xa_erase(&srv->targets, index);
	if (!target)
		return -ENOENT;
	target_leave(target);
	return 0;
}

/* The last reference to the descriptor is gone. */
void abuse_unregister_files(struct abuse_server *srv)
{
	struct abuse_target *target;
	unsigned long index;

	xa_for_each(&srv->targets, index, target)
		target_leave(target);
	xa_destroy(&srv->targets);
}
