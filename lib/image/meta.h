/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMAGE_META_H
#define VITRINE_IMAGE_META_H

/*
 * The search path that an image wants: what Charliecloud (/ch/environment), Apptainer
 * (/.singularity.d/env) or enroot and PAM (/etc/environment) wrote down. NULL if it says
 * nothing; the caller frees it. Runs as the user; `root` is the image's root directory.
 */
char *meta_search_path(int root);

#endif
