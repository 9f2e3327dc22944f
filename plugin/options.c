/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "options.h"

#include <string.h>

const char *const options_env[OPTIONS_SOURCES] = {
    [OPTIONS_VITRINE_ENV] = "VITRINE_CONTAINER_IMAGE",
    [OPTIONS_PYXIS_ENV] = "PYXIS_CONTAINER_IMAGE",
    [OPTIONS_SUBMIT_ENV] = "SLURM_VITRINE_IMAGE",
};

int options_choose(const char *const texts[OPTIONS_SOURCES], struct options *ret,
                   struct vitrine_error *err)
{
    for (int i = 0; i < OPTIONS_SOURCES; i++) {
        const char *source = options_env[i] ? options_env[i] : "--container-image";
        bool none;

        if (!texts[i] || (options_env[i] && !texts[i][0]))
            continue;
        if (vitrine_image_check(texts[i], &none, err) < 0)
            return vitrine_wrap(err, "%s", source);
        memcpy(ret->image, texts[i], strlen(texts[i]) + 1);
        ret->none = none;
        ret->source = source;
        return 0;
    }
    ret->image[0] = '\0';
    ret->none = false;
    ret->source = NULL;
    return 0;
}
