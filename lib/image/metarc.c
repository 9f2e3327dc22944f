/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* No shell: the one form that enroot writes is recognised, line by line. */
#include "image/metarc.h"
#include "base/cleanup.h"

#include <string.h>

struct line {
    const char *text;
    size_t len;
};

/* The next line that says something, without blanks around it; false at the end. */
static bool next_line(const char **p, struct line *ret)
{
    while (**p) {
        size_t len = strcspn(*p, "\n");
        const char *text = *p + strspn(*p, " \t\r");

        *p += len + ((*p)[len] == '\n');
        if (*text == '#' || *text == '\n' || *text == '\0')
            continue;
        ret->text = text;
        ret->len = strcspn(text, "\n");
        while (ret->len > 0 && strchr(" \t\r", text[ret->len - 1]))
            ret->len--;
        return true;
    }
    return false;
}

static bool is(const struct line *line, const char *text)
{
    return line->len == strlen(text) && memcmp(line->text, text, line->len) == 0;
}

/* Cuts `before` and `behind` from the line if both are there. */
static bool strip(struct line *line, const char *before, const char *behind)
{
    size_t b = strlen(before), e = strlen(behind);

    if (line->len < b + e || memcmp(line->text, before, b) != 0 ||
        memcmp(line->text + line->len - e, behind, e) != 0)
        return false;
    line->text += b;
    line->len -= b + e;
    return true;
}

static int digit(char c, unsigned base)
{
    int value = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : 16;

    return value < (int)base ? value : -1;
}

/* \NNN or \xHH of $'...'; `p` is behind the backslash. Returns where it ends, or NULL. */
static const char *numeric_escape(const char *p, char *ret)
{
    unsigned base = *p == 'x' ? 16 : 8, max = *p == 'x' ? 2 : 3, value = 0, n = 0;

    p += *p == 'x';
    for (; n < max && digit(p[n], base) >= 0; n++)
        value = value * base + (unsigned)digit(p[n], base);
    if (n == 0 || value == 0 || value > 255)
        return NULL;
    *ret = (char)value;
    return p + n;
}

static const char *escape(const char *p, char *ret)
{
    static const char names[] = "abeEfnrtv\\'\"?";
    static const char values[] = "\a\b\033\033\f\n\r\t\v\\'\"?";
    const char *known = *p ? strchr(names, *p) : NULL;

    if (!known)
        return numeric_escape(p, ret);
    *ret = values[known - names];
    return p + 1;
}

/* $'...', at the quote; what is beyond `end` belongs to other lines. */
static neg_errno ansi_quotes(const char **p, const char *end, struct metatext *out)
{
    int rc = 0;

    for (++*p; rc == 0 && *p < end && **p != '\'';) {
        char c = *(*p)++;

        if (c == '\\') {
            *p = escape(*p, &c);
            if (!*p)
                return -EINVAL;
        }
        rc = metatext_add(out, &c, 1);
    }
    if (rc < 0 || *p >= end)
        return rc < 0 ? rc : -EINVAL;
    ++*p;
    return 0;
}

static neg_errno single_quotes(const char **p, const char *end, struct metatext *out)
{
    const char *text = ++*p, *close = memchr(text, '\'', (size_t)(end - text));

    if (!close)
        return -EINVAL;
    *p = close + 1;
    return metatext_add(out, text, (size_t)(close - text));
}

static bool is_plain(char c)
{
    return (unsigned char)c > ' ' && c != 0x7f && !strchr("'\"`$\\;&|<>(){}*?[]#~!", c);
}

static neg_errno one_word(const char **p, const char *end, struct metatext *out)
{
    int rc = metatext_add(out, "", 0);

    while (rc == 0 && *p < end && **p != ' ') {
        if (**p == '\'') {
            rc = single_quotes(p, end, out);
        } else if (**p == '$' && *p + 1 < end && (*p)[1] == '\'') {
            ++*p;
            rc = ansi_quotes(p, end, out);
        } else if (**p == '\\' && *p + 1 < end) {
            rc = metatext_add(out, *p + 1, 1);
            *p += 2;
        } else if (is_plain(**p)) {
            rc = metatext_add(out, (*p)++, 1);
        } else {
            return -EINVAL;
        }
    }
    return rc;
}

