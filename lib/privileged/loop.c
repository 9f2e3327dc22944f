/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as root, on a descriptor that the user opened.
 *
 * Finding a device to share is safe because: the device is held open first, which keeps
 * the kernel from clearing it; its backing file's device and inode numbers, offset and
 * flags are then asked of that descriptor, so nothing can change between check and use;
 * and the file cannot have been deleted and its inode number used again, since the loop
 * device holds it. Only root could reconfigure it meanwhile (LOOP_CLR_FD,
 * LOOP_CHANGE_FD).
 */
#include "privileged/loop.h"
#include "base/cleanup.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/loop.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#define LOOP_FLAGS (LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR)

/* Times that a free device may be taken by somebody else before we give up. */
#define LOOP_RETRIES 64

/* 1 s in all; whoever has the lock needs less than 1 ms, but many may start at once. */
#define LOCK_TRIES    2000
#define LOCK_PAUSE_NS 500000

static int open_device(int number)
{
    char path[sizeof("/dev/loop") + 12];

    (void)snprintf(path, sizeof(path), "/dev/loop%d", number);
    return open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

/* The kernel's huge_encode_dev() (include/linux/kdev_t.h), as lo_device is written. */
static uint64_t encode_dev(dev_t dev)
{
    uint64_t major_nr = major(dev), minor_nr = minor(dev);

    return (minor_nr & 0xff) | (major_nr << 8) | ((minor_nr & ~0xffULL) << 12);
}

static bool serves(int device, const struct stat *image, uint64_t offset)
{
    struct loop_info64 info;

    return ioctl(device, LOOP_GET_STATUS64, &info) == 0 &&
           info.lo_device == encode_dev(image->st_dev) &&
           info.lo_inode == image->st_ino && info.lo_offset == offset &&
           info.lo_sizelimit == 0 && (info.lo_flags & LOOP_FLAGS) == LOOP_FLAGS;
}

/* Looks through the configured devices; -ENOENT if none serves the image. */
static neg_errno find_shared(const struct stat *image, uint64_t offset, int *ret_number)
{
    cleanup_dir DIR *dir = opendir("/sys/devices/virtual/block");
    char attr[NAME_MAX + 32];

    if (!dir)
        return -ENOENT;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char *end;

        if (strncmp(entry->d_name, "loop", 4) != 0)
            continue;
        long number = strtol(entry->d_name + 4, &end, 10);
        (void)snprintf(attr, sizeof(attr), "%s/loop/backing_file", entry->d_name);
        if (*end || number < 0 || number > INT_MAX ||
            faccessat(dirfd(dir), attr, F_OK, 0) < 0)
            continue;
        cleanup_fd int device = open_device((int)number);
        if (device >= 0 && serves(device, image, offset)) {
            *ret_number = (int)number;
            return steal_fd(&device);
        }
    }
    return -ENOENT;
}

static neg_errno configure_new(int control, int image, uint64_t offset, int *ret_number)
{
    struct loop_config config = {
        .fd = (uint32_t)image,
        .info = {.lo_offset = offset, .lo_flags = LOOP_FLAGS},
    };

    for (int tries = 0; tries < LOOP_RETRIES; tries++) {
        int number = ioctl(control, LOOP_CTL_GET_FREE);

        if (number < 0)
            return -errno;
        cleanup_fd int device = open_device(number);
        if (device < 0)
            return -errno;
        if (ioctl(device, LOOP_CONFIGURE, &config) == 0) {
            *ret_number = number;
            return steal_fd(&device);
        }
        if (errno != EBUSY)
            return -errno;
    }
    return -EBUSY;
}

/*
 * Two steps that start at once find each other's device. The holder has the lock for the
 * time of a few calls, but its user, or a suspended job, may have stopped it there:
 * nobody waits for that. Without the lock an image may get a second device, no more.
 */
static void lock(int control)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};

    for (int tries = 0; tries < LOCK_TRIES && flock(control, LOCK_EX | LOCK_NB) < 0;
         tries++)
        (void)nanosleep(&pause, NULL);
}

neg_errno loop_attach(int image, uint64_t offset, int *ret_number)
{
    struct stat st;
    cleanup_fd int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC | O_NOFOLLOW);

    if (control < 0 || fstat(image, &st) < 0)
        return -errno;
    lock(control);
    int device = find_shared(&st, offset, ret_number);

    return device >= 0 ? device : configure_new(control, image, offset, ret_number);
}
