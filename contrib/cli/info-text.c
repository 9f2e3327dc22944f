/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"
#include "info.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void print(const char *label, const char *text)
{
    (void)printf("%-13s ", label);
    cli_print_text(text);
    (void)putchar('\n');
}

static void print_list(const char *label, char *const *list)
{
    for (; list && *list; list++) {
        print(label, *list);
        label = "";
    }
}

/* Words as a shell would take them. */
static void print_words(const char *label, char *const *words)
{
    if (!words)
        return;
    (void)printf("%-13s", label);
    for (; *words; words++) {
        (void)printf(" '");
        for (const char *p = *words; *p;) {
            size_t n = strcspn(p, "'");

            cli_print_bytes(p, n);
            p += n;
            if (*p && p++)
                (void)printf("'\\''");
        }
        (void)putchar('\'');
    }
    (void)putchar('\n');
}

static void print_label(void *arg, const char *name, const char *value)
{
    const char **label = arg;

    (void)printf("%-13s ", *label);
    cli_print_text(name);
    (void)putchar('=');
    cli_print_text(value);
    (void)putchar('\n');
    *label = "";
}

static void print_file(const struct info *info)
{
    const struct image_info *image = &info->image;
    time_t made = (time_t)info->made;
    struct tm tm;
    char text[64];

    if (image->kind == IMAGE_DIRECTORY) {
        print("Format:", "directory");
        return;
    }
    (void)printf("%-13s %s, %s, blocks of %" PRIu32 " KiB\n",
                 "Format:", image->kind == IMAGE_SIF ? "SIF with SquashFS" : "SquashFS",
                 image->compressor_name, image->block_size / 1024);
    (void)printf("%-13s %jd bytes, %.1f MB\n", "Size:", (intmax_t)info->st.st_size,
                 (double)info->st.st_size / 1e6);
    (void)printf("%-13s %" PRIu32 "\n", "Files:", info->inodes);
    if (gmtime_r(&made, &tm) && strftime(text, sizeof(text), "%F %T UTC", &tm) > 0)
        print("Made:", text);
}

void info_print(const struct info *info)
{
    const char *source = info_source(info), *label = "Labels:";

    print("Path:", info->path);
    print_file(info);
    if (info->architecture[0])
        print("Architecture:", info->architecture);
    if (info->digest[0])
        print("Digest:", info->digest);
    if (info->is_trusted)
        print("Mounted by:", "the kernel");
    else if (info->image.kind != IMAGE_DIRECTORY)
        (void)printf("%-13s FUSE: %s\n", "Mounted by:", info->why_not.text);
    if (source)
        print("Metadata of:", source);
    print_words("Entry point:", info->meta.entrypoint);
    print_words("Command:", info->meta.cmd);
    if (info->meta.workdir)
        print("Directory:", info->meta.workdir);
    if (info->meta.user)
        print("User:", info->meta.user);
    print_list("Volumes:", info->meta.volumes);
    print_list("Environment:", info->meta.env);
    if (info->oci)
        info_labels(info->oci, print_label, &label);
}
