// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * Calls that shape devices: parameters of one (on its control node), and adding,
 * removing and finding them (/dev/abuse-control). One function per command: copy
 * in, check, call device.c or index.c, copy out.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include "abuse.h"

/* The size of the struct in the first version of the interface. */
#define ABUSE_PARAMS_SIZE_1	offsetofend(struct abuse_params, depth)
#define ABUSE_ADD_SIZE_1	offsetofend(struct abuse_add, uuid)

/* Reads the first member of a struct that may grow; least: its size in the first version. */
static int abuse_read_struct_size(u32 *size, size_t least, const void __user *from)
{
	if (get_user(*size, (const u32 __user *)from))
		return -EFAULT;
	if (*size < least)
		return -EINVAL;
	return *size > PAGE_SIZE ? -E2BIG : 0;
}

/*
 * Reads a struct that begins with its size and may grow. -EINVAL: smaller than its first
 * version; -E2BIG: unknown trailing bytes are not 0; -EFAULT.
 */
int abuse_read_sized(void *to, size_t known, size_t least,
		     const void __user *from)
{
	u32 size;
	int err;

	err = abuse_read_struct_size(&size, least, from);
	return err ? err : copy_struct_from_user(to, known, from, size);
}

/* The part of abuse_params that SET_PARAMS ignores. */
#define ABUSE_PARAMS_OUT_BEGIN	offsetof(struct abuse_params, all_features)
#define ABUSE_PARAMS_OUT_END	offsetofend(struct abuse_params, depth)

static int abuse_control_read_params(struct abuse_params *params, const void __user *from)
{
	int err = abuse_read_sized(params, sizeof(*params), ABUSE_PARAMS_SIZE_1, from);

	if (err)
		return err;
	memset((void *)params + ABUSE_PARAMS_OUT_BEGIN, 0,
	       ABUSE_PARAMS_OUT_END - ABUSE_PARAMS_OUT_BEGIN);
	params->size = sizeof(*params);
	return 0;
}

long abuse_set_params(struct abuse_server *srv, void __user *arg)
{
	struct abuse_params params;
	int err = abuse_control_read_params(&params, arg);

	return err ? err : abuse_device_set_up(srv, &params, true);
}

static int abuse_control_get_params(struct abuse_device *dev, struct abuse_params *params)
{
	int err = 0;

	spin_lock(&dev->lock);
	if (dev->state == ABUSE_S_UP) {
		*params = dev->params;
	} else if (dev->state != ABUSE_S_DYING) {
		memset(params, 0, sizeof(*params));
		memcpy(params->name, dev->params.name, sizeof(params->name));
		memcpy(params->uuid, dev->params.uuid, sizeof(params->uuid));
	} else {
		err = -ENODEV;
	}
	params->state = dev->state == ABUSE_S_EMPTYING ? ABUSE_S_EMPTY : dev->state;
	params->trusted = dev->state == ABUSE_S_UP && dev->sealed;
	spin_unlock(&dev->lock);
	params->size = sizeof(*params);
	params->all_features = ABUSE_ALL_FEATURES | ABUSE_F_REDIRECT | ABUSE_F_MAP |
			       ABUSE_F_STORE |
			       (ABUSE_HAVE_ATOMIC_WRITES ? ABUSE_F_ATOMIC : 0);
	params->all_ops = ABUSE_ALL_OPS;
	params->number = dev->number;
	params->owner = from_kuid_munged(current_user_ns(), dev->owner);
	params->hw_queues = dev->hw_queues;
	params->depth = dev->depth;
	return err;
}

long abuse_get_params(struct abuse_server *srv, void __user *arg)
{
	struct abuse_params params;
	size_t known;
	u32 size;
	int err;

	err = abuse_read_struct_size(&size, ABUSE_PARAMS_SIZE_1, arg);
	if (!err)
		err = abuse_control_get_params(srv->dev, &params);
	if (err)
		return err;
	known = min_t(size_t, size, sizeof(params));
	if (copy_to_user(arg, &params, known) ||
	    clear_user(arg + known, size - known))
		return -EFAULT;
	return 0;
}

