// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * The file operations of /dev/abctlN: a descriptor is a server's. Each call is
 * checked by access.c and handed to the file that knows it.
 */
#include <linux/capability.h>
#include <linux/compat.h>
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "abuse.h"

/* Has the set-up ended that this descriptor served through exchange? A hint. */
bool abuse_server_is_over(const struct abuse_server *srv)
{
	s64 epoch = atomic64_read(&srv->epoch);

	return READ_ONCE(srv->mm) && epoch &&
	       (READ_ONCE(srv->dev->state) != ABUSE_S_UP ||
		atomic64_read(&srv->dev->epoch) != epoch);
}

/*
 * The process is gone before its files are: what it holds goes back now, so
 * that it need not wait for itself when it closes its own disk. Also called by
 * mmu_notifier_unregister() when the descriptor goes first.
 */
static void abuse_address_space_gone(struct mmu_notifier *notifier,
			       struct mm_struct *mm)
{
	struct abuse_server *srv = container_of(notifier, struct abuse_server,
						notifier);

	abuse_return_all(srv);
	abuse_server_leaves(srv, mm);
}

static const struct mmu_notifier_ops abuse_mm_ops = {
	.release = abuse_address_space_gone,
};

static int abuse_watch_address_space(struct abuse_server *srv, struct mm_struct *mm)
{
	int err;

	srv->notifier.ops = &abuse_mm_ops;
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	err = __mmu_notifier_register(&srv->notifier, mm);
	mmap_write_unlock(mm);
	if (!err)
		smp_store_release(&srv->mm, mm);
	return err;
}

/* Binds a descriptor to the address space of its first exchange; else -EBUSY. */
int abuse_server_bind(struct abuse_server *srv)
{
	struct mm_struct *mm = smp_load_acquire(&srv->mm);
	int err = 0;

	if (likely(mm))
		return mm == current->mm ? 0 : -EBUSY;
	if (!current->mm)
		return -EINVAL;
	if (mutex_lock_killable(&srv->bind_lock))
		return -EINTR;
	if (!srv->mm)
		err = abuse_watch_address_space(srv, current->mm);
	else if (srv->mm != current->mm)
		err = -EBUSY;
	mutex_unlock(&srv->bind_lock);
	return err;
}

/* A hand-made node of a number that does not exist yet makes the device. */
static struct abuse_device *abuse_find_or_add_device(u32 number, int *err)
{
	struct abuse_device *dev = abuse_index_get(number);

	*err = 0;
	if (dev)
		return dev;
	*err = abuse_index_add_on_demand(number);
	if (*err)
		return NULL;
	dev = abuse_index_get(number);
	if (!dev)
		*err = -ENODEV;
	return dev;
}

/* A descriptor to be, which keeps the caller's reference to the device. -EPERM, -EACCES, -ENOMEM. */
struct abuse_server *abuse_server_alloc(struct abuse_device *dev)
{
	struct abuse_server *srv;
	int err;

	srv = kzalloc(sizeof(*srv), GFP_KERNEL_ACCOUNT);
	if (!srv)
		return ERR_PTR(-ENOMEM);
	srv->dev = dev;
	srv->uid = current_euid();
	srv->admin = capable(CAP_SYS_ADMIN);
	mutex_init(&srv->bind_lock);
	xa_init_flags(&srv->targets, XA_FLAGS_ALLOC | XA_FLAGS_ACCOUNT);
	err = abuse_access_node(srv);
	if (!err)
		return srv;
	kfree(srv);
	return ERR_PTR(err);
}

void abuse_server_attach(struct abuse_server *srv, struct file *file)
{
	srv->file = file;
	file->private_data = srv;
	abuse_descriptor_add(srv);
}

static int abuse_server_open(struct inode *inode, struct file *file)
{
	unsigned int noio = memalloc_noio_save();
	struct abuse_server *srv;
	struct abuse_device *dev;
	int err;

	dev = abuse_find_or_add_device(iminor(inode), &err);
	if (dev) {
		srv = abuse_server_alloc(dev);
		err = PTR_ERR_OR_ZERO(srv);
		if (err)
			abuse_device_put(dev);
		else
			abuse_server_attach(srv, file);
	}
	memalloc_noio_restore(noio);
	return err ? err : nonseekable_open(inode, file);
}

static int abuse_server_release(struct inode *inode, struct file *file)
{
	struct abuse_server *srv = file->private_data;

	abuse_descriptor_remove(srv);
	if (srv->mm)
		mmu_notifier_unregister(&srv->notifier, srv->mm);
	abuse_server_leaves(srv, NULL);
	abuse_forget_handed(srv);
	abuse_unregister_files(srv);
	if (srv->is_handle)
		abuse_handle_close(srv->dev);
	abuse_device_put(srv->dev);
	kvfree(srv->handed);
	kfree(srv);
	return 0;
}

