// SPDX-License-Identifier: LGPL-2.1-or-later
/* What two tasks on one node see of each other, as MPI libraries, debuggers and profilers
 * need it. They meet by files in a directory that both see: each writes what the other is
 * to find, waits for the other, tries, and stays until the other is done. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE 20000 /* ms */
#define SECRET   "what the other task is to find"

struct card {
    pid_t pid;
    int fd;
    int shm;
    const void *secret;
    char tmp[64], shared[64];
    char name[64]; /* of an abstract socket */
};

static char secret[64] = SECRET;

// ---- meeting
// -------------------------------------------------------------------------------

static void write_file(const char *path, const void *data, size_t size)
{
    char temporary[4200];
    snprintf(temporary, sizeof(temporary), "%s.new", path);
    int fd = open(temporary, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size || close(fd) < 0 ||
        rename(temporary, path) < 0)
        perror(path);
}

static bool wait_for_file(const char *path)
{
    for (int ms = 0; ms < PATIENCE; ms += 10) {
        if (access(path, F_OK) == 0)
            return true;
        (void)poll(NULL, 0, 10);
    }
    return false;
}

/* Files for the other to find, in directories that all tasks of a node should share. */
static void make_file(char path[64], const char *where, int rank)
{
    snprintf(path, 64, "%s/vitrine-probe.%d.%d", where, getpid(), rank);
    write_file(path, SECRET, sizeof(SECRET));
}

static int listen_abstract(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path + 1, name, strlen(name));
    if (bind(fd, (void *)&address,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))) <
            0 ||
        listen(fd, 5) < 0)
        perror("abstract socket");
    return fd;
}

static int make_segment(void)
{
    int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
    char *memory = shmat(id, NULL, 0);

    if (memory != (void *)-1)
        memcpy(memory, SECRET, sizeof(SECRET));
    return id;
}

// ---- trying
// --------------------------------------------------------------------------------

static void say_read(const char *key, const struct card *peer)
{
    char found[sizeof(SECRET)] = "";
    struct iovec local = {found, sizeof(found)};
    struct iovec remote = {(void *)peer->secret, sizeof(found)};
    long rc = process_vm_readv(peer->pid, &local, 1, &remote, 1, 0);

    say(key, "%s, %s", outcome(rc), strcmp(found, SECRET) == 0 ? "found" : "not found");
}

static void say_write(const char *key, const struct card *peer)
{
    struct iovec local = {(void *)SECRET, sizeof(SECRET)};
    struct iovec remote = {(void *)peer->secret, sizeof(SECRET)};

    say(key, "%s", outcome(process_vm_writev(peer->pid, &local, 1, &remote, 1, 0)));
}

static void say_file_of_peer(const char *key, const char *path)
{
    struct stat st;

    if (stat(path, &st) == 0)
        say(key, "owner %d:%d %o", st.st_uid, st.st_gid, st.st_mode);
    else
        say(key, "%s", outcome(-1));
}

static void say_socket(const struct card *peer)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ucred who = {0};
    socklen_t size = sizeof(who);
    size_t length = strlen(peer->name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path + 1, peer->name, length);
    say("peer.abstract_socket", "%s",
        outcome(
            connect(fd, (void *)&address,
                    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length))));
    (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size);
    say("peer.credentials", "%d:%d, %s", who.uid, who.gid,
        who.pid == peer->pid ? "its pid" : "another pid");
    close(fd);
}

static void say_pidfd(const struct card *peer)
{
    long pidfd = syscall(SYS_pidfd_open, peer->pid, 0);

    say("peer.pidfd_open", "%s", outcome(pidfd));
    say("peer.pidfd_getfd", "%s", outcome(syscall(SYS_pidfd_getfd, pidfd, peer->fd, 0)));
    say("peer.kcmp", "%s",
        outcome(syscall(SYS_kcmp, getpid(), peer->pid, 3 /* KCMP_FS */, 0, 0)));
}