/* The owner of the device to be added, and its set-up if add->params says one. */
static int abuse_control_read_add(struct abuse_add *add, struct abuse_params *params,
				  kuid_t *owner, const void __user *arg)
{
	int err;

	err = abuse_index_owner(owner);
	if (!err)
		err = abuse_read_sized(add, sizeof(*add), ABUSE_ADD_SIZE_1, arg);
	if (!err && add->params)
		err = abuse_control_read_params(params, abuse_user_ptr(add->params));
	if (err || !(add->flags & ABUSE_ADD_OWNER))
		return err;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	*owner = make_kuid(current_user_ns(), add->owner);
	return uid_valid(*owner) ? 0 : -EINVAL;
}

/*
 * The number goes to the caller while the device is reserved, and nobody else sees it: if that
 * fails there is no device to be removed, which others may have opened.
 */
static int abuse_control_start(struct abuse_birth *birth, const struct abuse_add *add,
			       struct abuse_add __user *arg)
{
	int err;

	if (add->flags & ABUSE_ADD_OPEN) {
		err = abuse_handle_open(birth);
		if (err)
			return err;
	}
	if (put_user(add->number, &arg->number))
		return -EFAULT;
	return abuse_index_start(birth);
}

static long abuse_control_add(struct abuse_add __user *arg)
{
	struct abuse_birth birth = { };
	struct abuse_params params;
	struct abuse_add add;
	u32 wanted;
	int err;

	err = abuse_control_read_add(&add, &params, &birth.owner, arg);
	/* A set-up sends events of its own. */
	if (!err && add.params)
		err = abuse_pace();
	if (err)
		return err;
	wanted = add.number;
	birth.params = add.params ? &params : NULL;
	err = abuse_index_reserve(&add, &birth);
	if (err)
		return err;
	err = abuse_control_start(&birth, &add, arg);
	if (err) {
		abuse_index_cancel(&birth);
		abuse_handle_cancel(&birth);
		/* The caller may want to try again. */
		return put_user(wanted, &arg->number) ? -EFAULT : err;
	}
	return birth.file ? abuse_handle_install(&birth) : 0;
}

static long abuse_control_call(unsigned int cmd, unsigned long arg)
{
	int err = abuse_pace();

	if (err)
		return err;
	switch (cmd) {
	case ABUSE_CTL_ADD:
		return abuse_control_add((struct abuse_add __user *)arg);
	case ABUSE_CTL_REMOVE:
		return arg < abuse_numbers ? abuse_index_remove(arg) : -ENODEV;
	case ABUSE_CTL_GET_FREE:
		return abuse_index_get_free();
	default:
		return -ENOTTY;
	}
}

/* Servers may wait for the lock of the index: reclaim must not wait for their disks. */
static long abuse_control_ioctl(struct file *file, unsigned int cmd,
			  unsigned long arg)
{
	unsigned int noio = memalloc_noio_save();
	long ret = abuse_control_call(cmd, arg);

	memalloc_noio_restore(noio);
	return ret;
}

#ifdef CONFIG_COMPAT
/* For a 32-bit caller: a number is the same, an address is cut to 32 bits. */
static long abuse_control_compat_ioctl(struct file *file, unsigned int cmd,
				 unsigned long arg)
{
	return abuse_control_ioctl(file, cmd, (u32)arg);
}
#endif

static const struct file_operations control_fops = {
	.owner		= THIS_MODULE,
	.open		= nonseekable_open,
	.unlocked_ioctl	= abuse_control_ioctl,
#ifdef CONFIG_COMPAT
	.compat_ioctl	= abuse_control_compat_ioctl,
#endif
	.llseek		= noop_llseek,
};

struct miscdevice abuse_control_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "abuse-control",
	.fops	= &control_fops,
	.mode	= 0600,
};
