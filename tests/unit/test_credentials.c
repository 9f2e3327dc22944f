/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/credentials.h"
#include "base/limits.h"
#include "registry/credfile.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define N(arr) (sizeof(arr) / sizeof(*(arr)))

/* Base64 of "me:secret". */
#define ME   "bWU6c2VjcmV0"
#define AUTH "{\"auth\":\"" ME "\"}"

/* --- the formats, as text --- */

enum outcome { NONE, FOUND, BAD };

struct expected {
    const char *text, *host, *repository, *user;
    enum outcome outcome;
    const char *result; /* "USER|PASSWORD|TOKEN", or what the message has in it */
};

typedef int (*find_f)(const char *text, size_t size, const struct credfile_query *query,
                      struct credentials *ret, bool *ret_found,
                      struct vitrine_error *err);

static const char *const no_environ[] = {"PATH=", "TOKEN=from env", "EMPTY=", NULL};

static void check(const struct expected *e, find_f find)
{
    const struct credentials_lookup lookup = {.environ = no_environ};
    const struct credfile_query query = {
        .host = e->host,
        .repository = e->repository ? e->repository : "a/b",
        .user = e->user ? e->user : "",
        .file = "FILE",
        .lookup = &lookup,
    };
    struct credentials found = {.user = NULL};
    struct vitrine_error err = {0};
    bool is_found = false;
    char result[256];
    int rc = find(e->text, strlen(e->text), &query, &found, &is_found, &err);

    ck_assert_msg(rc == (e->outcome == BAD ? -1 : 0), "%s: %s", e->text, err.text);
    ck_assert_msg(is_found == (e->outcome == FOUND), "%s", e->text);
    if (e->outcome == BAD) {
        ck_assert_msg(strstr(err.text, e->result) != NULL, "%s: %s", e->text, err.text);
        ck_assert_msg(!strstr(err.text, "secret"), "%s", err.text);
    }
    if (e->outcome != FOUND)
        return;
    (void)snprintf(result, sizeof(result), "%s|%s|%s", found.user ? found.user : "",
                   found.password ? found.password : "",
                   found.identity_token ? found.identity_token : "");
    ck_assert_msg(strcmp(result, e->result) == 0, "%s: %s", e->text, result);
    credentials_free(&found);
    ck_assert(!found.user && !found.password && !found.identity_token);
}

