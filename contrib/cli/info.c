/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finds out about an image: nothing of it is mounted or run. */
#include "info.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/remove.h"
#include "cli.h"
#include "image/arch.h"
#include "image/sqfs.h"
#include "image/trust.h"
#include "peek.h"
#include "spec/imageref.h"
#include "spec/registryref.h"
#include "store/store.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

/* An OCI configuration: build histories make some of them long. */
#define OCI_MAX ((size_t)4 * 1024 * 1024)

#define ELF_HEAD 64

struct wish {
    const char *config, *image;
    bool json, quiet;
};

const char *info_format(const struct info *info)
{
    switch (info->image.kind) {
    case IMAGE_SQUASHFS:
        return "squashfs";
    case IMAGE_SIF:
        return "sif";
    case IMAGE_DIRECTORY:
        break;
    }
    return "directory";
}

const char *info_source(const struct info *info)
{
    switch (info->meta.source) {
    case META_VITRINE:
        return "vitrine";
    case META_ENROOT:
        return "enroot";
    case META_APPTAINER:
        return "apptainer";
    case META_CHARLIECLOUD:
        return "charliecloud";
    case META_PLAIN:
        return "environment";
    case META_NONE:
        break;
    }
    return NULL;
}

/* As uname(2) would say it, of the names that GOARCH has for others. */
static void set_architecture(struct info *info, const char *goarch)
{
    static const char *const names[][2] = {
        {"amd64", "x86_64"},  {"arm64", "aarch64"},     {"386", "i386"},
        {"mipsle", "mipsel"}, {"mips64le", "mips64el"}, {"loong64", "loongarch64"},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(names[i][0], goarch) == 0)
            goarch = names[i][1];
    (void)snprintf(info->architecture, sizeof(info->architecture), "%s", goarch);
}

/* By any program that is there. */
static void find_architecture(struct info *info, struct sqfs *fs)
{
    static const char *const programs[] = {
        "/bin/sh",          "/usr/bin/env",   "/bin/busybox",       "/bin/bash",
        "/usr/bin/python3", "/sbin/ldconfig", "/usr/sbin/ldconfig", "/bin/ls",
    };
    char name[sizeof(info->architecture)];

    if (info->oci && info_oci_architecture(info->oci, name, sizeof(name))) {
        set_architecture(info, name);
        return;
    }
    for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
        cleanup_free char *head = NULL;
        int n = peek_read(fs, programs[i], ELF_HEAD, &head, NULL);
        const struct arch *arch =
            n < 0 ? NULL : arch_by_elf((const uint8_t *)head, (size_t)n);

        if (!arch)
            continue;
        set_architecture(info, arch->name);
        return;
    }
}

static int read_meta(struct info *info, int root, struct vitrine_error *err)
{
    static const char *const none[] = {NULL};

    return meta_read(root, none, &info->meta, err);
}

static int read_file_system(struct info *info, struct sqfs *fs, struct vitrine_error *err)
{
    char path[PEEK_PATH];
    int top = peek_copy_meta(fs, path), rc;

    if (top < 0)
        return error_from(err, VITRINE_EINTERNAL, top,
                          "cannot keep the files that tell about the image below %s",
                          path);
    info->inodes = fs->super.inodes;
    info->made = fs->super.mkfs_time;
    rc = read_meta(info, top, err);
    (void)remove_content(top);
    (void)close(top);
    (void)rmdir(path);
    (void)peek_read(fs, "/.vitrine/config.json", OCI_MAX, &info->oci, NULL);
    find_architecture(info, fs);
    return rc;
}

static int read_image(struct info *info, int fd, struct vitrine_error *err)
{
    struct sqfs fs;
    int rc;

    if (image_probe(fd, info->path, &info->image, err) < 0)
        return -1;
    if (info->image.kind == IMAGE_DIRECTORY)
        return read_meta(info, fd, err);
    if (sqfs_open(&fs, fd, info->image.offset, NULL, err) < 0)
        return vitrine_wrap(err, "cannot read %s", info->path);
    rc = read_file_system(info, &fs, err);
    sqfs_close(&fs);
    return rc;
}

/* A file of the cache is called by the digest of its manifest. */
static void find_digest(struct info *info, const struct config *config)
{
    const struct passwd *who = getpwuid(getuid());
    const char *home = getenv("HOME");
    char dir[PATH_MAX], name[NAME_MAX + 1], images[PATH_MAX + 16], own[STORE_NAME_MAX];
    char digest[VITRINE_DIGEST_MAX];
    struct stat here, cache;
    cleanup_free char *path = realpath(info->path, NULL);

    if (!path || path_split(path, dir, name) < 0 || strncmp(name, "sha256-", 7) != 0)
        return;
    (void)snprintf(digest, sizeof(digest), "sha256:%.64s", name + 7);
    if (!registryref_is_digest(digest))
        return;
    store_name(digest, own);
    cleanup_free char *cache_dir = config_cache_dir(config, who ? who->pw_name : NULL,
                                                    home  ? home
                                                    : who ? who->pw_dir
                                                          : NULL,
                                                    NULL);
    if (strcmp(own, name) != 0 || !cache_dir)
        return;
    (void)snprintf(images, sizeof(images), "%s/images", cache_dir);
    if (stat(dir, &here) == 0 && stat(images, &cache) == 0 &&
        here.st_dev == cache.st_dev && here.st_ino == cache.st_ino)
        memcpy(info->digest, digest, sizeof(digest));
}

