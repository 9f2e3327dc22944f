/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user in srun, sbatch and salloc, so that a wrong value never gets a node,
 * and again as root in slurmstepd, on texts that a user wrote. Nothing is opened here.
 */
#include "optiontext.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
    const char *mode;
    enum vitrine_start start;
} modes[] = {
    {"auto", VITRINE_START_AUTO},
    {"create", VITRINE_START_CREATE},
    {"exec", VITRINE_START_EXEC},
    {"no_exec", VITRINE_START_NO_EXEC},
};

static const struct {
    const char *word;
    unsigned flag;
} namespaces[] = {
    {"net", VITRINE_UNSHARE_NET},
    {"ipc", VITRINE_UNSHARE_IPC},
    {"uts", VITRINE_UNSHARE_UTS},
};

/* A switch: pyxis' words, and what OPTION_WRITABLE takes besides. */
static const struct {
    const char *word, *text;
    bool of_writable;
} switches[] = {
    {"1", "yes", false},   {"true", "yes", false}, {"yes", "yes", false},
    {"y", "yes", false},   {"0", "no", false},     {"false", "no", false},
    {"no", "no", false},   {"n", "no", false},     {"task", "task", true},
    {"node", "yes", true},
};

static int check_image(const char *text, struct vitrine_error *err)
{
    enum vitrine_image_kind kind;

    return vitrine_image_check(text, &kind, err);
}

static int check_workdir(const char *text, struct vitrine_error *err)
{
    if (text[0] == '/')
        return 0;
    return vitrine_fail(err, VITRINE_EUSAGE,
                        "give an absolute path in the container, not %s", text);
}

size_t optiontext_name(const char *text, enum vitrine_start *ret_start)
{
    size_t len = strcspn(text, ":");

    *ret_start = VITRINE_START_AUTO;
    for (size_t i = 0; text[len] && i < COUNT(modes); i++)
        if (strcmp(text + len + 1, modes[i].mode) == 0)
            *ret_start = modes[i].start;
    return len;
}

static int check_name(const char *text, struct vitrine_error *err)
{
    char name[OPTIONTEXT_MAX + 1];
    size_t len = strcspn(text, ":");
    bool known = !text[len];

    for (size_t i = 0; !known && i < COUNT(modes); i++)
        known = strcmp(text + len + 1, modes[i].mode) == 0;
    if (!known)
        return vitrine_fail(err, VITRINE_EUSAGE,
                            "after the name give auto, create, exec or no_exec, not %s",
                            text + len + 1);
    memcpy(name, text, len);
    name[len] = '\0';
    return vitrine_name_check(name, err);
}

/* The file is renamed to this name when it is complete, so it must be one: what ends in
 * "/." or the like names a directory full of other things. */
static int check_save(const char *text, struct vitrine_error *err)
{
    const char *slash = strrchr(text, '/');
    const char *last = slash ? slash + 1 : text;

    if (last[0] && strcmp(last, ".") != 0 && strcmp(last, "..") != 0)
        return 0;
    return vitrine_fail(err, VITRINE_EUSAGE,
                        "give the file to be written; %s is a directory", text);
}

typedef int (*entry_f)(const char *entry, size_t len, struct vitrine_error *err);

static int for_each_entry(const char *list, entry_f check, struct vitrine_error *err)
{
    for (const char *entry = list;; entry++) {
        size_t len = strcspn(entry, ",");

        if (check(entry, len, err) < 0)
            return -1;
        entry += len;
        if (!*entry)
            return 0;
    }
}

static int check_variable(const char *name, size_t len, struct vitrine_error *err)
{
    static const char letters[] = "0123456789_abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

    if (len > 0 && !strchr("0123456789", name[0]) && strspn(name, letters) >= len)
        return 0;
    if (memchr(name, '=', len))
        return vitrine_fail(err, VITRINE_EUSAGE,
                            "give the names of variables, without values: not %.*s",
                            (int)len, name);
    return vitrine_fail(err, VITRINE_EUSAGE, "'%.*s' is not the name of a variable",
                        (int)len, name);
}

static int check_env(const char *text, struct vitrine_error *err)
{
    return for_each_entry(text, check_variable, err);
}

static unsigned find_namespace(const char *word, size_t len)
{
    for (size_t i = 0; i < COUNT(namespaces); i++)
        if (strlen(namespaces[i].word) == len &&
            memcmp(namespaces[i].word, word, len) == 0)
            return namespaces[i].flag;
    return 0;
}

static int check_namespace(const char *word, size_t len, struct vitrine_error *err)
{
    if (find_namespace(word, len) != 0)
        return 0;
    return vitrine_fail(err, VITRINE_EUSAGE, "give net, ipc or uts, not '%.*s'", (int)len,
                        word);
}

