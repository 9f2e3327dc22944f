/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of whose variable wins. What is in no row is the image's where it says
 * something, since its programs were built with it (CUDA_HOME, LANG, JAVA_HOME), and else
 * the host's, since the user or his modules have set it (OMP_PROC_BIND, MY_DATA).
 *
 * The table is of names that images are known to set, or that would break what the
 * container promises: the same user, the same job, the same node as outside.
 */
#include "environ/rules.h"

#include <stdbool.h>
#include <string.h>

static const struct {
    const char *name; /* or its beginning, with * */
    enum rules_class class;
} rules[] = {
    /* The user: many images say HOME=/root, and ~ must be his home. */
    {"HOME", RULES_HOST},
    {"USER", RULES_HOST},
    {"LOGNAME", RULES_HOST},
    {"SHELL", RULES_HOST},
    {"MAIL", RULES_HOST},
    {"KRB5CCNAME", RULES_HOST}, /* his tickets */
    {"SSH_*", RULES_HOST},      /* his agent, and where he comes from */
    {"XDG_RUNTIME_DIR", RULES_HOST},
    {"XDG_SESSION_*", RULES_HOST},
    {"DBUS_SESSION_BUS_ADDRESS", RULES_HOST},
    {"DISPLAY", RULES_HOST}, /* his screen: one in an image is its builder's */
    {"WAYLAND_DISPLAY", RULES_HOST},
    {"XAUTHORITY", RULES_HOST},
    /* What he may have chosen, but an image may have a default for. */
    {"TERM", RULES_HOST_IF_SET},
    {"COLORTERM", RULES_HOST_IF_SET},
    {"EDITOR", RULES_HOST_IF_SET},
    {"PAGER", RULES_HOST_IF_SET},
    {"XDG_CACHE_HOME", RULES_HOST_IF_SET},
    {"XDG_CONFIG_HOME", RULES_HOST_IF_SET},
    {"XDG_DATA_HOME", RULES_HOST_IF_SET},
    {"XDG_STATE_HOME", RULES_HOST_IF_SET},
    {"VIRTUAL_ENV", RULES_HOST_IF_SET}, /* an active one is in front of PATH, too */

    /* The process: where it is, and how it came there. */
    {"PWD", RULES_HOST},
    {"OLDPWD", RULES_HOST},
    {"SHLVL", RULES_HOST},
    {"_", RULES_HOST},

    /* The node. The container has its /etc/localtime and its name. */
    {"HOSTNAME", RULES_HOST},
    {"HOST", RULES_HOST},
    {"TZ", RULES_HOST},
    /* Its /tmp is shown, often with a directory for the job in it. */
    {"TMPDIR", RULES_HOST},
    {"TMP", RULES_HOST},
    {"TEMP", RULES_HOST},
    /* How to get out of the cluster's network. */
    {"http_proxy", RULES_HOST_IF_SET},
    {"https_proxy", RULES_HOST_IF_SET},
    {"ftp_proxy", RULES_HOST_IF_SET},
    {"all_proxy", RULES_HOST_IF_SET},
    {"no_proxy", RULES_HOST_IF_SET},
    {"HTTP_PROXY", RULES_HOST_IF_SET},
    {"HTTPS_PROXY", RULES_HOST_IF_SET},
    {"FTP_PROXY", RULES_HOST_IF_SET},
    {"ALL_PROXY", RULES_HOST_IF_SET},
    {"NO_PROXY", RULES_HOST_IF_SET},
    /* How to use its fabric: the site and the user know, an image's builder guessed. */
    {"NCCL_*", RULES_HOST_IF_SET},
    {"UCX_*", RULES_HOST_IF_SET},
    {"FI_*", RULES_HOST_IF_SET},
    {"OMPI_MCA_*", RULES_HOST_IF_SET},
    {"MPICH_*", RULES_HOST_IF_SET},

    /* The job. Slurm sets these for each task; an image built in a job has another's. */
    {"SLURM_*", RULES_HOST},
    {"SLURMD_*", RULES_HOST},
    {"SBATCH_*", RULES_HOST},
    {"SALLOC_*", RULES_HOST},
    {"SRUN_*", RULES_HOST},
    {"SPANK_*", RULES_HOST},
    {"PMI_*", RULES_HOST},
    {"PMI2_*", RULES_HOST},
    {"PMIX_*", RULES_HOST},
    {"PALS_*", RULES_HOST},
    /* The devices that the job has been given: an image's 0 may be another job's. */
    {"CUDA_VISIBLE_DEVICES", RULES_HOST},
    {"CUDA_MPS_PIPE_DIRECTORY", RULES_HOST},
    {"CUDA_MPS_LOG_DIRECTORY", RULES_HOST},
    {"GPU_DEVICE_ORDINAL", RULES_HOST},
    {"ROCR_VISIBLE_DEVICES", RULES_HOST},
    {"HIP_VISIBLE_DEVICES", RULES_HOST},
    {"ZE_AFFINITY_MASK", RULES_HOST},
    /* Addressed to the container runtime: what an image asks for ("all", "compute"),
     * unless the user asks for something. */
    {"NVIDIA_VISIBLE_DEVICES", RULES_HOST_IF_SET},
    {"NVIDIA_DRIVER_CAPABILITIES", RULES_HOST_IF_SET},
    {"OMP_NUM_THREADS", RULES_HOST_IF_SET}, /* follows --cpus-per-task */

    /* Ours, and those of the runtimes whose jobs run here: options of the user. */
    {"VITRINE_*", RULES_HOST},
    {"PYXIS_*", RULES_HOST},
    {"ENROOT_*", RULES_HOST},

    /* The loader and the C library would take the host's libraries into the image's
     * programs: another C library at best does not load, at worst crashes. Those that
     * only say how (LD_BIND_NOW, LD_DEBUG) do no harm, and are the user's. */
    {"LD_LIBRARY_PATH", RULES_SYSTEM},
    {"LD_PRELOAD", RULES_SYSTEM},
    {"LD_AUDIT", RULES_SYSTEM},
    {"LD_ORIGIN_PATH", RULES_SYSTEM},
    {"GCONV_PATH", RULES_SYSTEM}, /* modules of the C library */
    {"LOCPATH", RULES_SYSTEM},    /* locales, of one version of the C library */
};

const char *const rules_system[] = {
    "LD_LIBRARY_PATH", "LD_PRELOAD", "LD_AUDIT", "LD_ORIGIN_PATH",
    "GCONV_PATH",      "LOCPATH",    NULL};

static bool is_meant(const char *row, const char *name, size_t len)
{
    size_t n = strlen(row);

    if (row[n - 1] == '*')
        return len >= n - 1 && memcmp(row, name, n - 1) == 0;
    return len == n && memcmp(row, name, n) == 0;
}

enum rules_class rules_of(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
        if (is_meant(rules[i].name, name, len))
            return rules[i].class;
    return RULES_IMAGE;
}
