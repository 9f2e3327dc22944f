/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs in the builder, in a network namespace that has just been created. */
#include "namespace/loopback.h"
#include "base/cleanup.h"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

neg_errno loopback_up(void)
{
    struct ifreq request = {.ifr_name = "lo"};
    cleanup_fd int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (sock < 0 || ioctl(sock, SIOCGIFFLAGS, &request) < 0)
        return -errno;
    request.ifr_flags |= IFF_UP;
    return ioctl(sock, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}
