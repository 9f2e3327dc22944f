/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A shell that can only assign. Two readers walk over the text: one evaluates a command
 * and gives up with -EINVAL where it meets anything else than an assignment; then the
 * other one passes over that command and keeps count of the constructs that it opens and
 * closes. Both stay before the NUL at the end.
 */
#include "image/metash.h"
#include "base/limits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct sh {
    const char *p;
    unsigned flags;
    struct metavars *vars;
    const char *name; /* of the variable that is being assigned */
    size_t name_len;
    unsigned nesting;    /* of ${...} */
    unsigned constructs; /* open ones: if, for, case, { */
    unsigned parens;
};

static neg_errno expand(struct sh *sh, struct metatext *out, bool quoted);

static neg_errno add(struct metatext *out, char c)
{
    return metatext_add(out, &c, 1);
}

static neg_errno in_single_quotes(struct sh *sh, struct metatext *out)
{
    size_t len = strcspn(++sh->p, "'");

    if (sh->p[len] == '\0')
        return -EINVAL;
    int rc = metatext_add(out, sh->p, len);
    sh->p += len + 1;
    return rc;
}

/* Within double quotes a backslash counts only before these. */
static neg_errno backslash(struct sh *sh, struct metatext *out, bool quoted)
{
    char c = sh->p[1];

    if (c == '\0')
        return -EINVAL;
    sh->p += 2;
    if (c == '\n')
        return 0;
    if (quoted && !strchr("$`\"\\}", c)) {
        int rc = add(out, '\\');
        if (rc < 0)
            return rc;
    }
    return add(out, c);
}

static neg_errno in_double_quotes(struct sh *sh, struct metatext *out)
{
    int rc = 0;

    sh->p++;
    while (rc == 0 && *sh->p != '"') {
        if (*sh->p == '\0' || *sh->p == '`')
            return -EINVAL;
        if (*sh->p == '\\')
            rc = backslash(sh, out, true);
        else if (*sh->p == '$')
            rc = expand(sh, out, true);
        else
            rc = add(out, *sh->p++);
    }
    sh->p++;
    return rc;
}

/* The word in ${NAME:-WORD}, up to its brace, which is passed. */
static neg_errno inner_word(struct sh *sh, struct metatext *out, bool quoted)
{
    int rc = *sh->p == '~' && !quoted ? -EINVAL : 0;

    while (rc == 0 && *sh->p != '}') {
        if (*sh->p == '\0' || *sh->p == '`')
            return -EINVAL;
        if (*sh->p == '\\')
            rc = backslash(sh, out, quoted);
        else if (*sh->p == '"')
            rc = in_double_quotes(sh, out);
        else if (*sh->p == '\'' && !quoted)
            rc = in_single_quotes(sh, out);
        else if (*sh->p == '$')
            rc = expand(sh, out, quoted);
        else
            rc = add(out, *sh->p++);
    }
    sh->p++;
    return rc;
}

static const char *value_of(const struct sh *sh, const char *name, size_t len)
{
    bool itself = len == sh->name_len && memcmp(name, sh->name, len) == 0;

    return itself && (sh->flags & METASH_GENERATED)
               ? metavars_get(sh->vars, name, len)
               : metavars_lookup(sh->vars, name, len);
}

static neg_errno add_value(struct metatext *out, const char *value)
{
    return value ? metatext_add(out, value, strlen(value)) : 0;
}

/* ${NAME:-WORD} and its like, from the ":" or the sign on. */
static neg_errno alternative(struct sh *sh, const char *value, struct metatext *out,
                             bool quoted)
{
    bool colon = *sh->p == ':';
    char how = sh->p[colon];
    bool set = value && !(colon && value[0] == '\0');
    struct metatext word = {0};

    if (how != '-' && how != '+')
        return -EINVAL;
    sh->p += colon + 1;
    int rc = inner_word(sh, &word, quoted);
    if (rc == 0 && set == (how == '+'))
        rc = metatext_add(out, word.data, word.len);
    else if (rc == 0 && set)
        rc = add_value(out, value);
    free(word.data);
    return rc;
}

