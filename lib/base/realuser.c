/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The C library changes the ids of all threads together, so these are raw calls. What the
 * process has beside its user id (groups, no capabilities) is the user's anyway: the
 * program is set-user-ID and not set-group-ID. None of his other processes may trace it:
 * the kernel compares all three ids, of which the saved one stays.
 */
#include "base/realuser.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef SYS_setresuid32
#define SET_IDS SYS_setresuid32
#else
#define SET_IDS SYS_setresuid
#endif

/* "As it is." */
#define SAME ((uid_t)-1)

bool realuser_differs(void)
{
    uid_t real, effective, saved;

    return getresuid(&real, &effective, &saved) == 0 && real != saved;
}

neg_errno realuser_enter(void)
{
    return syscall(SET_IDS, SAME, getuid(), SAME) < 0 ? -errno : 0;
}

neg_errno realuser_leave(void)
{
    uid_t real, effective, saved;

    if (getresuid(&real, &effective, &saved) < 0 ||
        syscall(SET_IDS, SAME, saved, SAME) < 0)
        return -errno;
    return 0;
}

neg_errno realuser_become(void)
{
    uid_t real = getuid();

    return setresuid(real, real, real) < 0 ? -errno : 0;
}
