/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What layers make together. Against umoci it is compared by integration/2100-layers.t.
 */
#include "layers/merge.h"
#include "layers.h"

#define MOST 6

#define BASE                                                                             \
    "d a|d a/b|f a/1=one|f a/b/2=two|f f=f|d usr|d usr/lib|f usr/lib/x=x|l lib>usr/lib"
#define SHOWN "a/|a/1=one|a/b/|a/b/2=two|f=f|lib>usr/lib|usr/|usr/lib/|usr/lib/x=x"

struct known {
    const char *layers[MOST]; /* the lowest first */
    const char *want;
};

static const struct known known[] = {
    {{NULL}, ""},
    {{""}, ""},
    {{BASE}, SHOWN},
    {{BASE, ""}, SHOWN},
    /* Whiteouts hide what is lower, wherever they stand. */
    {{"f a=1|f b=2", "w a"}, "b=2"},
    {{"d a|f a/x=1", "w a", "d a"}, "a/"},
    {{"f a=1", "f a=2|w a"}, "a=2"},
    {{"f a=1", "w a|f a=2"}, "a=2"},
    {{"d a|f a/x=1|f a/y=2", "f a/y=3|w a"}, "a/|a/y=3"},
    {{"f a=1", "w b|w c/d"}, "a=1"},
    {{"d a|f a/x=1|d a/b|f a/b/y=2", "d a|o a|f a/z=3"}, "a/|a/z=3"},
    {{"d a|f a/x=1|d a/b|f a/b/y=2", "d a|f a/z=3|f a/b/q=4|o a"},
     "a/|a/b/|a/b/q=4|a/z=3"},
    {{"d a|f a/x=1", "o a"}, "a/"},
    {{"f a=1", "o |f b=2"}, "b=2"},
    {{"d a|f a/x=1", "w a", "w a", "d a|f a/y=2"}, "a/|a/y=2"},
    /* aufs' own names. */
    {{"f .wh..wh.aufs=|d .wh..wh.plnk|f .wh..wh.plnk/1.2=|f a=1"}, "a=1"},
    /* Replaced types. */
    {{"f a=1", "d a|f a/x=2"}, "a/|a/x=2"},
    {{"d a|f a/x=1", "f a=2"}, "a=2"},
    {{"d a|f a/x=1", "f a=2", "d a"}, "a/"},
    {{"l a>b", "f a=1"}, "a=1"},
    {{"d a|f a/x=1", "l a>b|f b=2"}, "a>b|b=2"},
    {{"d a|f a/x=1", "p a"}, "a!"},
    {{"d a|f a/x=1", "d a|f a/y=2"}, "a/|a/x=1|a/y=2"},
    /* Again in the same layer. */
    {{"f a=1|f a=2"}, "a=2"},
    {{"d a|f a/x=1|f a=2"}, "a=2"},
    {{"f a=1|d a|f a/x=2"}, "a/|a/x=2"},
    {{"d a|f a/x=1|d a"}, "a/|a/x=1"},
    /* Directories that nobody tells of. */
    {{"f a/b/c=1"}, "a/?|a/b/?|a/b/c=1"},
    {{"f a/b/c=1|d a"}, "a/|a/b/?|a/b/c=1"},
    {{"d a|d a/b", "f a/b/c=1"}, "a/|a/b/|a/b/c=1"},
    {{"f a/b/c=1", "d a"}, "a/|a/b/?|a/b/c=1"},
    /* Through symbolic links. */
    {{BASE, "f lib/y=y"},
     "a/|a/1=one|a/b/|a/b/2=two|f=f|lib>usr/lib|usr/|usr/lib/|usr/lib/x=x|usr/lib/y=y"},
    {{"d u|f u/x=0|l l>u", "f u/x=1", "f l/x=2"}, "l>u|u/|u/x=2"},
    {{"d u|f u/x=0|l l>u", "f l/x=1", "f u/x=2"}, "l>u|u/|u/x=2"},
    {{"d u|f u/x=0|l l>u", "f l/x=1", "d l"}, "l/|u/|u/x=1"},
    {{"d u|f u/x=0|l l>u", "d l|f l/x=1"}, "l/|l/x=1|u/|u/x=0"},
    {{"d u|f u/x=0|l l>u", "w l", "f l/x=1"}, "l/?|l/x=1|u/|u/x=0"},
    {{"d u|f u/x=0|l l>u", "w l/x|f l/y=1"}, "l>u|u/|u/y=1"},
    {{"d u|f u/x=0|l l>u", "f l/y=1|o l"}, "l>u|u/|u/y=1"},
    {{"l a>/b/c|f a/x=1"}, "a>/b/c|b/?|b/c/?|b/c/x=1"},
    {{"l a>../../../b|f a/x=1"}, "a>../../../b|b/?|b/x=1"},
    {{"l a>no/../b|f a/x=1"}, "a>no/../b|b/?|b/x=1"},
    {{"l a>b|l b>c|l c>.//d/./|f a/x=1"}, "a>b|b>c|c>.//d/./|d/?|d/x=1"},
    /* Hard links. */
    {{"f a=1|h b>a"}, "a=1(2)|b=1(2)"},
    {{"f a=1", "h b>a"}, "a=1(2)|b=1(2)"},
    {{"f a=1", "h b>a|w a"}, "b=1"},
    {{"f a=1|h b>a", "f a=2"}, "a=2|b=1"},
    {{"f a=1|h b>a", "w a"}, "b=1"},
    {{"f a=1", "w a", "f a=2", "h b>a"}, "a=2(2)|b=2(2)"},
    {{"f a=1", "h b>a|f a=2|h c>a"}, "a=2(2)|b=1|c=2(2)"},
    {{"f a=1|h b>./a|h c>/b"}, "a=1(3)|b=1(3)|c=1(3)"},
    {{"l a>x|h b>a"}, "a>x(2)|b>x(2)"},
    {{"p a|h b>a"}, "a!(2)|b!(2)"},
    {{"d u|f u/x=0|l l>u", "h y>l/x"}, "l>u|u/|u/x=0(2)|y=0(2)"},
    {{"f a=1|h b>a", "f a=2", "h c>b", "w b"}, "a=2|c=1"},
    {{"f a=|h b>a", "w a"}, "b="},
    /* Names. */
    {{"f ./a=1|f b//c=2|f /d=3|f ././e/./f=4"}, "a=1|b/?|b/c=2|d=3|e/?|e/f=4"},
    /* What is ours. */
    {{"d .vitrine|f .vitrine/config=1|f .vitrine/x=2", "f .vitrine=3"}, ""},
    {{"l .vitrine>etc|d etc|f .vitrine/config=1"}, "etc/|etc/config=1"},
    {{"l etc>.vitrine|f etc/x=1", "h y>etc/x"}, "etc>.vitrine|y=1"},
};

