// SPDX-License-Identifier: GPL-2.0-only
/* Until 5.16: more partitions than minors have to be asked for. */
(void)GENHD_FL_EXT_DEVT;