START_TEST(entry_for_the_longest_name_wins)
{
#define NAMED(key, user) "\"" key "\":{\"username\":\"" user "\",\"password\":\"p\"}"
    static const struct expected cases[] = {
        {"", "x.y", NULL, NULL, NONE, ""},
        {"{}", "x.y", NULL, NULL, NONE, ""},
        {"{\"auths\":{}}", "x.y", NULL, NULL, NONE, ""},
        {"{\"auths\":null,\"credsStore\":\"\"}", "x.y", NULL, NULL, NONE, ""},
        {"{\"auths\":{\"x.y\":{}}}", "x.y", NULL, NULL, NONE, ""},
        {"{\"auths\":{\"x.y\":null}}", "x.y", NULL, NULL, NONE, ""},
        {"{\"auths\":{\"x.y\":" AUTH "}}", "x.y", NULL, NULL, FOUND, "me|secret|"},
        {"{\"auths\":{\"X.Y\":" AUTH "}}", "x.y", NULL, NULL, FOUND, "me|secret|"},
        {"{\"auths\":{\"https://x.y\":" AUTH "}}", "x.y", NULL, NULL, FOUND,
         "me|secret|"},
        {"{\"auths\":{\"http://x.y/\":" AUTH "}}", "x.y", NULL, NULL, FOUND,
         "me|secret|"},
        {"{\"auths\":{\"https://x.y/v2/\":" AUTH "}}", "x.y", NULL, NULL, FOUND,
         "me|secret|"},
        {"{\"auths\":{\"x.y/v1/\":" AUTH "}}", "x.y", NULL, NULL, FOUND, "me|secret|"},
        {"{\"auths\":{\"x.y//\":" AUTH "}}", "x.y", NULL, NULL, FOUND, "me|secret|"},
        {"{\"auths\":{\"x.y:443\":" AUTH "}}", "x.y", NULL, NULL, NONE, ""},
        {"{\"auths\":{\"x.y\":" AUTH "}}", "x.y:443", NULL, NULL, NONE, ""},
        {"{\"auths\":{\"x.y\":" AUTH "}}", "x.yz", NULL, NULL, NONE, ""},
        {"{\"auths\":{\"x.yz\":" AUTH "}}", "x.y", NULL, NULL, NONE, ""},
        {"{\"auths\":{\"https://index.docker.io/v1/\":" AUTH "}}", "docker.io", NULL,
         NULL, FOUND, "me|secret|"},
        {"{\"auths\":{\"registry-1.docker.io\":" AUTH "}}", "docker.io", NULL, NULL,
         FOUND, "me|secret|"},
        {"{\"auths\":{\"docker.io\":" AUTH "}}", "index.docker.io", NULL, NULL, NONE, ""},
        {"{\"auths\":{" NAMED("x.y", "1") "," NAMED("x.y/a", "2") "," NAMED(
             "x.y/a/b", "3") "," NAMED("x.y/a/bc", "4") "}}",
         "x.y", "a/b", NULL, FOUND, "3|p|"},
        {"{\"auths\":{" NAMED("x.y/a/b", "3") "," NAMED("x.y/a", "2") "," NAMED("x.y",
                                                                                "1") "}}",
         "x.y", "a/c", NULL, FOUND, "2|p|"},
        {"{\"auths\":{" NAMED("x.y/a/", "2") "," NAMED("x.y", "1") "}}", "x.y", "ab",
         NULL, FOUND, "1|p|"},
        {"{\"auths\":{" NAMED("x.y/a/b/c", "2") "}}", "x.y", "a/b", NULL, NONE, ""},
        {"{\"auths\":{" NAMED("x.y/a", "2") "," NAMED("x.y", "1") "}}", "x.y", "a/b", "1",
         FOUND, "1|p|"},
        {"{\"auths\":{" NAMED("x.y", "1") "}}", "x.y", NULL, "2", NONE, ""},
        /* a token instead of a password */
        {"{\"auths\":{\"x.y\":{\"auth\":\"bWU6\",\"identitytoken\":\"T\"}}}", "x.y", NULL,
         NULL, FOUND, "me||T"},
        {"{\"auths\":{\"x.y\":{\"identitytoken\":\"T\"}}}", "x.y", NULL, NULL, FOUND,
         "||T"},
        /* base64: padding, NULs behind, a colon in the password */
        {"{\"auths\":{\"x.y\":{\"auth\":\"YTpi\"}}}", "x.y", NULL, NULL, FOUND, "a|b|"},
        {"{\"auths\":{\"x.y\":{\"auth\":\"YTpiYw==\"}}}", "x.y", NULL, NULL, FOUND,
         "a|bc|"},
        {"{\"auths\":{\"x.y\":{\"auth\":\"YTpiYw\"}}}", "x.y", NULL, NULL, FOUND,
         "a|bc|"},
        {"{\"auths\":{\"x.y\":{\"auth\":\"YTpiOmM=\"}}}", "x.y", NULL, NULL, FOUND,
         "a|b:c|"},
        {"{\"auths\":{\"x.y\":{\"auth\":\"YTpiAAAA\"}}}", "x.y", NULL, NULL, FOUND,
         "a|b|"},
        {"{\"auths\":{\"x.y\":{\"auth\":\"YTo/Pj8=\"}}}", "x.y", NULL, NULL, FOUND,
         "a|?>?|"},
    };

    for (size_t i = 0; i < N(cases); i++)
        check(&cases[i], authfile_find);
}
END_TEST