static void say_segment(const struct card *peer)
{
    char *memory = shmat(peer->shm, NULL, SHM_RDONLY);
    say("peer.sysv_shm", "%s",
        memory == (void *)-1          ? outcome(-1)
        : strcmp(memory, SECRET) == 0 ? "found"
                                      : "not found");
}

/* By a child, with whose end the other is free again. */
static void say_ptrace(const struct card *peer)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0)
        _exit(ptrace(PTRACE_SEIZE, peer->pid, 0, 0) < 0 ? errno : 0);
    (void)waitpid(child, &status, 0);
    errno = WEXITSTATUS(status);
    say("peer.ptrace", "%s", outcome(errno ? -1 : 0));
}

static void say_proc(const struct card *peer)
{
    static const char *const files[] = {"maps",   "environ", "mem",
                                        "status", "cgroup",  "stack"};
    static const char *const links[] = {"exe", "cwd", "root", "fd/0", "ns/mnt"};
    char key[64], path[64], target[4096];

    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        snprintf(key, sizeof(key), "peer.proc.%s", files[i]);
        snprintf(path, sizeof(path), "/proc/%d/%s", peer->pid, files[i]);
        say(key, "%s", outcome(open(path, O_RDONLY | O_CLOEXEC)));
    }
    for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++) {
        snprintf(key, sizeof(key), "peer.proc.%s", links[i]);
        snprintf(path, sizeof(path), "/proc/%d/%s", peer->pid, links[i]);
        say(key, "%s", outcome(readlink(path, target, sizeof(target))));
    }
}

static void say_same_namespaces(const struct card *peer)
{
    static const char *const names[] = {"cgroup", "ipc",  "mnt",  "net",
                                        "pid",    "time", "user", "uts"};
    char key[64], path[64];
    struct stat mine, theirs;

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        snprintf(key, sizeof(key), "peer.ns.%s", names[i]);
        snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
        int rc = stat(path, &mine);
        snprintf(path, sizeof(path), "/proc/%d/ns/%s", peer->pid, names[i]);
        rc = rc < 0 ? rc : stat(path, &theirs);
        say(key, "%s",
            rc < 0                         ? outcome(-1)
            : mine.st_ino == theirs.st_ino ? "the same"
                                           : "another");
    }
}

static void try_all(const struct card *peer)
{
    say("peer.signal", "%s", outcome(kill(peer->pid, 0)));
    say_read("peer.process_vm_readv", peer);
    say_write("peer.process_vm_writev", peer);
    say_file_of_peer("peer.tmp", peer->tmp);
    say_file_of_peer("peer.dev_shm", peer->shared);
    say_socket(peer);
    say_segment(peer);
    say_pidfd(peer);
    say_proc(peer);
    say_same_namespaces(peer);
    say("peer.session", "%s", getsid(peer->pid) == getsid(0) ? "the same" : "another");
    say_ptrace(peer);
}

void probe_peer(const char *directory, int rank)
{
    char path[4096];
    struct card mine = {.pid = getpid(), .secret = secret}, peer;

    make_file(mine.tmp, "/tmp", rank);
    make_file(mine.shared, "/dev/shm", rank);
    mine.shm = make_segment();
    snprintf(mine.name, sizeof(mine.name), "vitrine-probe.%d", getpid());
    mine.fd = listen_abstract(mine.name);
    snprintf(path, sizeof(path), "%s/card.%d", directory, rank);
    write_file(path, &mine, sizeof(mine));

    snprintf(path, sizeof(path), "%s/card.%d", directory, !rank);
    bool met = wait_for_file(path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    say("peer.met", "%s",
        met && read(fd, &peer, sizeof(peer)) == sizeof(peer) ? "yes" : "no");
    if (met)
        try_all(&peer);

    snprintf(path, sizeof(path), "%s/done.%d", directory, rank);
    write_file(path, "", 0);
    snprintf(path, sizeof(path), "%s/done.%d", directory, !rank);
    (void)wait_for_file(path);
    (void)shmctl(mine.shm, IPC_RMID, NULL);
    (void)unlink(mine.tmp);
    (void)unlink(mine.shared);
}
