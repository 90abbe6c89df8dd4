// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may open and use what. disk.c asks when a disk is opened, server.c when a
 * control node is opened and at every call.
 *
 *	device		its disk opens for	its control node answers
 *	the group's	all that the mode of the node admits, both
 *	a user's	the owner, CAP_SYS_ADMIN	the same
 *	sealed		CAP_SYS_ADMIN		CAP_SYS_ADMIN and the uid of the seal
 */
#include <linux/capability.h>
#include <linux/cred.h>

#include "abuse.h"

/* May the caller open the disk? The system trusts what a sealed disk holds. */
int abuse_access_disk(const struct abuse_device *dev, bool admin)
{
	lockdep_assert_held(&dev->lock);
	if (admin)
		return 0;
	if (dev->sealed)
		return -EACCES;
	if (abuse_device_is_users(dev) && !uid_eq(current_euid(), dev->owner))
		return -EACCES;
	return 0;
}

/* May this descriptor be opened? An old node may stand for another's device by now. */
int abuse_access_node(const struct abuse_server *srv)
{
	const struct abuse_device *dev = srv->dev;

	if (srv->admin || !abuse_device_is_users(dev) ||
	    uid_eq(srv->uid, dev->owner) ||
	    (READ_ONCE(dev->sealed) && uid_eq(srv->uid, dev->seal_uid)))
		return 0;
	return -EACCES;
}

/* May this descriptor use its device now? -ENODEV, -EPERM. */
int abuse_server_check(const struct abuse_server *srv)
{
	const struct abuse_device *dev = srv->dev;

	if (READ_ONCE(dev->state) == ABUSE_S_DYING)
		return -ENODEV;
	if (READ_ONCE(dev->sealed) && !srv->admin &&
	    !uid_eq(srv->uid, dev->seal_uid))
		return -EPERM;
	return 0;
}