static neg_errno words(const struct line *line, struct metalist *ret)
{
    const char *p = line->text, *end = p + line->len;

    for (;;) {
        while (p < end && *p == ' ')
            p++;
        if (p >= end)
            return 0;
        struct metatext word = {0};
        int rc = one_word(&p, end, &word);
        if (rc == 0)
            rc = metalist_add(ret, word.data, word.len);
        free(word.data);
        if (rc < 0)
            return rc;
    }
}

/* What the second list begins with is the entry point; the command is what remains. */
static bool split(struct metalist *all, struct metarc *ret)
{
    size_t n = ret->entrypoint.count;

    if (all->count < n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(all->list[i], ret->entrypoint.list[i]) != 0)
            return false;
    for (size_t i = 0; i < n; i++)
        free(all->list[i]);
    if (n > 0)
        memmove(all->list, all->list + n, (all->count - n + 1) * sizeof(*all->list));
    all->count -= n;
    ret->cmd = *all;
    *all = (struct metalist){0};
    if (ret->cmd.count == 0) {
        free(ret->cmd.list);
        ret->cmd = (struct metalist){0};
    }
    return true;
}

/* The lines behind "if [ $# -gt 0 ]; then". */
static neg_errno branches(const char **p, struct metarc *ret, bool *ret_ours)
{
    struct line with, other, line;
    struct metalist all = {0};

    if (!next_line(p, &with) || !next_line(p, &line) || !is(&line, "else") ||
        !next_line(p, &other) || !next_line(p, &line) || !is(&line, "fi") ||
        !strip(&with, "exec ", "\"$@\"") || !strip(&other, "exec ", ""))
        return 0;
    int rc = words(&with, &ret->entrypoint);
    if (rc == 0)
        rc = words(&other, &all);
    if (rc == 0)
        *ret_ours = split(&all, ret) && !next_line(p, &line);
    metalist_free(all.list);
    return rc == -ENOMEM ? rc : 0;
}

static bool is_literal(const struct line *dir)
{
    for (size_t i = 0; i < dir->len; i++)
        if (strchr("\"$`\\", dir->text[i]))
            return false;
    return dir->len > 0 && dir->text[0] == '/';
}

static neg_errno read_form(const char *p, struct metarc *ret, bool *ret_ours)
{
    struct line line;

    if (!next_line(&p, &line))
        return 0;
    if (strip(&line, "mkdir -p \"", "\" 2> /dev/null") && !next_line(&p, &line))
        return 0;
    if (!strip(&line, "cd \"", "\" && unset OLDPWD || exit 1") &&
        !strip(&line, "cd \"", "\" || exit 1"))
        return 0;
    if (is_literal(&line)) {
        ret->workdir = strndup(line.text, line.len);
        if (!ret->workdir)
            return -ENOMEM;
    }
    if (!next_line(&p, &line))
        return 0;
    if (is(&line, "if [ -s /etc/rc.local ]; then") &&
        (!next_line(&p, &line) || !is(&line, ". /etc/rc.local") ||
         !next_line(&p, &line) || !is(&line, "fi") || !next_line(&p, &line)))
        return 0;
    return is(&line, "if [ $# -gt 0 ]; then") ? branches(&p, ret, ret_ours) : 0;
}

neg_errno metarc_read(const char *script, struct metarc *ret, bool *ret_ours)
{
    *ret = (struct metarc){0};
    *ret_ours = false;
    int rc = read_form(script, ret, ret_ours);
    if (!*ret_ours)
        metarc_free(ret);
    return rc;
}

void metarc_free(struct metarc *rc)
{
    free(rc->workdir);
    metalist_free(rc->entrypoint.list);
    metalist_free(rc->cmd.list);
    *rc = (struct metarc){0};
}
