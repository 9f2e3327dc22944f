// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a task may do: each act is tried in a child, so that none disturbs another. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <mqueue.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char *suid_program;
static const char *directory;

// ---- privileges that a task has not, or has over itself
// -------------------------------------

static long may_setuid(void)
{
    return setuid(0);
}

static long may_setgroups(void)
{
    return setgroups(0, NULL);
}

static long may_chroot(void)
{
    return chroot("/");
}

static long may_mount(void)
{
    return mount("none", "/tmp", "tmpfs", 0, NULL);
}

static long may_unmount(void)
{
    return umount2("/proc", MNT_DETACH);
}

static long may_unshare_user(void)
{
    return unshare(CLONE_NEWUSER);
}

static long may_unshare_user_and_mount(void)
{
    return unshare(CLONE_NEWUSER | CLONE_NEWNS);
}

static long may_mount_in_own_namespace(void)
{
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0
               ? -1
               : mount("none", directory, "tmpfs", 0, NULL);
}

static long may_mount_proc_in_own_namespace(void)
{
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID) < 0)
        return -1;
    pid_t child = fork();
    int status = 0;
    if (child == 0)
        _exit(mount("proc", directory, "proc", 0, NULL) < 0 ? errno : 0);
    (void)waitpid(child, &status, 0);
    errno = WEXITSTATUS(status);
    return errno ? -1 : 0;
}

static long may_unshare_mount(void)
{
    return unshare(CLONE_NEWNS);
}

static long may_raise_priority(void)
{
    return setpriority(PRIO_PROCESS, 0, -5);
}

static long may_lower_priority(void)
{
    return setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + 1);
}

static long may_be_real_time(void)
{
    return sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
}

static long may_raise_limit(void)
{
    struct rlimit limit;
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_max++;
    return setrlimit(RLIMIT_NOFILE, &limit);
}

static long may_lower_oom_score(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY);
    return write(fd, "-500", 4);
}

static long may_write_sysctl(void)
{
    return open("/proc/sys/kernel/hostname", O_WRONLY);
}

static long may_signal_init(void)
{
    return kill(1, 0);
}

static long may_signal_parents_parent(void)
{
    return kill(getppid(), 0);
}

static long may_gain_root_by_setuid(void)
{
    pid_t child = fork();
    int status = 0;
    if (child == 0) {
        execl(suid_program, suid_program, "--euid", NULL);
        _exit(2);
    }
    (void)waitpid(child, &status, 0);
    errno = EPERM;
    return WEXITSTATUS(status) == 0 ? 0 : -1;
}

// ---- system calls which a container often takes away
// -----------------------------------------

static long may_inotify(void)
{
    return inotify_add_watch(inotify_init1(0), directory, IN_CREATE);
}

static long may_epoll(void)
{
    struct epoll_event event = {.events = EPOLLIN};
    return epoll_ctl(epoll_create1(0), EPOLL_CTL_ADD, eventfd(1, 0), &event);
}

static long may_timerfd(void)
{
    return timerfd_create(CLOCK_MONOTONIC, 0);
}

static long may_memfd(void)
{
    return memfd_create("probe", MFD_CLOEXEC);
}

static long may_pidfd(void)
{
    return syscall(SYS_pidfd_open, getppid(), 0);
}

static long may_userfaultfd(void)
{
    return syscall(SYS_userfaultfd, 0);
}

static long may_perf(void)
{
    char attr[128] = {1, 0, 0, 0, sizeof(attr)};
    return syscall(SYS_perf_event_open, attr, 0, -1, -1, 0);
}

static long may_io_uring(void)
{
    char params[120] = {0};
    return syscall(SYS_io_uring_setup, 4, params);
}

static long may_bpf(void)
{
    return syscall(SYS_bpf, 0, NULL, 0);
}

static long may_add_key(void)
{
    return syscall(SYS_add_key, "user", "vitrine-probe", "x", 1, -1);
}

static long may_ptrace_child(void)
{
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    long rc = ptrace(PTRACE_SEIZE, child, 0, 0);
    int saved = errno;
    (void)kill(child, SIGKILL);
    errno = saved;
    return rc;
}

static long may_lock_memory(void)
{
    static char page[8192];
    return mlock(page, sizeof(page));
}

static long may_map_huge(void)
{
    return mmap(NULL, 2 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1,
                0) == MAP_FAILED
               ? -1
               : 0;
}

static long may_sysv_shm(void)
{
    int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
    return id < 0 ? -1 : shmctl(id, IPC_RMID, NULL);
}