START_TEST(bad_entries_are_named)
{
    static const struct expected cases[] = {
        {"x", "x.y", NULL, NULL, BAD, "its JSON is wrong at byte 1"},
        {"[]", "x.y", NULL, NULL, BAD, "its JSON is not an object"},
        {"{\"auths\":[]}", "x.y", NULL, NULL, BAD, "its 'auths' is not an object"},
        {"{\"credsStore\":1}", "x.y", NULL, NULL, BAD, "its 'credsStore' is not a text"},
        {"{\"credHelpers\":[]}", "x.y", NULL, NULL, BAD, "its 'credHelpers' is not"},
        {"{\"credHelpers\":{\"x.y\":1}}", "x.y", NULL, NULL, BAD,
         "its 'x.y' is not a text"},
        {"{\"auths\":{\"x.y\":\"secret\"}}", "x.y", NULL, NULL, BAD,
         "the entry of x.y: it is not an object"},
        {"{\"auths\":{\"x.y\":{\"auth\":7}}}", "x.y", NULL, NULL, BAD,
         "the entry of x.y: its 'auth' is not a text"},
        {"{\"auths\":{\"x.y\":{\"auth\":\"secret!\"}}}", "x.y", NULL, NULL, BAD,
         "the entry of x.y: its 'auth' is not the base64 form of USER:PASSWORD"},
        {"{\"auths\":{\"x.y\":{\"auth\":\"c2VjcmV0\"}}}", "x.y", NULL, NULL, BAD,
         "its 'auth' is not the base64 form"},
        {"{\"auths\":{\"x.y\":{\"auth\":\"YToAYg==\"}}}", "x.y", NULL, NULL, BAD,
         "its 'auth' is not the base64 form"},
        {"{\"auths\":{\"x.y\":{\"auth\":\"====\"}}}", "x.y", NULL, NULL, BAD,
         "its 'auth' is not the base64 form"},
        {"{\"auths\":{\"x.y\":{\"username\":\"a\",\"password\":[\"secret\"]}}}", "x.y",
         NULL, NULL, BAD, "its 'password' is not a text"},
        {"{\"auths\":{\"x.y\":{\"username\":\"a\",\"password\":\"secret\\u0000\"}}}",
         "x.y", NULL, NULL, BAD, "its 'password' has a NUL in it"},
        {"{\"credHelpers\":{\"x.y\":\"../../bin/sh\"}}", "x.y", NULL, NULL, BAD,
         "'../../bin/sh' cannot be the name of a helper"},
        {"{\"credsStore\":\"a b\"}", "x.y", NULL, NULL, BAD, "cannot be the name"},
        {"{\"credsStore\":\"pass\"}", "x.y", NULL, NULL, BAD,
         "it wants the program docker-credential-pass, which is not in PATH"},
        /* of another registry: nobody's business */
        {"{\"auths\":{\"z\":7},\"credHelpers\":{\"z\":7}}", "x.y", NULL, NULL, NONE, ""},
    };

    for (size_t i = 0; i < N(cases); i++)
        check(&cases[i], authfile_find);
}
END_TEST

