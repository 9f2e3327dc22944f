/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user or as root, on texts that a user wrote. The words are those of
 * fstab(5) and of enroot, so that mounts written for pyxis mean the same here.
 */
#include "spec/mountflags.h"
#include "base/closest.h"
#include "base/syscalls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Which kinds of entry take a flag. */
#define BIND     (1U << MOUNTSPEC_BIND)
#define TMPFS    (1U << MOUNTSPEC_TMPFS)
#define UMOUNT   (1U << MOUNTSPEC_UMOUNT)
#define SQUASHFS (1U << MOUNTSPEC_SQUASHFS)
#define MOUNT    (BIND | TMPFS | SQUASHFS)

enum effect {
    NONE,
    ATTRIBUTE,
    PROPAGATION,
    RPROPAGATION, /* also of the mounts below */
    RECURSIVE,
    NOT_RECURSIVE,
    CREATE,
    NOFAIL,
    SILENT,
};

struct flag {
    const char *word;
    unsigned kinds;
    enum effect effect;
    uint64_t set, clear; /* MOUNT_ATTR_*; of other effects `set` is the value */
};

/* In the order of spank_vitrine(8). */
static const struct flag flags_known[] = {
    {"ro", MOUNT, ATTRIBUTE, MOUNT_ATTR_RDONLY, 0},
    {"rw", BIND | TMPFS, ATTRIBUTE, 0, MOUNT_ATTR_RDONLY},
    {"exec", MOUNT, ATTRIBUTE, 0, MOUNT_ATTR_NOEXEC},
    {"noexec", MOUNT, ATTRIBUTE, MOUNT_ATTR_NOEXEC, 0},
    {"nosuid", MOUNT, ATTRIBUTE, MOUNT_ATTR_NOSUID, 0},
    {"nodev", MOUNT, ATTRIBUTE, MOUNT_ATTR_NODEV, 0},
    {"nosymfollow", MOUNT, ATTRIBUTE, MOUNT_ATTR_NOSYMFOLLOW, 0},
    {"noatime", MOUNT, ATTRIBUTE, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
    {"relatime", MOUNT, ATTRIBUTE, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    {"strictatime", MOUNT, ATTRIBUTE, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    {"nodiratime", MOUNT, ATTRIBUTE, MOUNT_ATTR_NODIRATIME, 0},
    {"defaults", MOUNT, NONE, 0, 0},
    {"bind", BIND, NOT_RECURSIVE, 0, 0},
    {"rbind", BIND, RECURSIVE, 0, 0},
    {"private", MOUNT, PROPAGATION, MS_PRIVATE, 0},
    {"rprivate", MOUNT, RPROPAGATION, MS_PRIVATE, 0},
    {"slave", MOUNT, PROPAGATION, MS_SLAVE, 0},
    {"rslave", MOUNT, RPROPAGATION, MS_SLAVE, 0},
    {"unbindable", MOUNT, PROPAGATION, MS_UNBINDABLE, 0},
    {"runbindable", MOUNT, RPROPAGATION, MS_UNBINDABLE, 0},
    {"squashfs", BIND | SQUASHFS, NONE, 0, 0},
    {"sqsh", BIND | SQUASHFS, NONE, 0, 0}, /* the word of CSCS's Container Engine */
    {"x-create=auto", MOUNT, CREATE, MOUNTSPEC_CREATE_AUTO, 0},
    {"x-create=dir", MOUNT, CREATE, MOUNTSPEC_CREATE_DIR, 0},
    {"x-create=file", BIND, CREATE, MOUNTSPEC_CREATE_FILE, 0},
    {"x-detach", UMOUNT, NONE, 0, 0}, /* as it is always done */
    {"nofail", MOUNT | UMOUNT, NOFAIL, 0, 0},
    {"silent", MOUNT | UMOUNT, SILENT, 0, 0},
};

static const struct {
    const char *word, *reason;
} refused[] = {
    {"suid", "programs gain no privilege in a container"},
    {"dev", "a mount shows no other devices than the host's own path does"},
    {"shared", "mounts of a container are never passed on to the host"},
    {"rshared", "mounts of a container are never passed on to the host"},
    {"x-move", "the host's mounts stay where they are; use rbind"},
    {"move", "the host's mounts stay where they are; use rbind"},
    {"remount", "give the flags to the mount itself"},
};

static const char *name_of(enum mountspec_kind kind)
{
    static const char *const names[] = {
        [MOUNTSPEC_BIND] = "the mount of a host path",
        [MOUNTSPEC_TMPFS] = "a tmpfs",
        [MOUNTSPEC_UMOUNT] = "an umount",
        [MOUNTSPEC_SQUASHFS] = "a SquashFS",
    };

    return names[kind];
}

static const struct flag *find(const char *word)
{
    for (size_t i = 0; i < COUNT(flags_known); i++)
        if (strcmp(flags_known[i].word, word) == 0)
            return &flags_known[i];
    return NULL;
}

static int fail_unknown(const struct mountspec *spec, const char *word,
                        struct vitrine_error *err)
{
    const char *names[COUNT(flags_known)];
    size_t count = 0;

    for (size_t i = 0; i < COUNT(flags_known); i++)
        if (flags_known[i].kinds & (1U << spec->kind))
            names[count++] = flags_known[i].word;
    const char *closest = closest_name(word, names, count);
    return mountspec_fail(spec, err, VITRINE_EUSAGE, 0, "unknown flag '%.100s'%s%s%s",
                          word, closest ? "; did you mean '" : "", closest ? closest : "",
                          closest ? "'?" : "");
}

static int add_data(struct mountspec *spec, const char *word, struct vitrine_error *err)
{
    char *data;

    if (asprintf(&data, "%s%s%s", spec->data ? spec->data : "", spec->data ? "," : "",
                 word) < 0)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    free(spec->data);
    spec->data = data;
    return 0;
}

/* Of flags that contradict each other the last one counts, as in mount(8). */
static void apply(struct mountspec *spec, const struct flag *flag)
{
    switch (flag->effect) {
    case NONE:
        break;
    case ATTRIBUTE:
        spec->attr_set = (spec->attr_set & ~flag->clear) | flag->set;
        spec->attr_clear = (spec->attr_clear & ~flag->set) | flag->clear;
        break;
    case PROPAGATION:
    case RPROPAGATION:
        spec->propagation = flag->set;
        spec->propagation_recursive = flag->effect == RPROPAGATION;
        break;
    case RECURSIVE:
    case NOT_RECURSIVE:
        spec->recursive = flag->effect == RECURSIVE;
        break;
    case CREATE:
        spec->create = (enum mountspec_create)flag->set;
        break;
    case NOFAIL:
        spec->nofail = true;
        break;
    case SILENT:
        spec->silent = true;
        break;
    }
}

static int apply_word(struct mountspec *spec, const char *word, struct vitrine_error *err)
{
    const struct flag *flag = find(word);

    if (word[0] == '\0')
        return mountspec_fail(spec, err, VITRINE_EUSAGE, 0,
                              "there is an empty flag; write FLAG or FLAG+FLAG");
    for (size_t i = 0; i < COUNT(refused); i++)
        if (strcmp(word, refused[i].word) == 0)
            return mountspec_fail(spec, err, VITRINE_EUSAGE, 0,
                                  "the flag %s cannot be given: %s", word,
                                  refused[i].reason);
    if (flag && !(flag->kinds & (1U << spec->kind)))
        return mountspec_fail(spec, err, VITRINE_EUSAGE, 0, "the flag %s is not for %s",
                              word, name_of(spec->kind));
    if (flag)
        apply(spec, flag);
    else if (spec->kind == MOUNTSPEC_TMPFS && strncmp(word, "x-", 2) != 0)
        return add_data(spec, word, err);
    else
        return fail_unknown(spec, word, err);
    return 0;
}

/* Whether a file's content is meant: it decides what the other flags mean. */
static bool wants_content(const char *flags)
{
    for (const char *p = flags;; p++) {
        size_t n = strcspn(p, "+");

        if ((n == 8 && strncmp(p, "squashfs", n) == 0) ||
            (n == 4 && strncmp(p, "sqsh", n) == 0))
            return true;
        p += n;
        if (*p == '\0')
            return false;
    }
}

int mountflags_apply(struct mountspec *spec, char *flags, struct vitrine_error *err)
{
    if (spec->kind == MOUNTSPEC_BIND && wants_content(flags)) {
        spec->kind = MOUNTSPEC_SQUASHFS;
        spec->recursive = false;
    }
    for (char *word; (word = strsep(&flags, "+"));)
        if (apply_word(spec, word, err) < 0)
            return -1;
    return 0;
}
