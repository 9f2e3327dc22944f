/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_H
#define VITRINE_H

/*
 * libvitrine: puts processes inside a container image that is a SquashFS file, a SIF file
 * or a directory, with a mount namespace and, only where it is asked for, others. See
 * libvitrine(3).
 *
 * The library knows nothing of Slurm, keeps no global state, never prints, never exits,
 * and reports each failure as one sentence in a struct vitrine_error.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VITRINE_PUBLIC __attribute__((visibility("default")))

/* What kind of failure; callers may switch on it. */
enum vitrine_errcode {
    VITRINE_OK = 0,
    VITRINE_EINTERNAL,    /* a system call failed that should not */
    VITRINE_ECONFIG,      /* vitrine.conf is wrong */
    VITRINE_EUSAGE,       /* an option value is wrong */
    VITRINE_ENOIMAGE,     /* no such image */
    VITRINE_EPERM,        /* the user may not read it */
    VITRINE_EFORMAT,      /* not an image, truncated, corrupt, encrypted */
    VITRINE_EUNSUPPORTED, /* image is fine, but this node cannot run it */
    VITRINE_EMOUNT,       /* mounting or assembling the root failed */
    VITRINE_EPOLICY,      /* the administrator forbids it */
    VITRINE_ENETWORK,     /* a registry is not reached, or does not answer as it should */
    VITRINE_ECACHE,       /* the cache of imported images cannot be used here */
};

struct vitrine_error {
    enum vitrine_errcode code;
    int sys_errno;   /* the cause, or 0 */
    char text[1024]; /* one printable sentence; ends in '+' if it was cut */
};

/*
 * Set *err and return -1. err may be NULL. errno is preserved. vitrine_fail_sys() appends
 * ": " and the text of errno; vitrine_wrap() puts a prefix and ": " before what is there.
 * Thread-safe for distinct objects.
 */
