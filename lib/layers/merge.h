/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_LAYERS_MERGE_H
#define VITRINE_LAYERS_MERGE_H

/*
 * What the layers make together, by the rules of the OCI image specification 1.1 (layer),
 * where it leaves questions open as umoci answers them: each is applied in memory to what
 * the lower ones have made, from the lowest up, entry by entry.
 *
 *  - Whiteouts hide what lower layers have, wherever in their own layer they stand.
 *  - What is there already is replaced, unless both are directories; then the new one
 *    gives its attributes.
 *  - The directory in which an entry lies is found through symbolic links, which do not
 *    lead out of the root; what is missing of it is made, for root and with mode 755.
 *  - A hard link's target is what is there at that time.
 */
#include "layers/entries.h"

struct merge_result {
    struct tree_node *root; /* lives as long as the entries */
    uint32_t newest;        /* time of modification */
    bool needs;             /* some entries are needed whose content was passed over */
};

/* `names` are the layers' own, for texts of errors. */
int merge_layers(struct entries *entries, const char *const *names,
                 struct merge_result *ret, struct vitrine_error *err);

#endif
