/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Containers are on no list: what the kernel knows of processes and their mounts is
 * always true. Everything is read through one descriptor of a process's directory, which
 * never becomes another process's.
 */
#include "namespace/running.h"
#include "base/cleanup.h"
#include "base/fd.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

/* The root's line is the first, or among the first, of mountinfo. */
#define MOUNTINFO_HEAD 8192

static const struct running nothing = {
    .set = {.mnt = -1, .user = -1, .net = -1, .ipc = -1, .uts = -1}, .root = -1};

enum kind { NONE, PLAIN, FAKE_ROOT };

/* proc(5): "36 35 98:0 / / rw,noatime master:1 - overlay SOURCE rw,...". */
static enum kind kind_of_root(char *line, const char *tag)
{
    char *save = NULL, *word = strtok_r(line, " ", &save);
    int field = 0;

    for (; word && strcmp(word, "-") != 0; word = strtok_r(NULL, " ", &save))
        if (++field == 5 && strcmp(word, "/") != 0)
            return NONE;
    const char *type = word ? strtok_r(NULL, " ", &save) : NULL;
    const char *source = type ? strtok_r(NULL, " ", &save) : NULL;
    size_t len = strlen(tag);

    if (!source || strcmp(type, "overlay") != 0 || strncmp(source, tag, len) != 0)
        return NONE;
    if (!source[len])
        return PLAIN;
    return strcmp(source + len, RUNNING_FAKE_ROOT) == 0 ? FAKE_ROOT : NONE;
}

static enum kind kind_of(int process, const char *tag)
{
    char head[MOUNTINFO_HEAD], *save = NULL;
    cleanup_fd int fd = openat(process, "mountinfo", O_RDONLY | O_CLOEXEC);
    enum kind kind = NONE;
    size_t size = 0;

    while (fd >= 0 && size < sizeof(head) - 1) {
        ssize_t n = read(fd, head + size, sizeof(head) - 1 - size);

        if (n <= 0)
            break;
        size += (size_t)n;
    }
    head[size] = '\0';
    for (char *line = strtok_r(head, "\n", &save); line && kind == NONE;
         line = strtok_r(NULL, "\n", &save))
        kind = kind_of_root(line, tag);
    return kind;
}

static bool is_same(int fd, const char *path)
{
    struct stat one, other;

    return fd >= 0 && fstat(fd, &one) == 0 && stat(path, &other) == 0 &&
           one.st_ino == other.st_ino && one.st_dev == other.st_dev;
}

/*
 * A builder's namespace belongs to a user namespace of root's, or that of a fake root to
 * one of the user's own, which is right below the host's. One of another user's could
 * hold his traps, and a sandbox, which some program of the user's has made inside of the
 * container, has the same root.
 */
static bool is_builders(int mnt, bool fake_root)
{
    uid_t owner;
    cleanup_fd int user = ioctl(mnt, NS_GET_USERNS);

    if (user < 0 || ioctl(user, NS_GET_OWNER_UID, &owner) < 0)
        return false;
    if (!fake_root)
        return owner == 0;
    cleanup_fd int parent = ioctl(user, NS_GET_PARENT);
    return owner == geteuid() && is_same(parent, "/proc/self/ns/user");
}

/* Opens a namespace of the process; *ret stays -1 if it is the caller's own. */
static bool open_other(int process, const char *name, int *ret)
{
    char path[32], self[48];

    (void)snprintf(path, sizeof(path), "ns/%s", name);
    (void)snprintf(self, sizeof(self), "/proc/self/ns/%s", name);
    cleanup_fd int fd = openat(process, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    if (!is_same(fd, self))
        *ret = steal_fd(&fd);
    return true;
}

/* "0 1000 1": one line of one id is all that a fake root without ranges has. */
static bool has_ranges(int process)
{
    cleanup_free char *map = NULL;
    cleanup_fd int fd = openat(process, "uid_map", O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fd_read_all(fd, 4096, &map, NULL) < 0 || !map)
        return false;
    size_t len = strcspn(map, "\n");
    while (len > 0 && map[len - 1] == ' ')
        len--;
    bool one = len > 1 && strncmp(map + len - 2, " 1", 2) == 0;
    return !one || strchr(map, '\n') != strrchr(map, '\n');
}

/*
 * A process may have gone into a user namespace of its own, and stayed in the container:
 * from there nobody can enter that. A container's is the one that its mounts belong to.
 */
static bool open_user(int process, bool fake_root, bool sandboxed, struct running *found)
{
    struct stat owner, own;
    cleanup_fd int user = fake_root ? ioctl(found->set.mnt, NS_GET_USERNS)
                                    : open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);

    if (user < 0 || fstat(user, &owner) < 0 || fstatat(process, "ns/user", &own, 0) < 0)
        return false;
    if ((own.st_ino == owner.st_ino && own.st_dev == owner.st_dev) == sandboxed)
        return false;
    if (fake_root)
        found->set.user = steal_fd(&user);
    return true;
}

static bool examine(int process, const char *tag, bool sandboxed, struct running *ret)
{
    struct running found = nothing;
    enum kind kind = kind_of(process, tag);

    if (kind != NONE && !(kind == FAKE_ROOT && sandboxed) &&
        open_other(process, "mnt", &found.set.mnt) && found.set.mnt >= 0 &&
        is_builders(found.set.mnt, kind == FAKE_ROOT) &&
        open_user(process, kind == FAKE_ROOT, sandboxed, &found) &&
        open_other(process, "net", &found.set.net) &&
        open_other(process, "ipc", &found.set.ipc) &&
        open_other(process, "uts", &found.set.uts)) {
        found.root = openat(process, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
        found.has_ranges = found.set.user >= 0 && has_ranges(process);
    }
    if (found.root >= 0 && kind_of(process, tag) == kind) {
        *ret = found;
        return true;
    }
    running_close(&found);
    return false;
}

static neg_errno find(const char *tag, bool sandboxed, struct running *ret)
{
    cleanup_dir DIR *proc = opendir("/proc");
    struct stat st;

    if (!proc)
        return -errno;
    for (struct dirent *entry; (entry = readdir(proc));) {
        if (entry->d_name[strspn(entry->d_name, "0123456789")])
            continue;
        cleanup_fd int process =
            openat(dirfd(proc), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (process >= 0 && fstat(process, &st) == 0 && st.st_uid == geteuid() &&
            examine(process, tag, sandboxed, ret))
            return 0;
    }
    return -ENOENT;
}

neg_errno running_find(const char *tag, struct running *ret)
{
    int rc = find(tag, false, ret);

    return rc == -ENOENT ? find(tag, true, ret) : rc;
}

void running_close(struct running *running)
{
    const int fds[] = {running->set.mnt, running->set.user, running->set.net,
                       running->set.ipc, running->set.uts,  running->root};

    for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    *running = nothing;
}