static char *merge_known(const char *const *words, struct vitrine_error *err)
{
    struct tar layers[MOST] = {{0}};
    struct memory memory = {.layers = layers};
    unsigned n = 0;
    int fd;

    for (; n < MOST && words[n]; n++)
        tar_words(&layers[n], words[n]);
    fd = build_memory(&memory, n, 1, NULL, err);
    char *text = fd < 0 ? NULL : tell_image(fd);
    if (fd >= 0)
        (void)close(fd);
    for (unsigned i = 0; i < n; i++)
        tar_free(&layers[i]);
    return text;
}

START_TEST(layers_make_what_they_should)
{
    struct vitrine_error err = {0};
    char *text = merge_known(known[_i].layers, &err);

    ck_assert_msg(text, "%d: %s", _i, err.text);
    ck_assert_str_eq(text, known[_i].want);
    free(text);
}
END_TEST

static const struct known refused[] = {
    {{"f a=1|f ../b=2"}, "layer 0: ../b: a name must not lead upwards (..)"},
    {{"f a/../b=2"}, "layer 0: a/../b: a name must not lead upwards (..)"},
    {{"f a/..=2"}, "layer 0: a/..: a name must not lead upwards (..)"},
    {{"h a>../b"}, "layer 0: a: its target ../b: a name must not lead upwards (..)"},
    {{"f =2"}, "layer 0: : an entry has no name"},
    {{"f .=2"}, "layer 0: .: the root must be a directory"},
    {{"l /.>x"}, "layer 0: /.: the root must be a directory"},
    {{"f a=1|f a/b=2"}, "layer 0: a/b: it lies below a, which is no directory"},
    {{"f a=1", "f a/b/c=2"}, "layer 1: a/b/c: it lies below a, which is no directory"},
    {{"l a>b|l b>a|f a/c=1"}, "layer 0: a/c: it lies below more than 40 symbolic links"},
    {{"h a>b"}, "layer 0: a: it is a hard link to b, which is not there"},
    {{"f a=1", "w a", "h b>a"}, "layer 2: b: it is a hard link to a, which is not there"},
    {{"f a=1|h a>a"}, "layer 0: a: it is a hard link to a, which is not there"},
    {{"d a|h b>a"}, "layer 0: b: it is a hard link to a, which is a directory"},
    {{"h a>/"}, "layer 0: a: it is a hard link to , which is not there"},
    {{"l a>"}, "layer 0: a: its target is empty, or longer than Linux can have it"},
    {{"f .wh.=1"}, "layer 0: .wh.: it is a whiteout of nothing"},
    {{"f a/.wh..=1"}, "layer 0: a/.wh..: it is a whiteout of nothing"},
    {{"f a/.wh...=1"}, "layer 0: a/.wh...: it is a whiteout of nothing"},
};

