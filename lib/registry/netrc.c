/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs as the user. netrc(5) with the quotes of curl, and what enroot makes of it: it has
 * a shell expand passwords. Here $NAME and ${NAME} are looked up, and commands are not
 * run: whoever can write a file of mine shall not choose programs of mine.
 */
#include "base/limits.h"
#include "registry/credfile.h"

#include <ctype.h>
#include <strings.h>

struct reader {
    const char *p, *end;
    unsigned line;
};

/* A word without its quotes. */
struct word {
    char text[LIMIT_NETRC_WORD];
    size_t len;
    bool dollar;  /* begins with a '$' that is not escaped */
    bool command; /* is $(...) or `...` */
};

struct entry {
    bool matches; /* the registry */
    bool has_password;
    struct word login, password;
};

static void skip_blanks(struct reader *r)
{
    for (; r->p < r->end && isspace((unsigned char)*r->p); r->p++)
        r->line += *r->p == '\n';
}

static void skip_line(struct reader *r)
{
    while (r->p < r->end && *r->p != '\n')
        r->p++;
}

/* A macro goes up to an empty line. */
static void skip_macro(struct reader *r)
{
    do {
        skip_line(r);
        if (r->p < r->end) {
            r->p++;
            r->line++;
        }
    } while (r->p < r->end && *r->p != '\n');
}

static char unescape(char c)
{
    static const char names[] = "nrt";
    static const char values[] = "\n\r\t";
    const char *known = c ? strchr(names, c) : NULL;

    if (known)
        return values[known - names];
    return c;
}

/* Behind "$(" up to the ')' that ends it, or the line's end. */
static void skip_command(struct reader *r)
{
    unsigned depth = 0;
    char close = ')';

    if (*r->p == '`')
        close = '`';
    r->p += close == ')' ? 2 : 1;
    for (; r->p < r->end && *r->p != '\n'; r->p++) {
        if (*r->p == close && depth-- == 0) {
            r->p++;
            break;
        }
        depth += close == ')' && *r->p == '(';
    }
}

/* 0: there is none; -1: it does not end, or is too long. */
static int next_word(struct reader *r, struct word *ret)
{
    bool quoted = false;

    ret->len = 0;
    ret->dollar = ret->command = false;
    skip_blanks(r);
    if (r->p == r->end)
        return 0;
    if (*r->p == '"') {
        quoted = true;
        r->p++;
    }
    ret->dollar = r->p < r->end && *r->p == '$';
    ret->command = r->p + 1 < r->end && (*r->p == '`' || (ret->dollar && r->p[1] == '('));
    if (ret->command)
        skip_command(r);
    while (r->p < r->end &&
           (quoted ? *r->p != '"' && *r->p != '\n' : !isspace((unsigned char)*r->p))) {
        char c = *r->p++;

        if (c == '\\' && r->p < r->end && *r->p != '\n' && (quoted || *r->p == '$'))
            c = unescape(*r->p++);
        if (ret->len + 1 >= sizeof(ret->text) || c == '\0')
            return -1;
        ret->text[ret->len++] = c;
    }
    ret->text[ret->len] = '\0';
    if (!quoted)
        return 1;
    if (r->p == r->end || *r->p != '"')
        return -1;
    r->p++;
    return 1;
}

static int fail_line(const struct reader *r, const char *what, struct vitrine_error *err)
{
    return vitrine_fail(err, VITRINE_EUSAGE, "line %u: %s", r->line, what);
}

/* --- the password --- */

static int expand(struct word *word, const struct credfile_query *query,
                  struct vitrine_error *err)
{
    size_t braces = word->text[1] == '{';
    char *name = word->text + 1 + braces;
    size_t n = 0;
    const char *value;