VITRINE_PUBLIC int vitrine_fail(struct vitrine_error *err, enum vitrine_errcode code,
                                const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
VITRINE_PUBLIC int vitrine_fail_sys(struct vitrine_error *err, enum vitrine_errcode code,
                                    const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
VITRINE_PUBLIC int vitrine_wrap(struct vitrine_error *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* --- who the user is ------------------------------------------------------------------
 */

struct vitrine_group {
    gid_t gid;
    const char *name; /* NULL: the host has no name for it */
};

/* All borrowed; user, gecos, home and shell may be NULL where the host knows none. */
struct vitrine_identity {
    uid_t uid;
    gid_t gid;
    const char *user, *gecos, *home, *shell;
    const struct vitrine_group *groups; /* the primary group among them */
    size_t ngroups;
};

/* --- what the administrator wants: vitrine.conf(5) ------------------------------------
 */

struct vitrine_config;

/*
 * Reads and checks a configuration file. A file that is missing is an error only with
 * must_exist; otherwise *ret holds the defaults. Free it with vitrine_config_free().
 */
VITRINE_PUBLIC int vitrine_config_load(const char *path, bool must_exist,
                                       struct vitrine_config **ret,
                                       struct vitrine_error *err);
VITRINE_PUBLIC void vitrine_config_free(struct vitrine_config *config);

/*
 * The image that a partition (NULL or "": none in particular) has by default, or NULL.
 * *ret_required says whether users may leave it. Borrowed from config.
 */
VITRINE_PUBLIC const char *vitrine_config_image(const struct vitrine_config *config,
                                                const char *partition,
                                                bool *ret_required);

/* Whether any partition requires its image, so that the partition must be known for sure.
 */
VITRINE_PUBLIC bool vitrine_config_has_required(const struct vitrine_config *config);

/* --- what the user wants --------------------------------------------------------------
 */

/* What the text of an image reference says. */
enum vitrine_image_kind {
    VITRINE_IMAGE_NONE,     /* "none": no container */
    VITRINE_IMAGE_FILE,     /* a file or a directory */
    VITRINE_IMAGE_NAME,     /* the same; or with Compat=pyxis, if there is none of that
                               name, an image in a registry */
    VITRINE_IMAGE_IMPORTED, /* in a registry, an OCI layout or an archive: it has to be
                               imported */
};

/* Checks the text without looking for the image: its length and its form. */
VITRINE_PUBLIC int vitrine_image_check(const char *image, enum vitrine_image_kind *ret,
                                       struct vitrine_error *err);

/* Where nothing else is said, a zero leaves the choice to vitrine.conf. */
enum vitrine_choice { VITRINE_UNSET, VITRINE_NO, VITRINE_YES };

enum vitrine_root {
    VITRINE_ROOT_UNSET,
    VITRINE_ROOT_READONLY,
    VITRINE_ROOT_WRITABLE, /* one writable layer for all tasks of the node */
    VITRINE_ROOT_PRIVATE,  /* one for each task: each calls vitrine_prepare() */
};

/* What becomes of a named container. */
enum vitrine_start {
    VITRINE_START_AUTO,    /* joined if it runs, else started, else created */
    VITRINE_START_CREATE,  /* an error if it exists */
    VITRINE_START_EXEC,    /* an error unless it runs */
    VITRINE_START_NO_EXEC, /* never joined, but started with mounts of its own */
};

enum vitrine_unshare {
    VITRINE_UNSHARE_NET = 1 << 0, /* a network of its own, with a loopback device */
    VITRINE_UNSHARE_IPC = 1 << 1, /* System V IPC, POSIX queues, /dev/shm */
    VITRINE_UNSHARE_UTS = 1 << 2, /* host name */
};

/*
 * Checks the text of --container-mounts, "SRC[:DST[:FLAG+FLAG...]],...", without looking
 * for the files, and the name of a container.
 */
VITRINE_PUBLIC int vitrine_mounts_check(const char *mounts, struct vitrine_error *err);
VITRINE_PUBLIC int vitrine_name_check(const char *name, struct vitrine_error *err);

#define VITRINE_DIGEST_MAX 72 /* "sha256:" and 64 digits, with NUL */

/* What an import says on standard error. */
enum vitrine_talk {
    VITRINE_TALK_LINES, /* a line now and then, if it takes long */
    VITRINE_TALK_BAR,   /* a progress bar, if that is a terminal */
    VITRINE_TALK_NOT,
};

/* All borrowed. Zero it, then set what is known: new members are optional ones. */
struct vitrine_spec {
    const char *image;        /* as the user wrote it; NULL: that of `container` */
    const char *image_digest; /* of an image that is imported, as vitrine_import_early()
                                 told it: no other is then used; or NULL */
    int64_t until;            /* an imported image is needed until then, in seconds since
                                 1970; 0: nobody knows */
    enum vitrine_talk talk;
    const char *const *search; /* directories where a relative image is looked up, in
                                  their order, NULL-terminated */
    const char *cwd;           /* where the tasks shall start */
    const char *const *binds;  /* more host paths that shall appear at their own place,
                                  NULL-terminated; passed over where the host has nothing,
                                  or where an image's operating system has something */
    const char *const *host_commands; /* absolute paths of host programs that shall work
                                  inside whatever C library the image has, with libraries
                                  and plugins from where the calling process has its own;
                                  NULL-terminated, may be NULL */
    const char *const *host_files; /* what these commands need, as binds, but of these the
                                  host's hide the image's */
    const char *const *scripts;    /* host scripts that will be run inside, at their own
                                  path: shown, and missed interpreters are told in
                                  vitrine_ready.remark; NULL-terminated, may be NULL */
    const char *const *environ;    /* of the tasks, "NAME=VALUE", NULL-terminated */
    const char *const *keep_env;   /* names of variables of which the image's value does
                                  not count, NULL-terminated, may be NULL */
    const char *mounts;            /* as --container-mounts says them, or NULL */
    const char *workdir;           /* in the container, or NULL */
    const char *container;         /* the name of a container, or NULL */
    const char *job;               /* what a container of a job's scope belongs to */
    const char *step;              /* "JOB.STEP": by this name others may join */
    enum vitrine_start start;
    enum vitrine_choice mount_home, remap_root, entrypoint;
    bool entrypoint_log; /* what the entry point says goes to standard error */
    enum vitrine_root root;
    unsigned unshare; /* of enum vitrine_unshare */
    const char *save; /* a file to which the container shall be saved, or NULL */
    int server_log;   /* write end of a pipe: the FUSE server holds it as long as it
                         lives, and reports there; -1 without */
    struct vitrine_identity identity;
};

/* --- images that are imported ---------------------------------------------------------
 */

/*
 * For a user who asks for a job: makes sure that spec->image is in the cache of images,
 * so that no node waits for it, and tells the digest that the job's steps should give as
 * spec->image_digest. *ret_digest is "" where there is nothing to import, or where that
 * is the nodes' business: with ImportOn=node, or if only they can tell whether there is a
 * file of that name. VITRINE_ECACHE: this host cannot, but a node may.
 *
 * Of spec it takes image, image_digest, search, environ, identity.user, identity.home and
 * talk. Runs the program vitrine-import, which is in the caller's process group and ends
 * with him.
 */
VITRINE_PUBLIC int vitrine_import_early(const struct vitrine_config *config,
                                        const struct vitrine_spec *spec,
                                        char ret_digest[VITRINE_DIGEST_MAX],
                                        struct vitrine_error *err);

/* --- containers -----------------------------------------------------------------------
 */

/* What holds a container while it is prepared or runs. */
enum {
    VITRINE_FD_MNT, /* namespaces; the mount namespace is always there */
    VITRINE_FD_USER,
    VITRINE_FD_NET,
    VITRINE_FD_IPC,
    VITRINE_FD_UTS,
    VITRINE_FD_ENVIRON, /* what becomes of the environment: vitrine_environ_each() */
    VITRINE_FD_LOCK,    /* says that a named container runs, as long as somebody has it */
    VITRINE_FD_SAVE,    /* who waits to save it: vitrine_save() */
    VITRINE_FD_SAVE_ANSWERS,
    VITRINE_FD_SAVE_PID,
    VITRINE_FDS,
};

/* Descriptors, close-on-exec, or -1. They may be passed to other processes; when the last
 * copy is closed and the last process inside has ended, the kernel frees everything. */
struct vitrine_container {
    int fd[VITRINE_FDS];
};

/* What the tasks of a prepared container need to know; holds no pointer. */
struct vitrine_ready {
    bool by_fuse;        /* the image is served by FUSE */
    bool mounts_by_fuse; /* a SquashFS of its mounts is */
    bool fake_root;      /* tasks are root in a namespace of the user's */
    bool fake_ids;       /* and have no other id than that */
    bool pytorch;        /* Compat=pyxis, and the image is for PyTorch */
    char workdir[4096];  /* where tasks start; "": where they are */
    char image[4096];    /* the image file that was found; or what was imported, as the
                            user wrote it */
    char remark[1024];   /* a line for the user, or "" */
};

/*
 * Keeps, in a single-threaded process that runs as root and is about to become the user,
 * the capabilities that vitrine_prepare() and vitrine_join() take. They are not effective
 * until then.
 */
VITRINE_PUBLIC int vitrine_keep_privilege(struct vitrine_error *err);

/*
 * As root, before a process becomes the user: makes a place for the named containers of a
 * user, or of one of his jobs, on this node. vitrine_prepare() needs it for
 * spec->container.
 */
VITRINE_PUBLIC int vitrine_make_room(const struct vitrine_config *config, uid_t uid,
                                     gid_t gid, const char *job,
                                     struct vitrine_error *err);

/*
 * As root, when a job has ended: removes its named containers, and those of jobs that
 * were there before the node was started last. With job NULL only the latter.
 */
VITRINE_PUBLIC int vitrine_remove_room(const struct vitrine_config *config,
                                       const char *job, struct vitrine_error *err);

/*
 * Prepares a container: finds and opens the image with the user's own rights, mounts it,
 * assembles its root; or finds the one that runs. Call it once per node and step, as the
 * user. Nothing has to be cleaned up but the descriptors in *ret. Waits on the image's
 * file system, and for others who prepare the same named container.
 */
VITRINE_PUBLIC int vitrine_prepare(const struct vitrine_config *config,
                                   const struct vitrine_spec *spec,
                                   struct vitrine_container *ret,
                                   struct vitrine_ready *ret_ready,
                                   struct vitrine_error *err);

/*
 * Moves the calling process into a prepared container, gives up every privilege for good
 * (a fake root keeps that in his own namespace) and sets no_new_privs, also if it fails.
 * The working directory is "/" afterwards.
 */
VITRINE_PUBLIC int vitrine_join(const struct vitrine_container *container,
                                const struct vitrine_ready *ready,
                                struct vitrine_error *err);

/* Closes all descriptors. */
VITRINE_PUBLIC void vitrine_close(struct vitrine_container *container);

/* Saves a container to the file that its spec named, once its tasks have ended, and waits
 * for that, or until the other end of the pipe `until` (-1 without) is closed. For any
 * process that has its descriptors; nothing is saved any more when all are closed. */
VITRINE_PUBLIC int vitrine_save(const struct vitrine_container *container, int until,
                                struct vitrine_error *err);

/* Gives up what vitrine_keep_privilege() kept, for a task that joins no container. */
VITRINE_PUBLIC int vitrine_drop_privilege(struct vitrine_error *err);

/* --- their environment ----------------------------------------------------------------
 */

/*
 * Calls `each` for each change that the environment of a task needs, as a file holds it
 * that was made for all tasks of the node: `value` NULL means that the variable has to be
 * unset. Tasks that share the descriptor, and its offset, may do so at once. If `each`
 * returns false that is the end, and an error.
 */
VITRINE_PUBLIC int vitrine_environ_each(int fd,
                                        bool (*each)(void *arg, const char *name,
                                                     const char *value),
                                        void *arg, struct vitrine_error *err);

/*
 * For tasks that stay on the host though their environment `env` ("NAME=VALUE",
 * NULL-terminated) may come from inside a container: writes the changes that undo this to
 * the empty file `fd`. None if it does not.
 */
VITRINE_PUBLIC int vitrine_environ_restore(const char *const *env, int fd,
                                           struct vitrine_error *err);

#ifdef __cplusplus
}
#endif

#endif