START_TEST(netrc_is_read_as_enroot_does)
{
    static const struct expected cases[] = {
        {"", "x.y", NULL, NULL, NONE, ""},
        {"\n# nothing\n", "x.y", NULL, NULL, NONE, ""},
        {"machine x.y login a password b", "x.y", NULL, NULL, FOUND, "a|b|"},
        {"machine X.Y\n\tlogin a\r\n password b\n", "x.y", NULL, NULL, FOUND, "a|b|"},
        {"machine x.y password b login a", "x.y", NULL, NULL, FOUND, "a|b|"},
        {"machine x.y password b", "x.y", NULL, NULL, FOUND, "|b|"},
        {"machine x.y login a", "x.y", NULL, NULL, NONE, ""},
        {"machine x.y login a password b", "x.y:5000", NULL, NULL, FOUND, "a|b|"},
        {"machine x.y:5000 login a password b", "x.y:5000", NULL, NULL, FOUND, "a|b|"},
        {"machine x.y:5000 login a password b", "x.y", NULL, NULL, NONE, ""},
        {"machine [: login a password b", "[::1]", NULL, NULL, NONE, ""},
        {"machine x.yz login a password b", "x.y", NULL, NULL, NONE, ""},
        {"machine auth.docker.io login a password b", "docker.io", NULL, NULL, FOUND,
         "a|b|"},
        {"machine x.y login $oauthtoken password b", "x.y", NULL, "$oauthtoken", FOUND,
         "$oauthtoken|b|"},
        {"machine x.y login a password 1 machine x.y login b password 2", "x.y", NULL,
         NULL, FOUND, "a|1|"},
        {"machine x.y login a password 1 machine x.y login b password 2", "x.y", NULL,
         "b", FOUND, "b|2|"},
        {"machine z login a password 1\ndefault login b password 2", "x.y", NULL, NULL,
         FOUND, "b|2|"},
        {"machine x.y login a password 1\ndefault login b password 2", "x.y", NULL, NULL,
         FOUND, "a|1|"},
        {"machine x.y login a account c password b", "x.y", NULL, NULL, FOUND, "a|b|"},
        {"machine x.y login a password \"b c\\\"\\\\\\td\"", "x.y", NULL, NULL, FOUND,
         "a|b c\"\\\td|"},
        {"machine x.y login a password b\\c#d", "x.y", NULL, NULL, FOUND, "a|b\\c#d|"},
        {"machine x.y login a password #b # comment machine x.y", "x.y", NULL, NULL,
         FOUND, "a|#b|"},
        {"# machine x.y login z password z\nmachine x.y login a password b", "x.y", NULL,
         NULL, FOUND, "a|b|"},
        {"macdef init\nmachine x.y login z password z\n\nmachine x.y login a password b",
         "x.y", NULL, NULL, FOUND, "a|b|"},
        {"macdef init\nmachine x.y login z password z", "x.y", NULL, NULL, NONE, ""},
        {"machine x.y login a password \"\"", "x.y", NULL, NULL, FOUND, "a||"},
        /* what enroot has a shell expand */
        {"machine x.y login a password $TOKEN", "x.y", NULL, NULL, FOUND, "a|from env|"},
        {"machine x.y login a password ${TOKEN}", "x.y", NULL, NULL, FOUND,
         "a|from env|"},
        {"machine x.y login a password \"$TOKEN\"", "x.y", NULL, NULL, FOUND,
         "a|from env|"},
        {"machine x.y login a password $EMPTY", "x.y", NULL, NULL, FOUND, "a||"},
        {"machine x.y login a password \\$TOKEN", "x.y", NULL, NULL, FOUND, "a|$TOKEN|"},
        {"machine x.y login a password \"\\$TOKEN\"", "x.y", NULL, NULL, FOUND,
         "a|$TOKEN|"},
        {"machine x.y login a password x$TOKEN", "x.y", NULL, NULL, FOUND, "a|x$TOKEN|"},
        {"machine z login a password $(jq -c '.' $(f) | sed 's/ /x/g')\nmachine x.y "
         "login "
         "a password b",
         "x.y", NULL, NULL, FOUND, "a|b|"},
        {"machine z login a password `f g`\nmachine x.y login a password b", "x.y", NULL,
         NULL, FOUND, "a|b|"},
    };

    for (size_t i = 0; i < N(cases); i++)
        check(&cases[i], netrc_find);
}
END_TEST