static long may_posix_shm(void)
{
    char name[64];
    snprintf(name, sizeof(name), "/vitrine-probe.%d", getpid());
    return shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600) < 0 ? -1 : shm_unlink(name);
}

static long may_semaphore(void)
{
    char name[64];
    snprintf(name, sizeof(name), "/vitrine-probe.%d", getpid());
    return sem_open(name, O_CREAT | O_EXCL, 0600, 1) == SEM_FAILED ? -1
                                                                   : sem_unlink(name);
}

static long may_message_queue(void)
{
    char name[64];
    snprintf(name, sizeof(name), "/vitrine-probe.%d", getpid());
    return mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, NULL) < 0 ? -1
                                                                    : mq_unlink(name);
}

static long may_raw_socket(void)
{
    return socket(AF_INET, SOCK_RAW, 1);
}

static long may_ping_socket(void)
{
    return socket(AF_INET, SOCK_DGRAM, 1);
}

static long may_netlink(void)
{
    return socket(AF_NETLINK, SOCK_RAW, 0);
}

static long may_pseudo_terminal(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    char *name = master < 0 || grantpt(master) < 0 || unlockpt(master) < 0
                     ? NULL
                     : ptsname(master);
    return name ? open(name, O_RDWR | O_NOCTTY) : -1;
}

static long may_open_tty(void)
{
    return open("/dev/tty", O_RDWR);
}

static long may_write_null(void)
{
    int fd = open("/dev/null", O_WRONLY);
    return write(fd, "", 1);
}

static long may_read_random(void)
{
    char byte;
    int fd = open("/dev/urandom", O_RDONLY);
    return read(fd, &byte, 1);
}

static long may_see_parent(void)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/status", getppid());
    return open(path, O_RDONLY);
}

// ---- tables
// ----------------------------------------------------------------------------------

static const struct act acts[] = {
    {"setuid", may_setuid},
    {"setgroups", may_setgroups},
    {"chroot", may_chroot},
    {"mount", may_mount},
    {"unmount", may_unmount},
    {"unshare.mount", may_unshare_mount},
    {"unshare.user", may_unshare_user},
    {"unshare.user_mount", may_unshare_user_and_mount},
    {"userns.mount", may_mount_in_own_namespace},
    {"userns.mount_proc", may_mount_proc_in_own_namespace},
    {"raise_priority", may_raise_priority},
    {"lower_priority", may_lower_priority},
    {"real_time", may_be_real_time},
    {"raise_limit", may_raise_limit},
    {"lower_oom_score", may_lower_oom_score},
    {"write_sysctl", may_write_sysctl},
    {"signal_init", may_signal_init},
    {"signal_parent", may_signal_parents_parent},
    {"setuid_program", may_gain_root_by_setuid},
    {"inotify", may_inotify},
    {"epoll", may_epoll},
    {"timerfd", may_timerfd},
    {"memfd", may_memfd},
    {"pidfd", may_pidfd},
    {"userfaultfd", may_userfaultfd},
    {"perf", may_perf},
    {"io_uring", may_io_uring},
    {"bpf", may_bpf},
    {"add_key", may_add_key},
    {"ptrace_child", may_ptrace_child},
    {"mlock", may_lock_memory},
    {"huge_pages", may_map_huge},
    {"sysv_shm", may_sysv_shm},
    {"posix_shm", may_posix_shm},
    {"semaphore", may_semaphore},
    {"message_queue", may_message_queue},
    {"raw_socket", may_raw_socket},
    {"ping_socket", may_ping_socket},
    {"netlink", may_netlink},
    {"pseudo_terminal", may_pseudo_terminal},
    {"open_tty", may_open_tty},
    {"write_null", may_write_null},
    {"read_random", may_read_random},
    {"see_parent", may_see_parent},
};

void attempt(const char *prefix, const struct act *act)
{
    char key[128];
    int status = 0;
    pid_t child = fork();

    if (child == 0)
        _exit(act->act() < 0 ? errno : 0);
    (void)waitpid(child, &status, 0);
    errno = WEXITSTATUS(status);
    snprintf(key, sizeof(key), "may.%s%s", prefix, act->name);
    if (WIFSIGNALED(status))
        say(key, "signal %d", WTERMSIG(status));
    else
        say(key, "%s", outcome(errno ? -1 : 0));
}

void probe_permissions(const char *suid)
{
    const char *home = getenv("HOME");

    suid_program = suid ? suid : "/none";
    directory = home ? home : "/";
    for (size_t i = 0; i < sizeof(acts) / sizeof(*acts); i++)
        attempt("", &acts[i]);
}
