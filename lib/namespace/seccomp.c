/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs in each task of a fake root, as the user inside of his namespace.
 *
 * The filter is put together at run time and not exported by libseccomp when Vitrine is
 * built, because it depends on the user: chgrp(1) to a project group must do what it
 * says, and the groups are not known earlier. It costs other calls next to nothing: the
 * kernel remembers which are always allowed (Linux 5.11).
 */
#include "namespace/seccomp.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "base/syscalls.h"

#include <endian.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

enum answer {
    ANSWER_ALLOW,   /* the kernel's own */
    ANSWER_DONE,    /* success, and nothing is done */
    ANSWER_CHOWN,   /* ids are arguments 1 and 2: done if it can be */
    ANSWER_CHOWNAT, /* 2 and 3 */
    ANSWER_MKNOD,   /* mode and device are arguments 1 and 2: done unless a device */
    ANSWER_MKNODAT, /* 2 and 3 */
    ANSWERS
};

struct call {
    uint32_t arch; /* as in struct seccomp_data */
    int number;
    enum answer answer;
};

#include "namespace/seccomp-numbers.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What a group is that is not mapped: /proc/sys/kernel/overflowgid. */
#define OVERFLOW_GID 65534

#define LOAD_ARG(n)                                                                      \
    (offsetof(struct seccomp_data, args) + (n) * sizeof(uint64_t) +                      \
     (__BYTE_ORDER == __BIG_ENDIAN ? sizeof(uint32_t) : 0)) /* its lower half */

struct program {
    struct sock_filter code[BPF_MAXINSNS];
    size_t n;
    bool full;
};

static void emit(struct program *p, uint16_t op, uint8_t jt, uint8_t jf, size_t k)
{
    if (p->n == BPF_MAXINSNS)
        p->full = true;
    else
        p->code[p->n++] = (struct sock_filter){op, jt, jf, (uint32_t)k};
}

static void load(struct program *p, size_t offset)
{
    emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, offset);
}

static void give(struct program *p, enum answer answer)
{
    emit(p, BPF_RET | BPF_K, 0, 0,
         answer == ANSWER_ALLOW ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO);
}

/* Goes on with the next two instructions if the loaded value is not `value`, and else
 * ends with an answer. */
static void give_if(struct program *p, uint32_t value, enum answer answer)
{
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, value);
    give(p, answer);
}

static void emit_chown(struct program *p, size_t arg, const gid_t *groups, size_t n)
{
    load(p, LOAD_ARG(arg));
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, 2, 0, 0);
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, UINT32_MAX);
    give(p, ANSWER_DONE);
    load(p, LOAD_ARG(arg + 1));
    give_if(p, 0, ANSWER_ALLOW);
    give_if(p, UINT32_MAX, ANSWER_ALLOW);
    for (size_t i = 0; i < n; i++)
        if (groups[i] != OVERFLOW_GID)
            give_if(p, groups[i], ANSWER_ALLOW);
    give(p, ANSWER_DONE);
}

static void emit_mknod(struct program *p, size_t arg)
{
    load(p, LOAD_ARG(arg));
    emit(p, BPF_ALU | BPF_AND | BPF_K, 0, 0, S_IFMT);
    give_if(p, S_IFBLK, ANSWER_DONE);
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, S_IFCHR);
    give(p, ANSWER_ALLOW);
    /* 0:0 is no device but overlayfs's mark of a deleted file, and free to all. */
    load(p, LOAD_ARG(arg + 1));
    give_if(p, 0, ANSWER_ALLOW);
    give(p, ANSWER_DONE);
}

/* Where each answer is, to which the calls jump that come before it. */
static void emit_answers(struct program *p, const gid_t *groups, size_t n,
                         size_t at[ANSWERS])
{
    for (enum answer answer = ANSWER_ALLOW; answer < ANSWERS; answer++) {
        at[answer] = p->n;
        if (answer == ANSWER_ALLOW || answer == ANSWER_DONE)
            give(p, answer);
        else if (answer == ANSWER_CHOWN || answer == ANSWER_CHOWNAT)
            emit_chown(p, answer == ANSWER_CHOWN ? 1 : 2, groups, n);
        else
            emit_mknod(p, answer == ANSWER_MKNOD ? 1 : 2);
    }
}

/* For each call: go on if it is another, else jump to its answer. Those of one
 * architecture follow each other, behind a question for it. */
static void emit_filter(struct program *p, const gid_t *groups, size_t n)
{
    size_t jump[COUNT(calls)], skip = 0, at[ANSWERS];
    uint32_t arch = 0;

    for (size_t i = 0; i < COUNT(calls); i++) {
        if (calls[i].arch != arch) {
            arch = calls[i].arch;
            if (i > 0)
                p->code[skip].k = (uint32_t)(p->n - skip - 1);
            load(p, offsetof(struct seccomp_data, arch));
            emit(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, arch);
            skip = p->n;
            emit(p, BPF_JMP | BPF_JA, 0, 0, 0);
            load(p, offsetof(struct seccomp_data, nr));
        }
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (size_t)calls[i].number);
        jump[i] = p->n;
        emit(p, BPF_JMP | BPF_JA, 0, 0, 0);
    }
    p->code[skip].k = (uint32_t)(p->n - skip - 1);
    emit_answers(p, groups, n, at); /* first of all: allowed */
    for (size_t i = 0; i < COUNT(calls); i++)
        p->code[jump[i]].k = (uint32_t)(at[calls[i].answer] - jump[i] - 1);
}

neg_errno seccomp_fake_ids(void)
{
    int n = getgroups(0, NULL);
    cleanup_free gid_t *groups = calloc((size_t)n + 1, sizeof(*groups));
    cleanup_free struct program *program = calloc(1, sizeof(*program));

    if (!groups || !program)
        return -ENOMEM;
    if (n > 0)
        n = getgroups(n, groups);
    if (n < 0)
        return -errno;
    if (n > LIMIT_ID_MAP_LINES) /* no more are mapped; see userns_fake_root() */
        n = LIMIT_ID_MAP_LINES;
    emit_filter(program, groups, (size_t)n);
    return program->full ? -E2BIG : sys_seccomp_filter(program->code, program->n);
}
