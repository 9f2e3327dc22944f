/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_PRIVILEGED_CAPS_H
#define VITRINE_PRIVILEGED_CAPS_H

/*
 * The privilege of a task between slurmstepd's root and the user's program.
 *
 * It lies in the permitted set only: whatever the task does, it does with the user's own
 * rights, unless it stands between caps_raise() and caps_lower(), which happens in
 * lib/privileged alone. For a job of root itself all of this changes nothing.
 */
#include "base/error.h"

/*
 * As root, before the process becomes the user: keeps, over setuid(2), the capabilities
 * that preparing and joining a container take, and no others.
 */
neg_errno caps_keep(void);

/* As the user: makes what was kept effective, and back. */
neg_errno caps_raise(void);
neg_errno caps_lower(void);

/* Gives up what caps_keep() kept, for a task that stays on the host. */
neg_errno caps_forget(void);

/* Gives up every capability for good and sets no_new_privs: the user's program follows.
 */
neg_errno caps_drop(void);

/* Sets no_new_privs alone, for a fake root who is already in a namespace of his own. */
neg_errno caps_stay_root(void);

/*
 * The builder's, in its own user namespace, where unshare(2) gave it everything.
 * caps_builder_start() is called before setuid(2) and caps_builder_settle() after it: it
 * leaves those that assembling a root takes, effective is only CAP_SYS_ADMIN; _own_root()
 * makes all of them effective and _disown() only that one again; _only_mount() gives up
 * the others for good. A fake root's builder begins with _settle_root().
 */
neg_errno caps_builder_start(void);
neg_errno caps_builder_settle(void);
neg_errno caps_builder_settle_root(void);
neg_errno caps_builder_own_root(void);
neg_errno caps_builder_disown(void);
neg_errno caps_builder_only_mount(void);

#endif
