/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A whole file that somebody gives as an image. */
#include "image/probe.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void claim(bool true_)
{
    if (!true_)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image_info info;
    struct vitrine_error err = {0};
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    claim(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    if (image_probe(fd, "X", &info, &err) == 0)
        claim(info.kind != IMAGE_DIRECTORY && info.size > 0 && info.offset < size &&
              info.size <= size - info.offset && info.compressor_name);
    else
        claim(err.code != VITRINE_OK &&
              strncmp(err.text, "cannot use image X: ", 20) == 0);
    (void)close(fd);
    return 0;
}