START_TEST(bad_netrc_is_told_by_its_line)
{
    static const struct expected cases[] = {
        {"secret", "x.y", NULL, NULL, BAD, "line 1: a word that is not machine"},
        {"\n\nmachine x.y secret", "x.y", NULL, NULL, BAD, "line 3: a word that is not"},
        {"machine", "x.y", NULL, NULL, BAD, "line 1: a value is missing"},
        {"machine x.y login a password", "x.y", NULL, NULL, BAD, "line 1: a value is"},
        {"machine x.y login a\npassword \"secret", "x.y", NULL, NULL, BAD, "line 2: "},
        {"machine x.y login a\npassword \"secret\n\"", "x.y", NULL, NULL, BAD,
         "line 2: "},
        {"\"mach", "x.y", NULL, NULL, BAD, "line 1: a word without its closing quote"},
        {"machine x.y login a password $(secret -x)", "x.y", NULL, NULL, BAD,
         "the password of x.y is a command, $(...), which enroot runs but Vitrine does "
         "not"},
        {"machine x.y login a password $(secret", "x.y", NULL, NULL, BAD, "is a command"},
        {"machine x.y login a password \"$(secret)\"", "x.y", NULL, NULL, BAD,
         "a command"},
        {"machine x.y login a password `secret`", "x.y", NULL, NULL, BAD, "is a command"},
        {"machine x.y login a password $NOT_SET", "x.y", NULL, NULL, BAD,
         "the password of x.y is $NOT_SET, a variable that is not set"},
        {"machine x.y login a password $TOKEN-secret", "x.y", NULL, NULL, BAD,
         "begins with '$' but is not $NAME"},
        {"machine x.y login a password ${TOKEN", "x.y", NULL, NULL, BAD,
         "begins with '$'"},
        {"machine x.y login a password ${TOKEN:-secret}", "x.y", NULL, NULL, BAD,
         "begins with '$'"},
        {"machine x.y login a password $1secret", "x.y", NULL, NULL, BAD,
         "begins with '$'"},
        {"machine x.y login a password $", "x.y", NULL, NULL, BAD, "begins with '$'"},
    };

    for (size_t i = 0; i < N(cases); i++)
        check(&cases[i], netrc_find);

    char *text = malloc(LIMIT_NETRC_WORD + 100);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', LIMIT_NETRC_WORD + 99);
    memcpy(text, "machine ", 8);
    text[LIMIT_NETRC_WORD + 99] = '\0';
    struct expected too_long = {text, "x.y", NULL, NULL, BAD, "or too long"};
    check(&too_long, netrc_find);
    free(text);
}
END_TEST

/* --- files and programs --- */

static char dir[64];

