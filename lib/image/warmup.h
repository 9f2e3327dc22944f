/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_IMAGE_WARMUP_H
#define VITRINE_IMAGE_WARMUP_H

/*
 * Reads into the page cache what nearly every program of an image starts with: its loader
 * and its C library. `root` is the image's root directory or its detached mount. For the
 * time in which another process does something else: ends when the descriptor `until` has
 * something to read. Finds nothing in a static image.
 */
void image_warm_up(int root, int until);

#endif