    if (word->command)
        return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                            "the password of %s is a command, $(...), which enroot runs "
                            "but Vitrine does not; put the password there or into a "
                            "variable, as in $NAME, or use docker login or a helper for "
                            "credentials",
                            query->host);
    if (!word->dollar)
        return 0;
    while (isalnum((unsigned char)name[n]) || name[n] == '_')
        n++;
    if (n == 0 || isdigit((unsigned char)name[0]) ||
        strcmp(name + n, braces ? "}" : "") != 0)
        return vitrine_fail(err, VITRINE_EUNSUPPORTED,
                            "the password of %s begins with '$' but is not $NAME; if it "
                            "is meant as it stands, write \\$",
                            query->host);
    name[n] = '\0';
    value = credfile_env(query->lookup, name);
    if (!value)
        return vitrine_fail(err, VITRINE_EUSAGE,
                            "the password of %s is $%.100s, a variable that is not set",
                            query->host, name);
    if (strlen(value) >= sizeof(word->text))
        return vitrine_fail(err, VITRINE_EUSAGE, "the variable %.100s is too long", name);
    word->len = strlen(value);
    memcpy(word->text, value, word->len + 1);
    return 0;
}

/* The entry ends here: is it the one? */
static int finish(struct entry *entry, const struct credfile_query *query,
                  struct credentials *ret, bool *ret_found, struct vitrine_error *err)
{
    if (!entry->matches || !entry->has_password ||
        !credfile_is_user(query, entry->login.text))
        return 0;
    if (expand(&entry->password, query, err) < 0)
        return -1;
    ret->user = strdup(entry->login.text);
    ret->password = strdup(entry->password.text);
    if (!ret->user || !ret->password)
        return vitrine_fail(err, VITRINE_EINTERNAL, "out of memory");
    *ret_found = true;
    return 0;
}

/* --- entries --- */

/* With or without a port, which netrc(5) does not know. */
static bool is_machine(const struct credfile_query *query, const struct word *word)
{
    const char *colon = strrchr(query->host, ':');

    if (credfile_is_host(query, word->text, word->len))
        return true;
    return colon && !strchr(colon, ']') && word->len == (size_t)(colon - query->host) &&
           strncasecmp(query->host, word->text, word->len) == 0;
}

/* What a keyword, which is in *word, wants: its value or nothing. */
static int read_item(struct reader *r, struct word *word, struct entry *entry,
                     const struct credfile_query *query, struct vitrine_error *err)
{
    static const char *const keywords[] = {"login", "password", "machine", "account"};
    struct word *into[] = {&entry->login, &entry->password, word, word};
    size_t i = 0;

    if (strcmp(word->text, "default") == 0) {
        entry->matches = true;
        return 0;
    }
    if (strcmp(word->text, "macdef") == 0) {
        skip_macro(r);
        return 0;
    }
    while (i < sizeof(keywords) / sizeof(*keywords) &&
           strcmp(word->text, keywords[i]) != 0)
        i++;
    if (i == sizeof(keywords) / sizeof(*keywords))
        return fail_line(r,
                         "a word that is not machine, default, login, password or "
                         "account",
                         err);
    if (next_word(r, into[i]) <= 0)
        return fail_line(r, "a value is missing, without its closing quote, or too long",
                         err);
    entry->has_password = entry->has_password || i == 1;
    if (i == 2)
        entry->matches = is_machine(query, word);
    return 0;
}

static int read_entries(struct reader *r, struct word *word, struct entry *entry,
                        const struct credfile_query *query, struct credentials *ret,
                        bool *ret_found, struct vitrine_error *err)
{
    while (!*ret_found) {
        skip_blanks(r);
        if (r->p < r->end && *r->p == '#') {
            skip_line(r);
            continue;
        }
        int rc = next_word(r, word);
        bool begins = rc > 0 && (strcmp(word->text, "machine") == 0 ||
                                 strcmp(word->text, "default") == 0);
        if (rc < 0)
            return fail_line(r, "a word without its closing quote, or too long", err);
        if (rc == 0 || begins) {
            if (finish(entry, query, ret, ret_found, err) < 0)
                return -1;
            explicit_bzero(entry, sizeof(*entry));
        }
        if (rc == 0)
            return 0;
        if (!*ret_found && read_item(r, word, entry, query, err) < 0)
            return -1;
    }
    return 0;
}

int netrc_find(const char *text, size_t size, const struct credfile_query *query,
               struct credentials *ret, bool *ret_found, struct vitrine_error *err)
{
    struct reader r = {.p = text, .end = text + size, .line = 1};
    struct entry entry = {.matches = false};
    struct word word;
    int rc = read_entries(&r, &word, &entry, query, ret, ret_found, err);

    explicit_bzero(&entry, sizeof(entry));
    explicit_bzero(&word, sizeof(word));
    return rc;
}
