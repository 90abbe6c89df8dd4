// SPDX-License-Identifier: GPL-2.0-only
/* 5.4: the hooks of checkers for copies from and to user memory. */
(void)&instrument_copy_to_user;
