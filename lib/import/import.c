/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public face of it: `struct vitrine_config` is `struct config`. */
#include "import/conduct.h"

int vitrine_import(const struct vitrine_config *config,
                   const struct vitrine_import_spec *spec, struct vitrine_imported *ret,
                   struct vitrine_error *err)
{
    struct vitrine_error none;

    return conduct_import((const struct config *)(const void *)config, spec, NULL, ret,
                          NULL, err ? err : &none);
}

int vitrine_import_file(const struct vitrine_config *config,
                        const struct vitrine_import_spec *spec, const char *file,
                        char ret_digest[VITRINE_DIGEST_MAX], struct vitrine_error *err)
{
    struct vitrine_error none;

    return conduct_import_file((const struct config *)(const void *)config, spec, file,
                               NULL, ret_digest, err ? err : &none);
}