static void make_dir(void)
{
    (void)strcpy(dir, "/tmp/vitrine-credentials-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void remove_dir(void)
{
    char command[128];

    (void)snprintf(command, sizeof(command), "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static void put(const char *name, mode_t mode, const char *text)
{
    char path[256];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    for (char *slash = path + strlen(dir) + 1; (slash = strchr(slash, '/'));
         *slash++ = '/') {
        *slash = '\0';
        (void)mkdir(path, 0700);
    }
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}

static int look(const char *const *environ, const char *host, struct credentials *ret,
                struct vitrine_error *err)
{
    const struct credentials_lookup lookup = {.home = dir, .environ = environ};

    *ret = (struct credentials){.user = NULL};
    return credentials_find(&lookup, host, "a/b", "", ret, err);
}

START_TEST(files_are_asked_in_their_order)
{
    static const char *const names[] = {
        "run/containers/auth.json",
        ".config/containers/auth.json",
        ".docker/config.json",
        ".config/enroot/.credentials",
    };
    char runtime[128], text[128], path[256];
    const char *environ[] = {runtime, NULL};
    struct vitrine_error err = {0};
    struct credentials found;

    (void)snprintf(runtime, sizeof(runtime), "XDG_RUNTIME_DIR=%s/run", dir);
    ck_assert_int_eq(look(environ, "x.y", &found, &err), 0);
    ck_assert(!found.user && !found.password && !found.identity_token);
    ck_assert_str_eq(found.source, "");
    for (size_t i = N(names); i-- > 0;) {
        if (i == 3)
            (void)snprintf(text, sizeof(text), "machine x.y login %zu password p", i);
        else
            (void)snprintf(
                text, sizeof(text),
                "{\"auths\":{\"x.y\":{\"username\":\"%zu\",\"password\":\"p\"}}}", i);
        put(names[i], 0644, text);
        ck_assert_msg(look(environ, "x.y", &found, &err) == 0, "%s", err.text);
        ck_assert_int_eq(atoi(found.user), (int)i);
        (void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        ck_assert_str_eq(found.source, path);
        credentials_free(&found);
    }
}
END_TEST

START_TEST(variables_move_the_files)
{
    static const struct {
        const char *variable, *name;
    } cases[] = {
        {"REGISTRY_AUTH_FILE=", "own"},
        {"XDG_CONFIG_HOME=", "cfg/containers/auth.json"},
        {"DOCKER_CONFIG=", "dkr/config.json"},
        {"ENROOT_CONFIG_PATH=", "enr/.credentials"},
        {"XDG_CONFIG_HOME=", "cfg2/enroot/.credentials"},
    };

    for (size_t i = 0; i < N(cases); i++) {
        char variable[512];
        const char *environ[] = {variable, NULL};
        struct vitrine_error err = {0};
        struct credentials found;

        /* The file itself, or the directory that the tool's own name is in. */
        int n = snprintf(variable, sizeof(variable), "%s%s/", cases[i].variable, dir);
        (void)snprintf(variable + n, sizeof(variable) - (size_t)n, "%s", cases[i].name);
        variable[(size_t)n + strcspn(cases[i].name, "/")] = '\0';
        put(cases[i].name, 0600,
            strstr(cases[i].name, ".cred") ? "default login me password p"
                                           : "{\"auths\":{\"x.y\":" AUTH "}}");
        ck_assert_msg(look(environ, "x.y", &found, &err) == 0, "%s", err.text);
        ck_assert_str_eq(found.user, "me");
        credentials_free(&found);
        ck_assert_int_eq(look(NULL, "x.y", &found, &err), 0);
        ck_assert_ptr_null(found.user);
    }
}
END_TEST

START_TEST(bad_file_is_an_error_that_names_it)
{
    struct vitrine_error err = {0};
    struct credentials found;
    char path[256], *big = malloc(LIMIT_CREDENTIALS + 2);

    put(".docker/config.json", 0600, "{");
    (void)snprintf(path, sizeof(path),
                   "credentials in %s/.docker/config.json: its JSON is cut off", dir);
    ck_assert_int_eq(look(NULL, "x.y", &found, &err), -1);
    ck_assert_str_eq(err.text, path);

    ck_assert_ptr_nonnull(big);
    memset(big, ' ', LIMIT_CREDENTIALS + 1);
    big[LIMIT_CREDENTIALS + 1] = '\0';
    put(".docker/config.json", 0600, big);
    free(big);
    ck_assert_int_eq(look(NULL, "x.y", &found, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "it is longer than 1048576 bytes"));

    (void)snprintf(path, sizeof(path), "%s/.docker/config.json", dir);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(look(NULL, "x.y", &found, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "it is not a regular file"));
}
END_TEST

static char path_variable[128];
static const char *helper_environ[] = {path_variable, "GREETING=hello", NULL};

static void use_helper(const char *script)
{
    (void)snprintf(path_variable, sizeof(path_variable), "PATH=::relative:%s/bin:/bin",
                   dir);
    put("bin/docker-credential-test", 0700, script);
}

START_TEST(helpers_are_asked)
{
    struct vitrine_error err = {0};
    struct credentials found;

    ck_assert_int_eq(dup2(0, 50), 50);
    use_helper("#!/bin/sh\n"
               "[ \"$#\" = 1 ] && [ \"$1\" = get ] || exit 9\n"
               "[ ! -e /proc/self/fd/50 ] || exit 8\n"
               "printf '{\"ServerURL\":\"x\",\"Username\":\"%s\",\"Secret\":\"%s\"}\\n' "
               "\"$(cat)\" \"$GREETING\"\n");
    put(".docker/config.json", 0600,
        "{\"auths\":{\"x.y\":" AUTH "},\"credHelpers\":{\"x.y\":\"test\"}}");
    ck_assert_msg(look(helper_environ, "x.y", &found, &err) == 0, "%s", err.text);
    ck_assert_str_eq(found.user, "x.y");
    ck_assert_str_eq(found.password, "hello");
    credentials_free(&found);

    /* What the file has itself goes before a helper for all. */
    put(".docker/config.json", 0600,
        "{\"auths\":{\"x.y\":" AUTH ",\"z\":{}},\"credsStore\":\"test\"}");
    ck_assert_msg(look(helper_environ, "x.y", &found, &err) == 0, "%s", err.text);
    ck_assert_str_eq(found.user, "me");
    credentials_free(&found);
    ck_assert_msg(look(helper_environ, "docker.io", &found, &err) == 0, "%s", err.text);
    ck_assert_str_eq(found.user, "https://index.docker.io/v1/");
    credentials_free(&found);

    put("bin/docker-credential-test", 0700,
        "#!/bin/sh\necho '{\"Username\":\"<token>\",\"Secret\":\"T\"}'\n");
    ck_assert_msg(look(helper_environ, "z", &found, &err) == 0, "%s", err.text);
    ck_assert(!found.user && !found.password);
    ck_assert_str_eq(found.identity_token, "T");
    credentials_free(&found);
}
END_TEST

START_TEST(helper_without_an_answer_is_not_an_answer)
{
    static const struct {
        const char *script, *reason; /* NULL: none */
    } cases[] = {
        {"#!/bin/sh\necho credentials not found in native keychain; exit 1\n", NULL},
        {"#!/bin/sh\necho secret; exit 1\n", "which it names, fails; try echo x.y | "},
        {"#!/bin/sh\necho '{\"Secret\":\"secret\"}'; exit 1\n", "which it names, fails"},
        {"#!/bin/sh\nkill -9 $$\n", "which it names, fails"},
        {"#!/bin/sh\n", "does not answer as helpers do"},
        {"#!/bin/sh\necho secret\n", "does not answer as helpers do"},
        {"#!/bin/sh\necho '{\"Username\":\"a\"}'\n", "does not answer as helpers do"},
        {"#!/bin/sh\necho '{\"Username\":7,\"Secret\":\"secret\"}'\n",
         "does not answer as"},
        {"#!/bin/sh\nexec 0<&-; head -c 70000 /dev/zero\n", "says too much"},
        {"not a program\n", "cannot run "},
    };

    put(".docker/config.json", 0600, "{\"credsStore\":\"test\"}");
    for (size_t i = 0; i < N(cases); i++) {
        struct vitrine_error err = {0};
        struct credentials found;
        int rc;

        use_helper(cases[i].script);
        rc = look(helper_environ, "x.y", &found, &err);
        ck_assert_msg(rc == (cases[i].reason ? -1 : 0), "%s: %s", cases[i].script,
                      err.text);
        ck_assert(!found.user && !found.password);
        if (!cases[i].reason)
            continue;
        ck_assert_msg(strstr(err.text, cases[i].reason) != NULL, "%s: %s",
                      cases[i].script, err.text);
        ck_assert_msg(!strstr(err.text, "secret"), "%s", err.text);
        ck_assert_ptr_nonnull(strstr(err.text, "docker-credential-test"));
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("credentials");
    TCase *texts = tcase_create("texts"), *files = tcase_create("files");

    tcase_add_test(texts, entry_for_the_longest_name_wins);
    tcase_add_test(texts, bad_entries_are_named);
    tcase_add_test(texts, netrc_is_read_as_enroot_does);
    tcase_add_test(texts, bad_netrc_is_told_by_its_line);
    suite_add_tcase(suite, texts);
    tcase_add_checked_fixture(files, make_dir, remove_dir);
    tcase_add_test(files, files_are_asked_in_their_order);
    tcase_add_test(files, variables_move_the_files);
    tcase_add_test(files, bad_file_is_an_error_that_names_it);
    tcase_add_test(files, helpers_are_asked);
    tcase_add_test(files, helper_without_an_answer_is_not_an_answer);
    suite_add_tcase(suite, files);
    return suite;
}

UNIT_MAIN(make_suite)