static __poll_t abuse_server_poll(struct file *file, poll_table *wait)
{
	struct abuse_server *srv = file->private_data;
	struct abuse_device *dev = srv->dev;
	int err;

	abuse_pollers_wait(file, wait);
	err = abuse_server_check(srv);
	if (err)
		return err == -ENODEV ? EPOLLHUP | EPOLLERR : EPOLLERR;
	if (abuse_server_is_over(srv))
		return EPOLLERR;
	abuse_device_is_served(srv);
	/* A device that fails has no requests: a server that polls is to ask all the same. */
	return abuse_poll_ready(srv) ||
	       READ_ONCE(dev->patience) == ABUSE_REVIVES ? EPOLLIN | EPOLLRDNORM | EPOLLMSG : 0;
}

static long abuse_set_poll(struct abuse_server *srv, unsigned long mode)
{
	if (mode > 1)
		return -EINVAL;
	WRITE_ONCE(srv->poll_mode, mode);
	/* Programs that are in poll already must look again by the new rule. */
	abuse_wake_all(srv->dev);
	return 0;
}

static long abuse_server_call(struct abuse_server *srv, unsigned int cmd, unsigned long arg)
{
	void __user *ptr = (void __user *)arg;

	switch (cmd) {
	case ABUSE_EXCHANGE:
		return abuse_exchange(srv, ptr);
	case ABUSE_GET_STATUS:
		return abuse_get_status(srv, ptr);
	case ABUSE_SET_STATUS:
		return abuse_set_status(srv, ptr);
	case ABUSE_SET_POLL:
		return abuse_set_poll(srv, arg);
	case ABUSE_RESET:
		return abuse_device_reset(srv);
	case ABUSE_GET_BIO:
		return abuse_get_bio(srv, ptr);
	case ABUSE_PUT_BIO:
		return abuse_put_bio(srv, ptr);
	case ABUSE_SET_PARAMS:
		return abuse_set_params(srv, ptr);
	case ABUSE_GET_PARAMS:
		return abuse_get_params(srv, ptr);
	case ABUSE_REGISTER_FILE:
		return abuse_register_file(srv, ptr);
	case ABUSE_UNREGISTER_FILE:
		return abuse_unregister_file(srv, arg);
	case ABUSE_MAP:
		return abuse_map(srv, ptr);
	case ABUSE_GET_MAP:
		return abuse_get_map(srv, ptr);
	default:
		return -ENOTTY;
	}
}

/* With the files closed that the call let go of. */
static long abuse_server_call_and_close(struct abuse_server *srv, unsigned int cmd,
					unsigned long arg)
{
	int begun = atomic_read(&srv->dev->nr_closes);
	long ret = abuse_server_call(srv, cmd, arg);

	abuse_targets_wait_closed(srv->dev, begun);
	return ret;
}

/*
 * REGISTER_FILE: if it cannot tell its caller the index. Not MAP, which a server may call for a request that it holds: files
 * that somebody else let go of may take long to close.
 */
static bool abuse_call_lets_go_of_files(unsigned int cmd)
{
	return cmd == ABUSE_RESET || cmd == ABUSE_UNREGISTER_FILE ||
	       cmd == ABUSE_REGISTER_FILE || cmd == ABUSE_SET_PARAMS || cmd == ABUSE_SET_STATUS;
}

/* Memory that a call needs must not come from writing to its own disk. */
static long abuse_server_ioctl(struct file *file, unsigned int cmd,
			       unsigned long arg)
{
	struct abuse_server *srv = file->private_data;
	unsigned int noio;
	long ret;

	ret = abuse_server_check(srv);
	if (ret)
		return ret;
	noio = memalloc_noio_save();
	ret = abuse_call_lets_go_of_files(cmd) ? abuse_server_call_and_close(srv, cmd, arg) :
						 abuse_server_call(srv, cmd, arg);
	memalloc_noio_restore(noio);
	return ret;
}

#ifdef CONFIG_COMPAT
static long abuse_server_compat_ioctl(struct file *file, unsigned int cmd,
				      unsigned long arg)
{
	if (cmd == ABUSE_SET_POLL || cmd == ABUSE_UNREGISTER_FILE)
		return abuse_server_ioctl(file, cmd, arg);
	return abuse_server_ioctl(file, cmd, (unsigned long)compat_ptr(arg));
}
#endif

const struct file_operations abuse_server_fops = {
	.owner		= THIS_MODULE,
	.open		= abuse_server_open,
	.release	= abuse_server_release,
	.poll		= abuse_server_poll,
	.show_fdinfo	= abuse_server_show_fdinfo,
	.unlocked_ioctl	= abuse_server_ioctl,
#ifdef CONFIG_COMPAT
	.compat_ioctl	= abuse_server_compat_ioctl,
#endif
	.flock		= abuse_server_flock,
	.lock		= abuse_server_lock,
	.llseek		= noop_llseek,
};