START_TEST(one_sentence_says_what_is_wrong)
{
    struct vitrine_error err = {0};

    ck_assert_ptr_null(merge_known(refused[_i].layers, &err));
    ck_assert_str_eq(err.text, refused[_i].want);
}
END_TEST

/* What takes time, by far more than the size of the layer. */
START_TEST(work_has_an_end)
{
    enum { MANY = 11000, LINKS = 39, PASSES = 700 };
    struct tar layer = {0};
    struct memory memory = {.layers = &layer};
    struct vitrine_error err = {0};
    char name[16], target[PASSES * 5 + 4] = "";

    for (int i = 0; i < PASSES; i++)
        memcpy(target + (size_t)i * 5, "x/../", 5);
    tar_header(&layer, &(struct tar_entry){.name = "x", .type = '5', .mode = 0755});
    tar_header(&layer, &(struct tar_entry){.name = "0", .type = '5', .mode = 0755});
    for (int i = 1; i <= LINKS; i++) {
        (void)snprintf(name, sizeof(name), "%d", i);
        (void)snprintf(target + (size_t)PASSES * 5, 4, "%d", i - 1);
        tar_pax(&layer, "linkpath", target, strlen(target));
        tar_header(&layer, &(struct tar_entry){.name = name, .target = "?", .type = '2'});
    }
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof(name), "x/%d", i);
        tar_file(&layer, name, "", 0);
        if (_i == 0)
            tar_file(&layer, "39/a", "", 0);
    }
    for (int i = 0; _i == 1 && i < MANY; i++)
        tar_file(&layer, "x/.wh..wh..opq", "", 0);
    tar_end(&layer);
    ck_assert_int_lt(build_memory(&memory, 1, 1, NULL, &err), 0);
    ck_assert_msg(strstr(err.text, "steps"), "%s", err.text);
    tar_free(&layer);
}
END_TEST

/* Content of what is hidden is asked for again only if it has another name. */
START_TEST(a_layer_is_read_again_only_for_hidden_content)
{
    static const struct {
        struct known layers;
        unsigned reads;
    } cases[] = {
        {{{"f a=1|h b>a", "f a=2"}, "a=2|b=1"}, 3},
        {{{"f a=1|f b=1", "f a=2"}, "a=2|b=1"}, 2},
        {{{"f a=1|h b>a|f c=3|h d>c", "w a|w c", "f z="}, "b=1|d=3|z="}, 4},
        {{{"f a=|h b>a", "w a"}, "b="}, 2},
    };
    struct tar layers[MOST] = {{0}};
    struct memory memory = {.layers = layers};
    struct vitrine_error err = {0};
    unsigned n = 0;

    for (; cases[_i].layers.layers[n]; n++)
        tar_words(&layers[n], cases[_i].layers.layers[n]);
    int fd = build_memory(&memory, n, 1, NULL, &err);
    ck_assert_msg(fd >= 0, "%s", err.text);
    char *text = tell_image(fd);
    ck_assert_str_eq(text, cases[_i].layers.want);
    ck_assert_uint_eq(memory.current, cases[_i].reads);
    ck_assert_uint_eq(memory.stops, 0);
    free(text);
    (void)close(fd);
    while (n > 0)
        tar_free(&layers[--n]);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("merge");
    TCase *tc = tcase_create("merge");

    /* With ASan the one that has an end takes 8 seconds to it. */
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, layers_make_what_they_should, 0,
                        (int)(sizeof(known) / sizeof(*known)));
    tcase_add_loop_test(tc, one_sentence_says_what_is_wrong, 0,
                        (int)(sizeof(refused) / sizeof(*refused)));
    tcase_add_loop_test(tc, work_has_an_end, 0, 2);
    tcase_add_loop_test(tc, a_layer_is_read_again_only_for_hidden_content, 0, 4);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
