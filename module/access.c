// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * The rules of access: which caller may open and use which device. disk.c asks
 * when a disk is opened, server.c when a control node is opened and at every call.
 *
 *	device		its disk opens for	its control node answers
 *	the group's	as the mode of the node says, both
 *	a user's	the owner		the owner, CAP_SYS_ADMIN
 *	 admitted	the owner, CAP_SYS_ADMIN	the same
 *	sealed		CAP_SYS_ADMIN		CAP_SYS_ADMIN, the uid of the seal
 *
 * Until an administrator admits it, root does not open a user's disk: programs
 * of root search disks by content (UUIDs, labels, RAID signatures). The server of the
 * disk can forge that content, and can let these programs wait. RESET and REMOVE end
 * the admission.
 */
#include <linux/capability.h>
#include <linux/cred.h>

#include "abuse.h"

/* Does the disk open for CAP_SYS_ADMIN? */
bool abuse_access_is_admitted(const struct abuse_device *dev)
{
	return !abuse_device_is_users(dev) || READ_ONCE(dev->sealed) ||
	       READ_ONCE(dev->admitted);
}

/*
 * May the caller open the disk? The system trusts the content of a sealed disk, so
 * only CAP_SYS_ADMIN opens it. -EACCES, or for CAP_SYS_ADMIN -ENXIO, the error of a
 * missing disk: after any other error udev drops the event, and the node gets no rules.
 */
int abuse_access_disk(const struct abuse_device *dev, bool admin)
{
	lockdep_assert_held(&dev->lock);
	if (abuse_device_is_users(dev) && !dev->sealed &&
	    uid_eq(current_euid(), dev->owner))
		return 0;
	if (admin)
		return abuse_access_is_admitted(dev) ? 0 : -ENXIO;
	return dev->sealed || abuse_device_is_users(dev) ? -EACCES : 0;
}

/* CAP_SYS_ADMIN tried to claim the disk; mount(8) refers the administrator to this log. */
void abuse_access_explain(const struct abuse_device *dev)
{
	pr_notice_ratelimited("abuse%u belongs to uid %u: root opens it after \"abusectl admit %u\"\n",
			      dev->number,
			      from_kuid(&init_user_ns, dev->owner),
			      dev->number);
}

/* -EPERM; -ENXIO: the device is not up; -EINVAL: root cannot be refused root's own disk. */
int abuse_access_admit(struct abuse_device *dev, bool admit)
{
	int err = 0;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (!abuse_device_is_users(dev))
		return admit ? 0 : -EINVAL;
	spin_lock(&dev->lock);
	if (dev->state == ABUSE_S_UP)
		WRITE_ONCE(dev->admitted, admit);
	else
		err = -ENXIO;
	spin_unlock(&dev->lock);
	return err;
}

/*
 * May this descriptor be opened? -EPERM: it is sealed. -EACCES: it is another
 * user's (a node can outlive its device, and lead to a newer one of that number).
 * abuse_server_check() covers a sealing after the open.
 */
int abuse_access_node(const struct abuse_server *srv)
{
	const struct abuse_device *dev = srv->dev;

	if (srv->admin)
		return 0;
	if (READ_ONCE(dev->sealed))
		return uid_eq(srv->uid, READ_ONCE(dev->seal_uid)) ? 0 : -EPERM;
	return !abuse_device_is_users(dev) || uid_eq(srv->uid, dev->owner) ?
	       0 : -EACCES;
}

/* May this descriptor use its device now? -ENODEV, -EPERM. */
int abuse_server_check(const struct abuse_server *srv)
{
	const struct abuse_device *dev = srv->dev;

	/* Read the state first: a reader that sees a set-up also sees its seal. */
	if (smp_load_acquire(&dev->state) == ABUSE_S_DYING)
		return -ENODEV;
	if (READ_ONCE(dev->sealed) && !srv->admin &&
	    !uid_eq(srv->uid, READ_ONCE(dev->seal_uid)))
		return -EPERM;
	return 0;
}
