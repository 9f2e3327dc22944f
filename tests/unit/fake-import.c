/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stands for vitrine-import in test_importer.c, and does what the image's name says:
 * NAME "good" answers with its own arguments, environment and directory in an open file.
 */
#include "base/fd.h"
#include "import/protocol.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define DIGEST                                                                           \
    "sha256:"                                                                            \
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static int describe(int argc, char **argv)
{
    char dir[4096];
    int fd = memfd_create("image", 0);
    FILE *out = fdopen(dup(fd), "w");

    for (int i = 0; i < argc; i++)
        (void)fprintf(out, "%s\n", argv[i]);
    for (char **var = environ; *var; var++)
        (void)fprintf(out, "%s\n", *var);
    (void)fprintf(out, "%s\n", getcwd(dir, sizeof(dir)));
    (void)fclose(out);
    return fd;
}

/* Until the other end is closed. */
static void wait_for_end(void)
{
    struct pollfd poller = {.fd = IMPORT_RESULT_FD};

    (void)poll(&poller, 1, 20000);
}

int main(int argc, char **argv)
{
    struct import_message message = {.ok = 1, .imported = {.digest = DIGEST}};
    const char *what = argc > 2 ? strrchr(argv[2], '/') + 1 : "";
    int fd = -1;

    if (strcmp(what, "good") == 0)
        fd = describe(argc, argv);
    if (strcmp(what, "directory") == 0)
        fd = open("/", O_RDONLY | O_DIRECTORY);
    if (strcmp(what, "killed") == 0)
        (void)raise(SIGKILL);
    if (strcmp(what, "interrupted") == 0)
        (void)raise(SIGINT);
    if (strcmp(what, "silent") == 0)
        return 0;
    if (strcmp(what, "waits") == 0) {
        wait_for_end();
        return 0;
    }
    if (strcmp(what, "odd") == 0)
        (void)snprintf(message.imported.digest, VITRINE_DIGEST_MAX, "sha256:odd");
    if (strcmp(what, "bad") == 0) {
        message.ok = 0;
        message.code = VITRINE_ENOIMAGE;
        (void)snprintf(message.text, sizeof(message.text), "there is no such image");
    }
    if (strcmp(what, "worse") == 0) {
        message.ok = 0;
        message.code = 12345;
        memset(message.text, 'x', sizeof(message.text));
    }
    return fd_send(IMPORT_RESULT_FD, &message, sizeof(message), fd) < 0;
}
