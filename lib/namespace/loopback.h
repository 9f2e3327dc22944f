/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_NAMESPACE_LOOPBACK_H
#define VITRINE_NAMESPACE_LOOPBACK_H

#include "base/error.h"

/* Brings up the loopback device of the calling process's network namespace, which a new
 * one has down. Needs CAP_NET_ADMIN in its user namespace. */
neg_errno loopback_up(void);

#endif
