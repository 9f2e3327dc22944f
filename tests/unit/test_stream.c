/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Content that comes in pieces and holes is what can be read in the end. */
#include "image/sqfs.h"
#include "sqfswrite/write.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK 4096U
#define FILES 60
#define MOST  (BLOCK * 12)

static const struct output_format format = {.compressor = SQUASHFS_ZSTD,
                                            .block_size = BLOCK};

static struct output output;
static struct arena arena;
static uint8_t want[FILES][MOST];
static uint64_t sizes[FILES];

static struct tree_node *new_node(mode_t mode)
{
    struct tree_node *node = arena_take(&arena, sizeof(*node));

    ck_assert_ptr_nonnull(node);
    node->mode = mode;
    node->xattr = TREE_NO_XATTR;
    return node;
}

/* From random pieces, which often begin or end where blocks do. */
static struct tree_node *write_file(unsigned number)
{
    struct tree_node *node = new_node(S_IFREG | 0644);
    struct vitrine_error err = {0};
    struct output_stream stream;
    uint64_t size = (uint64_t)(rand() % MOST) / (rand() % 3 ? 1 : BLOCK) *
                    (rand() % 3 ? 1 : BLOCK) % MOST;

    node->file.packed = arena_take(&arena, sizeof(*node->file.packed));
    sizes[number] = size;
    output_begin(&stream, &output, size, node->file.packed);
    for (uint64_t at = 0, n; at < size; at += n) {
        n = (uint64_t)(rand() % (int)(BLOCK * 3));
        if (rand() % 3 == 0)
            n = n / BLOCK * BLOCK;
        if (rand() % 4 == 0)
            n = (BLOCK - at % BLOCK) % BLOCK;
        n = n < size - at ? n : size - at;
        if (rand() % 2) {
            memset(want[number] + at, rand() % 5, n);
            if (n > 0)
                want[number][at] = (uint8_t)rand();
            ck_assert_int_eq(output_add(&stream, want[number] + at, n, &err), 0);
        } else {
            ck_assert_int_eq(output_skip(&stream, n, &err), 0);
        }
    }
    ck_assert_msg(output_end(&stream, &err) == 0, "%s", err.text);
    return node;
}

static void check_file(struct sqfs *fs, unsigned number, const struct sqfs_inode *inode)
{
    static uint8_t buf[MOST + 1];

    ck_assert_uint_eq(inode->size, sizes[number]);
    ck_assert_int_eq(sqfs_file_read(fs, inode, 0, buf, sizeof(buf)), (int)sizes[number]);
    ck_assert_mem_eq(buf, want[number], sizes[number]);
}

START_TEST(pieces_and_holes_are_read_again)
{
    struct tree_packed *list = NULL;
    struct tree_node *root, *nodes[FILES];
    struct vitrine_error err = {0};
    struct sqfs_inode inode;
    struct sqfs_entry entry;
    struct sqfs fs;
    char name[16];
    int fd = memfd_create("image", MFD_CLOEXEC);

    srand((unsigned)_i);
    ck_assert_msg(output_open(&output, fd, &format, 2, &err) == 0, "%s", err.text);
    root = new_node(S_IFDIR | 0755);
    for (unsigned i = 0; i < FILES; i++) {
        nodes[i] = write_file(i);
        nodes[i]->file.packed->next = list;
        list = nodes[i]->file.packed;
        (void)snprintf(name, sizeof(name), "f%02u", i);
        ck_assert_int_eq(tree_add(&arena, root, name, nodes[i]), 0);
    }
    ck_assert_int_eq(output_flush(&output, &err), 0);
    ck_assert_int_eq(write_tree(&output, root, 0, NULL, &err), 0);
    output_close(&output);
    ck_assert_msg(sqfs_open(&fs, fd, 0, NULL, &err) == 0, "%s", err.text);
    for (unsigned i = 0; i < FILES; i++) {
        ck_assert_int_eq(sqfs_read_inode(&fs, fs.super.root_inode, &inode), 0);
        (void)snprintf(name, sizeof(name), "f%02u", i);
        ck_assert_int_eq(sqfs_dir_find(&fs, &inode, name, &entry), 0);
        ck_assert_int_eq(sqfs_read_inode(&fs, entry.ref, &inode), 0);
        check_file(&fs, i, &inode);
    }
    sqfs_close(&fs);
    tree_packed_free(list);
    arena_free(&arena);
    (void)close(fd);
}
END_TEST

START_TEST(more_or_less_than_the_size_is_an_error)
{
    struct tree_packed packed = {0};
    struct vitrine_error err = {0};
    struct output_stream stream;
    int fd = memfd_create("image", MFD_CLOEXEC);

    ck_assert_int_eq(output_open(&output, fd, &format, 1, &err), 0);
    output_begin(&stream, &output, 10, &packed);
    ck_assert_int_eq(output_add(&stream, "12345", 5, &err), 0);
    ck_assert_int_eq(output_add(&stream, "123456", 6, &err), -1);
    ck_assert_int_eq(output_skip(&stream, 6, &err), -1);
    ck_assert_int_eq(output_skip(&stream, UINT64_MAX, &err), -1);
    ck_assert_int_eq(output_end(&stream, &err), -1);
    ck_assert_int_eq(output_skip(&stream, 5, &err), 0);
    ck_assert_int_eq(output_end(&stream, &err), 0);
    ck_assert_int_eq(output_flush(&output, &err), 0);
    free(packed.inode);
    output_close(&output);
    (void)close(fd);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("stream");
    TCase *tc = tcase_create("stream");

    tcase_add_loop_test(tc, pieces_and_holes_are_read_again, 0, 20);
    tcase_add_test(tc, more_or_less_than_the_size_is_an_error);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
