/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "epilog.h"
#include "report.h"
#include "vitrine.h"

#include <stdint.h>
#include <stdio.h>

void epilog_run(spank_t sp, const char *config_path)
{
    struct vitrine_config *config = NULL;
    struct vitrine_error err;
    char job[16];
    uint32_t id = 0;
    bool known = spank_get_item(sp, S_JOB_ID, &id) == ESPANK_SUCCESS;

    (void)snprintf(job, sizeof(job), "%u", id);
    if (vitrine_config_load(config_path, false, &config, &err) < 0 ||
        vitrine_remove_room(config, known ? job : NULL, &err) < 0)
        report_admin(err.text);
    vitrine_config_free(config);
}