/* Behind "${". */
static neg_errno in_braces(struct sh *sh, struct metatext *out, bool quoted)
{
    size_t len = metavars_name_length(sh->p);
    const char *value = len ? value_of(sh, sh->p, len) : NULL;

    if (len == 0)
        return -EINVAL;
    sh->p += len;
    if (*sh->p != '}')
        return alternative(sh, value, out, quoted);
    sh->p++;
    return add_value(out, value);
}

/* At a "$". */
static neg_errno expand(struct sh *sh, struct metatext *out, bool quoted)
{
    size_t len = metavars_name_length(++sh->p);

    if (len > 0) {
        sh->p += len;
        return add_value(out, value_of(sh, sh->p - len, len));
    }
    if (*sh->p == '{') {
        sh->p++;
        if (sh->nesting >= LIMIT_META_NESTING)
            return -EINVAL;
        sh->nesting++;
        int rc = in_braces(sh, out, quoted);
        sh->nesting--;
        return rc;
    }
    /* $(...), $1, $@, and $'...' of bash; else it is a dollar. */
    if (*sh->p &&
        (strchr("(0123456789@*#?-$!", *sh->p) || (!quoted && strchr("'\"", *sh->p))))
        return -EINVAL;
    return add(out, '$');
}

static bool ends_word(char c)
{
    return c == '\0' || strchr(" \t\r\n;", c);
}

/* The value of an assignment, up to what ends the word. */
static neg_errno outer_word(struct sh *sh, struct metatext *out)
{
    bool begins = true; /* where a "~" would be a home directory */
    int rc = 0;

    while (rc == 0 && !ends_word(*sh->p)) {
        char c = *sh->p;

        if (strchr("`|&<>(){}*?[]", c) || (c == '~' && begins))
            return -EINVAL;
        begins = c == ':';
        if (c == '\\')
            rc = backslash(sh, out, false);
        else if (c == '\'')
            rc = in_single_quotes(sh, out);
        else if (c == '"')
            rc = in_double_quotes(sh, out);
        else if (c == '$')
            rc = expand(sh, out, false);
        else
            rc = add(out, *sh->p++);
    }
    return rc;
}

static void pass_blanks(struct sh *sh)
{
    for (;;) {
        sh->p += strspn(sh->p, " \t\r");
        if (sh->p[0] != '\\' || sh->p[1] != '\n')
            return;
        sh->p += 2;
    }
}

/* Sets the variable in `ret`, unless that is NULL. */
static neg_errno assign(struct sh *sh, struct metavars *ret)
{
    struct metatext out = {0};

    sh->name = sh->p;
    sh->name_len = metavars_name_length(sh->p);
    if (sh->name_len == 0)
        return -EINVAL;
    sh->p += sh->name_len;
    if (*sh->p != '=')
        return -EINVAL;
    sh->p++;
    int rc = outer_word(sh, &out);
    if (rc == 0 && ret)
        rc = metavars_set(ret, sh->name, sh->name_len, out.data, out.len);
    free(out.data);
    return rc;
}

static neg_errno assignments(struct sh *sh, bool exports, struct metavars *ret)
{
    for (;;) {
        pass_blanks(sh);
        if (*sh->p == '\0' || strchr("\n;#", *sh->p))
            return sh->p[0] == ';' && sh->p[1] == ';' ? -EINVAL : 0;
        size_t len = metavars_name_length(sh->p);
        if (exports && len > 0 && ends_word(sh->p[len])) {
            sh->p += len;
            continue;
        }
        int rc = assign(sh, ret);
        if (rc < 0)
            return rc;
    }
}

static neg_errno set_all(struct metavars *vars, const struct metavars *from)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < from->vars.count; i++) {
        const char *var = from->vars.list[i];
        size_t len = metavars_name_length(var);

        rc = metavars_set(vars, var, len, var + len + 1, strlen(var + len + 1));
    }
    return rc;
}

/*
 * One command, which does nothing but assign; without `commit` only that is found out.
 * The words of `export` are all expanded before it assigns any.
 */
static neg_errno command(struct sh *sh, bool commit)
{
    struct metavars exported = {0};
    bool exports =
        strncmp(sh->p, "export", 6) == 0 && sh->p[6] && strchr(" \t", sh->p[6]);

    if (!exports)
        return assignments(sh, false, commit ? sh->vars : NULL);
    sh->p += 6;
    int rc = assignments(sh, true, commit ? &exported : NULL);
    if (rc == 0)
        rc = set_all(sh->vars, &exported);
    metalist_free(exported.vars.list);
    return rc;
}

