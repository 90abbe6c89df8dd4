// SPDX-License-Identifier: GPL-2.0-only
/* 6.4: class_create() lost its module argument. */
(void)class_create("");
