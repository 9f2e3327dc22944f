/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/path.h"
#include "base/cleanup.h"
#include "base/syscalls.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

bool path_is_below(const char *path, const char *dir)
{
    size_t n = strlen(dir);

    if (n == 1 && dir[0] == '/')
        return path[0] == '/';
    return strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

bool path_is_normal(const char *path)
{
    if (path[0] != '/')
        return false;
    if (path[1] == '\0')
        return true;
    for (const char *p = path; *p;) {
        size_t n = strcspn(++p, "/");

        if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        p += n;
    }
    return true;
}

neg_errno path_split(const char *path, char ret_dir[PATH_MAX],
                     char ret_name[NAME_MAX + 1])
{
    size_t end = strlen(path), begin;

    while (end > 0 && path[end - 1] == '/')
        end--;
    for (begin = end; begin > 0 && path[begin - 1] != '/'; begin--)
        ;
    if (end - begin > NAME_MAX || begin >= PATH_MAX)
        return -ENAMETOOLONG;
    memcpy(ret_name, path + begin, end - begin);
    ret_name[end - begin] = '\0';
    if (!ret_name[0] || strcmp(ret_name, ".") == 0 || strcmp(ret_name, "..") == 0)
        return -ENOENT;
    memcpy(ret_dir, path, begin);
    ret_dir[begin] = '\0';
    if (begin == 0)
        memcpy(ret_dir, ".", sizeof("."));
    return 0;
}

char *path_join(const char *dir, const char *name)
{
    char *joined;

    if (name[0] == '/')
        return strdup(name);
    if (asprintf(&joined, "%s%s%s", dir, dir[strlen(dir) - 1] == '/' ? "" : "/", name) <
        0)
        return NULL;
    return joined;
}

neg_errno path_open_in_root(int root, const char *path, int flags)
{
    return sys_openat2(root, path, (uint64_t)flags, 0,
                       RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}