static bool is_one_of(const char *word, size_t len, const char *const *words)
{
    for (; *words; words++)
        if (strlen(*words) == len && memcmp(word, *words, len) == 0)
            return true;
    return false;
}

/* What ends a word for whom it passes over. */
#define NO_WORD " \t\r\n;&|()<>'\"`\\"

/* Passes a word where a command begins. True if another command begins behind it. */
static bool pass_keyword(struct sh *sh, size_t len)
{
    static const char *const opens[] = {"if",   "for",    "while", "until",
                                        "case", "select", "{",     NULL};
    static const char *const closes[] = {"fi", "done", "esac", "}", NULL};
    static const char *const goes_on[] = {
        "if", "while", "until", "then", "else", "elif", "do", "{", "function", "!", NULL};
    const char *word = sh->p;

    sh->p += len;
    if (is_one_of(word, len, opens)) {
        sh->constructs++;
    } else if (is_one_of(word, len, closes)) {
        sh->constructs -= sh->constructs > 0;
    } else if (len == 8 && memcmp(word, "function", len) == 0) {
        /* Its name comes before the brace, where otherwise no command begins. */
        pass_blanks(sh);
        sh->p += strcspn(sh->p, NO_WORD);
    }
    return is_one_of(word, len, goes_on);
}

static void pass_quotes(struct sh *sh)
{
    char quote = *sh->p++;

    while (*sh->p && *sh->p != quote)
        sh->p += *sh->p == '\\' && quote != '\'' && sh->p[1] ? 2 : 1;
    sh->p += *sh->p != '\0';
}

/* An operator, or what else stands alone. */
static void pass_operator(struct sh *sh)
{
    if (sh->p[0] == '<' && sh->p[1] == '<') {
        sh->p += strlen(sh->p);
        return;
    }
    if (*sh->p == '(')
        sh->parens++;
    else if (*sh->p == ')' && sh->parens > 0)
        sh->parens--;
    sh->p++;
}

/* The rest of a line that is not understood, newline and all. */
static void pass_line(struct sh *sh)
{
    bool begins = true; /* a command */

    for (;;) {
        pass_blanks(sh);
        if (*sh->p == '#')
            sh->p += strcspn(sh->p, "\n");
        if (*sh->p == '\0')
            return;
        if (*sh->p == '\n') {
            sh->p++;
            return;
        }
        size_t len = strcspn(sh->p, NO_WORD);
        if (len > 0) {
            if (begins)
                begins = pass_keyword(sh, len);
            else
                sh->p += len;
            /* The rest of a word, as in a"b": no command, and "#" no comment there. */
            while (*sh->p == '\'' || *sh->p == '"' || *sh->p == '`' || *sh->p == '#')
                *sh->p == '#' ? (void)sh->p++ : pass_quotes(sh);
        } else if (strchr("'\"`", *sh->p)) {
            pass_quotes(sh);
            begins = false;
        } else if (*sh->p == '\\') {
            sh->p += sh->p[1] ? 2 : 1;
            begins = false;
        } else {
            begins = !strchr("<>", *sh->p);
            pass_operator(sh);
        }
    }
}

static neg_errno statement(struct sh *sh)
{
    const char *start = sh->p;
    int rc = -EINVAL;

    if (sh->constructs == 0 && sh->parens == 0) {
        rc = command(sh, false);
        if (rc == 0) {
            sh->p = start;
            rc = command(sh, true);
        }
    }
    if (rc == -ENOMEM || rc == 0)
        return rc;
    sh->nesting = 0;
    sh->p = start;
    pass_line(sh);
    return 0;
}

neg_errno metash_read(const char *script, unsigned flags, struct metavars *vars)
{
    struct sh sh = {.p = script, .flags = flags, .vars = vars, .name = ""};
    int rc = 0;

    while (rc == 0) {
        pass_blanks(&sh);
        if (*sh.p == '#')
            sh.p += strcspn(sh.p, "\n");
        if (*sh.p == '\0')
            break;
        if (*sh.p == '\n' || *sh.p == ';')
            sh.p++;
        else
            rc = statement(&sh);
    }
    return rc;
}
