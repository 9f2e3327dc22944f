/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public face of lib/environ. */
#include "environ/changes.h"
#include "environ/environ.h"

int vitrine_environ_each(int fd,
                         bool (*each)(void *arg, const char *name, const char *value),
                         void *arg, struct vitrine_error *err)
{
    return changes_each(fd, each, arg, err);
}

int vitrine_environ_restore(const char *const *env, int fd, struct vitrine_error *err)
{
    return environ_restore(env, fd, err);
}
