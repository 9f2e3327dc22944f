/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A SIF file: the partition that is found lies inside of it. */
#include "image/sif.h"
#include "base/limits.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void claim(bool true_)
{
    if (!true_)
        abort();
}

static int find(const uint8_t *data, size_t size, struct sif_partition *ret,
                struct vitrine_error *err)
{
    struct sif_header header;

    if (sif_parse_header(data, size, size, &header, err) < 0)
        return -1;
    claim(header.descriptors > 0 && header.descriptors <= LIMIT_SIF_DESCRIPTORS);
    claim(header.table <= size &&
          size - header.table >= (size_t)header.descriptors * SIF_DESCRIPTOR_SIZE);
    return sif_find_system(data + header.table, header.descriptors, size, ret, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sif_partition part;
    struct vitrine_error err = {0};

    if (find(data, size, &part, &err) == 0)
        claim(part.size > 0 && part.offset >= SIF_HEADER_SIZE && part.offset < size &&
              part.size <= size - part.offset);
    else
        claim(err.code != VITRINE_OK && err.text[0] != '\0');
    return 0;
}
