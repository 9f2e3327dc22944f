/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_TESTS_TAR_H
#define VITRINE_TESTS_TAR_H

/* Writes tar archives in memory, byte by byte, so that they can be as wrong as wanted. */
#include "unit.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define TAR_BLOCK 512

struct tar {
    uint8_t *data;
    size_t size, space;
};

static inline void tar_raw(struct tar *tar, const void *data, size_t size)
{
    if (tar->size + size >= tar->space) {
        tar->space = 2 * (tar->size + size + TAR_BLOCK);
        tar->data = realloc(tar->data, tar->space);
        ck_assert_ptr_nonnull(tar->data);
    }
    if (size > 0)
        memcpy(tar->data + tar->size, data, size);
    tar->size += size;
}

static inline void tar_pad(struct tar *tar)
{
    static const uint8_t zeros[TAR_BLOCK];

    tar_raw(tar, zeros, (TAR_BLOCK - tar->size % TAR_BLOCK) % TAR_BLOCK);
}

struct tar_entry {
    const char *name, *target;
    char type; /* as in the header: '0', '5', ... */
    unsigned mode, uid, gid;
    uint64_t mtime, size;
    unsigned major, minor;
};

static inline void tar_header(struct tar *tar, const struct tar_entry *e)
{
    char h[TAR_BLOCK + 1] = "";
    unsigned sum = 0;

    (void)snprintf(h, 101, "%s", e->name);
    (void)snprintf(h + 100, 8, "%07o", e->mode & 07777);
    (void)snprintf(h + 108, 8, "%07o", e->uid & 07777777);
    (void)snprintf(h + 116, 8, "%07o", e->gid & 07777777);
    (void)snprintf(h + 124, 12, "%011llo", (unsigned long long)e->size);
    (void)snprintf(h + 136, 12, "%011llo", (unsigned long long)e->mtime);
    memset(h + 148, ' ', 8);
    h[156] = e->type;
    (void)snprintf(h + 157, 101, "%s", e->target ? e->target : "");
    h[257] = h[265] = 0;
    memcpy(h + 257, "ustar", 6);
    memcpy(h + 263, "00", 2);
    (void)snprintf(h + 329, 8, "%07o", e->major & 07777777);
    (void)snprintf(h + 337, 8, "%07o", e->minor & 07777777);
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += (uint8_t)h[i];
    (void)snprintf(h + 148, 8, "%06o", sum & 0777777);
    tar_raw(tar, h, TAR_BLOCK);
}

/* A file, with its content. */
static inline void tar_file(struct tar *tar, const char *name, const void *data,
                            size_t size)
{
    tar_header(tar,
               &(struct tar_entry){
                   .name = name, .type = '0', .mode = 0644, .mtime = 7, .size = size});
    tar_raw(tar, data, size);
    tar_pad(tar);
}

/* Adds a record to those that tar_pax_end() puts before the next entry. */
static inline void tar_record(struct tar *records, const char *key, const void *value,
                              size_t size)
{
    size_t len = strlen(key) + size + 3, digits = 1;
    char number[24];

    for (size_t limit = 10; len + digits >= limit; limit *= 10)
        digits++;
    (void)snprintf(number, sizeof(number), "%zu ", len + digits);
    tar_raw(records, number, strlen(number));
    tar_raw(records, key, strlen(key));
    tar_raw(records, "=", 1);
    tar_raw(records, value, size);
    tar_raw(records, "\n", 1);
}

static inline void tar_pax_end(struct tar *tar, struct tar *records)
{
    tar_header(tar,
               &(struct tar_entry){.name = "pax", .type = 'x', .size = records->size});
    tar_raw(tar, records->data, records->size);
    tar_pad(tar);
    free(records->data);
    *records = (struct tar){0};
}

/* The one record of the entry that follows. */
static inline void tar_pax(struct tar *tar, const char *key, const void *value,
                           size_t size)
{
    struct tar records = {0};

    tar_record(&records, key, value, size);
    tar_pax_end(tar, &records);
}

static inline void tar_end(struct tar *tar)
{
    static const uint8_t zeros[2 * TAR_BLOCK];

    tar_raw(tar, zeros, sizeof(zeros));
}

static inline void tar_free(struct tar *tar)
{
    free(tar->data);
    *tar = (struct tar){0};
}

/*
 * A layer in few words: entries separated by "|", each of them one of
 *
 *     f PATH=CONTENT   d PATH   l PATH>TARGET   h PATH>TARGET   p PATH (a fifo)
 *     w PATH (whiteout)   o PATH (opaque)
 */
static inline void tar_word(struct tar *tar, char *word)
{
    struct tar_entry e = {.name = word + 2, .mode = 0644, .mtime = 7};
    char *mark = strpbrk(word, word[0] == 'f' ? "=" : ">"), name[300], *slash;
    const char *rest = "";

    if (mark && strchr("flh", word[0])) {
        *mark = '\0';
        rest = mark + 1;
    }
    switch (word[0]) {
    case 'f':
        tar_file(tar, e.name, rest, strlen(rest));
        return;
    case 'w':
        slash = strrchr(e.name, '/');
        (void)snprintf(name, sizeof(name), "%.*s.wh.%s",
                       slash ? (int)(slash + 1 - e.name) : 0, e.name,
                       slash ? slash + 1 : e.name);
        tar_file(tar, name, "", 0);
        return;
    case 'o':
        (void)snprintf(name, sizeof(name), "%s/.wh..wh..opq", e.name);
        tar_file(tar, name, "", 0);
        return;
    case 'd':
        e.mode = 0750;
        break;
    default:
        e.target = rest;
    }
    e.type = word[0] == 'd' ? '5' : word[0] == 'l' ? '2' : word[0] == 'h' ? '1' : '6';
    tar_header(tar, &e);
}

static inline void tar_words(struct tar *tar, const char *words)
{
    char *copy = strdup(words), *rest = copy, *word;

    while ((word = strsep(&rest, "|")))
        if (*word)
            tar_word(tar, word);
    free(copy);
    tar_end(tar);
}

#endif
