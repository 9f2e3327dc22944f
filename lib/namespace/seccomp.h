/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_NAMESPACE_SECCOMP_H
#define VITRINE_NAMESPACE_SECCOMP_H

#include "base/error.h"

/*
 * From here on the calling process and all that it starts are told that system calls have
 * succeeded which a fake root with a single user id cannot do: chown(2) and its kin,
 * setuid(2), setgid(2), setgroups(2) and theirs, capset(2), mknod(2) of devices. Package
 * managers need no more. What he can do is done: giving a file to himself or to one of
 * his groups, which are those that the process has now, so call it in his user namespace.
 *
 * Takes no_new_privs. No protection: who is not root inside shall not be confined.
 */
neg_errno seccomp_fake_ids(void);

#endif