/* As lib/container decides, but for what the node can do. */
static void find_trust(struct info *info, const struct config *config, int fd)
{
    struct vitrine_error *why = &info->why_not;

    if (info->image.kind == IMAGE_DIRECTORY)
        (void)vitrine_fail(why, VITRINE_EPOLICY, "it is a directory");
    else if (config->kernel_mount == CONFIG_KERNEL_MOUNT_NEVER)
        (void)vitrine_fail(why, VITRINE_EPOLICY, "KernelMount=never in vitrine.conf");
    else if (!info->image.mountable)
        (void)vitrine_fail(why, VITRINE_EUNSUPPORTED,
                           "Linux cannot mount this layout from a loop device");
    else if (config->kernel_mount == CONFIG_KERNEL_MOUNT_ALWAYS)
        info->is_trusted = true;
    else
        info->is_trusted =
            image_is_trusted(fd, config->trusted_owners, config->ntrusted_owners, why);
}

static int tell(const struct wish *wish, const struct config *config, const char *path,
                struct vitrine_error *err)
{
    struct info info = {.path = path};
    cleanup_fd int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    int rc = 0;

    if (fd < 0 || fstat(fd, &info.st) < 0)
        return vitrine_fail_sys(err, errno == EACCES ? VITRINE_EPERM : VITRINE_ENOIMAGE,
                                "cannot open %s", path);
    if (read_image(&info, fd, err) < 0)
        return -1;
    find_digest(&info, config);
    find_trust(&info, config, fd);
    if (wish->json)
        rc = info_print_json(&info);
    else
        info_print(&info);
    meta_free(&info.meta);
    free(info.oci);
    return rc < 0 ? error_from(err, VITRINE_EINTERNAL, -ENOMEM, "cannot print it") : 0;
}

/* What is no path is imported, unless it is in the cache. */
static int tell_any(const struct wish *wish, const struct config *config,
                    struct vitrine_error *err)
{
    struct vitrine_import_spec spec = {.image = wish->image};
    struct vitrine_imported imported;
    struct imageref ref;

    if (access(wish->image, F_OK) == 0 || imageref_parse(wish->image, &ref, NULL) < 0)
        return tell(wish, config, wish->image, err);
    if (ref.kind == IMAGEREF_NAME && ref.maybe_registry)
        return vitrine_fail(err, VITRINE_ENOIMAGE,
                            "there is no file %s; for an image of a registry write "
                            "docker://%s",
                            wish->image, wish->image);
    if (ref.kind != IMAGEREF_REGISTRY)
        return tell(wish, config, wish->image, err);
    spec.watch = cli_watch(wish->quiet, "importing", wish->image);
    if (cli_import(config, &spec, NULL, &imported, err) < 0)
        return -1;
    cli_watch_end(true);
    return tell(wish, config, imported.path, err);
}

static int run(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"json", no_argument, NULL, 'j'},
        {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct wish wish = {0};
    struct vitrine_error err;
    struct config *config;

    for (int o; (o = cli_option(command, argc, argv, ":c:jqh", options)) != -1;)
        switch (o) {
        case 'c':
            wish.config = optarg;
            break;
        case 'j':
            wish.json = true;
            break;
        case 'q':
            wish.quiet = true;
            break;
        case 'h':
            cli_help(command);
            return CLI_DONE;
        default:
            return CLI_USAGE;
        }
    if (!cli_has_arguments(command, argc, 1, 1))
        return CLI_USAGE;
    wish.image = argv[optind];
    if (cli_config(wish.config, &config, &err) < 0)
        return cli_fail(&err);
    int rc = tell_any(&wish, config, &err);
    config_free(config);
    return rc < 0 ? cli_fail(&err) : CLI_DONE;
}

const struct command command_info = {
    .name = "info",
    .arguments = "[-q] [--json] [--config FILE] FILE|REF",
    .help = "tells what an image is and what it says of itself\n"
            "\n"
            "An image of a registry is imported first, unless it is in the cache.\n"
            "\n"
            "  -j, --json         as JSON, see vitrine(1)\n"
            "  -c, --config FILE  instead of /etc/slurm/vitrine.conf\n"
            "  -q, --quiet        no progress, no remarks\n",
    .run = run,
};