static int check_unshare(const char *text, struct vitrine_error *err)
{
    return for_each_entry(text, check_namespace, err);
}

unsigned optiontext_unshare(const char *text)
{
    unsigned flags = 0;

    for (const char *word = text; *word; word += *word == ',') {
        size_t len = strcspn(word, ",");

        flags |= find_namespace(word, len);
        word += len;
    }
    return flags;
}

/* What has no check is a switch. */
static const struct {
    size_t max;
    bool list;
    int (*check)(const char *text, struct vitrine_error *err);
} rules[OPTION_COUNT] = {
    [OPTION_IMAGE] = {OPTIONTEXT_MAX, false, check_image},
    [OPTION_MOUNTS] = {OPTIONTEXT_MOUNTS_MAX, true, vitrine_mounts_check},
    [OPTION_WORKDIR] = {OPTIONTEXT_MAX, false, check_workdir},
    [OPTION_NAME] = {OPTIONTEXT_MAX, false, check_name},
    [OPTION_SAVE] = {OPTIONTEXT_MAX, false, check_save},
    [OPTION_MOUNT_HOME] = {OPTIONTEXT_MAX, false, NULL},
    [OPTION_REMAP_ROOT] = {OPTIONTEXT_MAX, false, NULL},
    [OPTION_ENTRYPOINT] = {OPTIONTEXT_MAX, false, NULL},
    [OPTION_ENTRYPOINT_LOG] = {OPTIONTEXT_MAX, false, NULL},
    [OPTION_WRITABLE] = {OPTIONTEXT_MAX, false, NULL},
    [OPTION_ENV] = {OPTIONTEXT_MAX, true, check_env},
    [OPTION_UNSHARE] = {OPTIONTEXT_MAX, true, check_unshare},
};

bool optiontext_is_list(enum option option)
{
    return rules[option].list;
}

static bool has_entry(const char *list, const char *entry, size_t len)
{
    for (; *list; list += *list == ',') {
        size_t n = strcspn(list, ",");

        if (n == len && memcmp(list, entry, n) == 0)
            return true;
        list += n;
    }
    return false;
}

static int give(const char *text, char **ret, struct vitrine_error *err)
{
    char *copy = strdup(text);

    if (!copy)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    *ret = copy;
    return 0;
}

int optiontext_join(enum option option, const char *list, const char *more, char **ret,
                    struct vitrine_error *err)
{
    size_t end = strlen(list);
    char *joined = malloc(end + strlen(more) + 2);

    if (!joined)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    memcpy(joined, list, end + 1);
    for (const char *entry = more; *entry; entry += *entry == ',') {
        size_t len = strcspn(entry, ",");

        if (!has_entry(joined, entry, len)) {
            if (end > 0)
                joined[end++] = ',';
            memcpy(joined + end, entry, len);
            end += len;
            joined[end] = '\0';
        }
        entry += len;
    }
    if (end > rules[option].max) {
        free(joined);
        return vitrine_fail(err, VITRINE_EUSAGE,
                            "the values together are longer than %zu bytes",
                            rules[option].max);
    }
    *ret = joined;
    return 0;
}

static int read_switch(enum option option, const char *text, char **ret,
                       struct vitrine_error *err)
{
    for (size_t i = 0; i < COUNT(switches); i++)
        if (strcmp(text, switches[i].word) == 0 &&
            (option == OPTION_WRITABLE || !switches[i].of_writable))
            return give(switches[i].text, ret, err);
    return vitrine_fail(err, VITRINE_EUSAGE,
                        "%s is none of 1, true, yes, y, 0, false, no, n%s", text,
                        option == OPTION_WRITABLE ? ", task, node" : "");
}

static int check_text(enum option option, const char *text, struct vitrine_error *err)
{
    size_t max = rules[option].max, len = strnlen(text, max + 1);

    if (len > max)
        return vitrine_fail(err, VITRINE_EUSAGE, "the value is longer than %zu bytes",
                            max);
    if (len == 0 && option != OPTION_IMAGE) /* which has more to say */
        return vitrine_fail(err, VITRINE_EUSAGE, "the value is empty");
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return vitrine_fail(err, VITRINE_EUSAGE,
                                "the value has a control character in it: %s", text);
    return 0;
}

int optiontext_read(enum option option, const char *text, char **ret,
                    struct vitrine_error *err)
{
    if (check_text(option, text, err) < 0)
        return -1;
    if (!rules[option].check)
        return read_switch(option, text, ret, err);
    if (rules[option].check(text, err) < 0)
        return -1;
    if (rules[option].list)
        return optiontext_join(option, "", text, ret, err);
    return give(text, ret, err);
}
