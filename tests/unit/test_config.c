/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config/config.h"
#include "base/limits.h"
#include "config_text.h"

#include <stdio.h>
#include <string.h>

static void expect_image(const struct config *config, const char *partition,
                         const char *image, bool required)
{
    const struct config_image *found = config_image_for(config, partition);

    ck_assert_pstr_eq(found ? found->image : NULL, image);
    ck_assert_int_eq(found && found->required, required);
}

START_TEST(empty_file_gives_defaults)
{
    static const char *const texts[] = {"", "\n", "# Image=/x", " \t\r\n\n  # x \\\n"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct config *config = parse(texts[i]);

        ck_assert_int_eq(config->kernel_mount, CONFIG_KERNEL_MOUNT_TRUSTED);
        ck_assert(config->mount_host);
        ck_assert_uint_eq(config->nimage_dirs + config->npartitions +
                              config->ntrusted_owners + config->nmount_include +
                              config->nmount_exclude,
                          0);
        expect_image(config, "gpu", NULL, false);
        expect_image(config, NULL, NULL, false);
        ck_assert(!config_has_required(config));
        config_free(config);
    }
}
END_TEST

START_TEST(every_key_is_known)
{
    struct config *config = parse("# the site's\n"
                                  "Image=/img/a.sqfs Required=yes # both\n"
                                  "ImageDir=/img,/more/img\n"
                                  "KernelMount=never\tTrustedOwner=5,root,4294967294\r\n"
                                  "MountHost=none MountInclude=\"/a b,/scratch\"\n"
                                  "MountExclude=/secret");

    expect_image(config, "gpu", "/img/a.sqfs", true);
    ck_assert_uint_eq(config->global.line, 2);
    ck_assert(config_has_required(config));
    ck_assert_uint_eq(config->nimage_dirs, 2);
    ck_assert_str_eq(config->image_dirs[0], "/img");
    ck_assert_str_eq(config->image_dirs[1], "/more/img");
    ck_assert_int_eq(config->kernel_mount, CONFIG_KERNEL_MOUNT_NEVER);
    ck_assert_uint_eq(config->ntrusted_owners, 3);
    ck_assert_uint_eq(config->trusted_owners[0], 5);
    ck_assert_uint_eq(config->trusted_owners[1], 0);
    ck_assert_uint_eq(config->trusted_owners[2], 4294967294);
    ck_assert(!config->mount_host);
    ck_assert_uint_eq(config->nmount_include, 2);
    ck_assert_str_eq(config->mount_include[0], "/a b");
    ck_assert_str_eq(config->mount_include[1], "/scratch");
    ck_assert_uint_eq(config->nmount_exclude, 1);
    ck_assert_str_eq(config->mount_exclude[0], "/secret");
    config_free(config);
}
END_TEST

START_TEST(case_of_keys_and_words_does_not_matter)
{
    struct config *config = parse("IMAGE=/A required=YES kernelmount=Always\n"
                                  "mounthost=AUTO\n"
                                  "partitionname=gpu image=NONE");

    expect_image(config, "cpu", "/A", true);
    expect_image(config, "gpu", NULL, false);
    ck_assert_int_eq(config->kernel_mount, CONFIG_KERNEL_MOUNT_ALWAYS);
    config_free(config);
}
END_TEST

START_TEST(partition_goes_before_the_global_image)
{
    struct config *config = parse("PartitionName=gpu,big Image=/g.sqfs Required=yes\n"
                                  "Image=/all.sqfs\n"
                                  "Required=no\n"
                                  "Image=none PartitionName=bare\n"
                                  "PartitionName=Gpu Image=\"/G#1.sqfs\"");

    expect_image(config, "gpu", "/g.sqfs", true);
    expect_image(config, "big", "/g.sqfs", true);
    expect_image(config, "Gpu", "/G#1.sqfs", false);
    expect_image(config, "bare", NULL, false);
    expect_image(config, "other", "/all.sqfs", false);
    expect_image(config, "gp", "/all.sqfs", false);
    expect_image(config, "gpu,big", "/all.sqfs", false);
    expect_image(config, "", "/all.sqfs", false);
    expect_image(config, NULL, "/all.sqfs", false);
    ck_assert_uint_eq(config_image_for(config, "Gpu")->line, 5);
    ck_assert(config_has_required(config));
    config_free(config);
}
END_TEST

START_TEST(partition_does_not_inherit_required)
{
    struct config *config = parse("Image=/all Required=yes\n"
                                  "PartitionName=free Image=/all\n"
                                  "PartitionName=bare Image=none Required=no");

    expect_image(config, "other", "/all", true);
    expect_image(config, "free", "/all", false);
    expect_image(config, "bare", NULL, false);
    config_free(config);
}
END_TEST

START_TEST(bare_name_stands_for_a_file_in_the_first_image_dir)
{
    struct config *config = parse("Image=a.sqfs\n"
                                  "PartitionName=gpu Image=sub/ubuntu:22.04\n"
                                  "ImageDir=/img,/more");

    expect_image(config, NULL, "/img/a.sqfs", false);
    expect_image(config, "gpu", "/img/sub/ubuntu:22.04", false);
    config_free(config);
}
END_TEST

START_TEST(default_image_may_be_in_a_registry)
{
    struct config *config = parse("Image=docker://debian:12\n"
                                  "PartitionName=gpu Image=\"nvcr.io#nvidia/cuda:12\"\n"
                                  "PartitionName=cpu Image=/x");

    expect_image(config, "other", "docker://debian:12", false);
    expect_image(config, "gpu", "nvcr.io#nvidia/cuda:12", false);
    ck_assert(config->global.imported);
    ck_assert(!config_image_for(config, "cpu")->imported);
    config_free(config);
}
END_TEST

START_TEST(thousands_of_partitions_are_found)
{
    char *text = NULL, name[16];
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    for (int i = 0; i < 5000; i++)
        (void)fprintf(out, "PartitionName=p%d,q%d Image=/%d\n", i * 7919 % 5000, i, i);
    ck_assert_int_eq(fclose(out), 0);
    struct config *config = parse(text);
    ck_assert_uint_eq(config->npartitions, 10000);
    for (int i = 0; i < 5000; i++) {
        char image[16];

        (void)snprintf(image, sizeof(image), "/%d", i);
        (void)snprintf(name, sizeof(name), "q%d", i);
        expect_image(config, name, image, false);
        (void)snprintf(name, sizeof(name), "p%d", i * 7919 % 5000);
        expect_image(config, name, image, false);
    }
    config_free(config);
    free(text);
}
END_TEST

/* One mistake each; the message is for whoever made it. */
static const struct {
    const char *text, *message;
} mistakes[] = {
    /* syntax */
    {"Image", "conf:1: expected Key=Value without blanks around '=', not 'Image'"},
    {"\n\nImage = /x",
     "conf:3: expected Key=Value without blanks around '=', not 'Image'"},
    {"=x", "conf:1: expected Key=Value without blanks around '=', not '='"},
    {"Image#x", "conf:1: expected Key=Value without blanks around '=', not 'Image'"},
    {"include /x", "conf:1: expected Key=Value without blanks around '=', not 'include'"},
    {"Image=", "conf:1: Image has no value"},
    {"Image=\"\"", "conf:1: Image has no value"},
    {"Image= /x", "conf:1: Image has no value"},
    {"Image=\"/x", "conf:1: Image: the closing '\"' is missing"},
    {"Image=\"", "conf:1: Image: the closing '\"' is missing"},
    {"Image=\"/x\"y", "conf:1: Image: a blank must follow the closing '\"'"},
    {"Image=\"/x\"# y", "conf:1: Image: a blank must follow the closing '\"'"},
    {"Image=/x\"y\"", "conf:1: Image: a value with '\"' in it must be put in double "
                      "quotes, and a comment needs a blank before it"},
    {"Image=/x#y", "conf:1: Image: a value with '#' in it must be put in double quotes, "
                   "and a comment needs a blank before it"},
    {"Image=/x Required=yes \\\n",
     "conf:1: a line cannot be continued with '\\' on the next one"},
    {"Image=/x\\\r\n", "conf:1: a line cannot be continued with '\\' on the next one"},
    {"Image=/x\033", "conf:1: byte 9 of the line is a control character"},
    {"#\177", "conf:1: byte 2 of the line is a control character"},
    /* keys */
    {"Imgae=/x", "conf:1: unknown key 'Imgae'; did you mean 'Image'?"},
    {"images=/x", "conf:1: unknown key 'images'; did you mean 'Image'?"},
    {"Image-Dir=/x", "conf:1: unknown key 'Image-Dir'; did you mean 'ImageDir'?"},
    {"Partition=x", "conf:1: unknown key 'Partition'; did you mean 'PartitionName'?"},
    {"RemapRoot=maybe", "conf:1: RemapRoot must be yes or no, not 'maybe'"},
    {"Compat=enroot", "conf:1: Compat must be pyxis or none, not 'enroot'"},
    {"ContainerScope=global", "conf:1: ContainerScope must be job or user, not 'global'"},
    {"ContainerDir=/", "conf:1: ContainerDir: '/' is not an absolute path free of '.', "
                       "'..', and needless slashes"},
    {"ContainerDir=scratch",
     "conf:1: ContainerDir: 'scratch' is not an absolute path free of '.', "
     "'..', and needless slashes"},
    {"ContainerDir=/a/../b",
     "conf:1: ContainerDir: '/a/../b' is not an absolute path free of '.', "
     "'..', and needless slashes"},
    {"WritableSize=much",
     "conf:1: WritableSize: 'much' is not a size, as in 500M, 16G or 25%"},
    {"WritableSize=0", "conf:1: WritableSize: '0' is not a size, as in 500M, 16G or 25%"},
    {"WritableSize=10GB",
     "conf:1: WritableSize: '10GB' is not a size, as in 500M, 16G or 25%"},
    {"WritableSize=-1",
     "conf:1: WritableSize: '-1' is not a size, as in 500M, 16G or 25%"},
    {"WritableSize=1,size=2",
     "conf:1: WritableSize: '1,size=2' is not a size, as in 500M, 16G or 25%"},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=x",
     "conf:1: unknown key 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'"},
    {"Image=/x image=/x", "conf:1: Image is twice on this line"},
    {"ImageDir=/x\n\nImageDir=/y", "conf:3: ImageDir is already set in line 1"},
    {"Image=/x\nRequired=no Image=/x", "conf:2: Image is already set in line 1"},
    /* words */
    {"Required=maybe", "conf:1: Required must be yes or no, not 'maybe'"},
    {"KernelMount=trust",
     "conf:1: KernelMount must be trusted, always or never, not 'trust'"},
    {"MountHost=yes", "conf:1: MountHost must be auto or none, not 'yes'"},
    /* paths */
    {"ImageDir=x", "conf:1: ImageDir: 'x' is not an absolute path free of '.', '..', and "
                   "needless slashes"},
    {"ImageDir=/x,,/y", "conf:1: ImageDir: '' is not an absolute path free of '.', '..', "
                        "and needless slashes"},
    {"MountInclude=/x/", "conf:1: MountInclude: '/x/' is not an absolute path free of "
                         "'.', '..', and needless slashes"},
    {"MountExclude=/x/../y", "conf:1: MountExclude: '/x/../y' is not an absolute path "
                             "free of '.', '..', and needless slashes"},
    {"MountInclude=/", "conf:1: MountInclude cannot be '/'"},
    /* images */
    {"Image=./x", "conf:1: Image must be an absolute path, a name in ImageDir, an image "
                  "in a registry, or none, not './x'"},
    {"Image=~/x", "conf:1: Image must be an absolute path, a name in ImageDir, an image "
                  "in a registry, or none, not '~/x'"},
    {"Image=x.sqfs",
     "conf:1: Image=x.sqfs is not an absolute path, and there is no ImageDir"},
    {"Image=docker://x:",
     "conf:1: Image: image docker://x:: the tag behind ':' is empty"},
    {"Image=docker://x Required=yes", "conf:1: Required=yes needs an image that is a "
                                      "file or a directory, not docker://x"},
    {"Image=file:///x", "conf:1: Image: write the path of the image without file://, not "
                        "file:///x"},
    {"Required=yes", "conf:1: Required=yes needs an Image"},
    {"\nRequired=yes\nImage=none", "conf:3: Required=yes needs an Image"},
    /* partitions */
    {"PartitionName=gpu", "conf:1: PartitionName=gpu needs an Image on the same line"},
    {"PartitionName=gpu Required=yes",
     "conf:1: PartitionName=gpu needs an Image on the same line"},
    {"Image=/x\nPartitionName=gpu Image=none Required=yes",
     "conf:2: Required=yes needs an Image"},
    {"PartitionName=gpu Image=/x KernelMount=never",
     "conf:1: KernelMount cannot be set for one partition; put it on a line of its own"},
    {"PartitionName=a,,b Image=/x", "conf:1: PartitionName has an empty name in it"},
    {"PartitionName=Default Image=/x", "conf:1: PartitionName=Default is not known here: "
                                       "a line with Image alone is for all partitions"},
    {"PartitionName=a[1-2] Image=/x",
     "conf:1: PartitionName: 'a[1-2]' is a pattern; write out each name"},
    {"PartitionName=b,a,b Image=/x",
     "conf:1: partition 'b' already has its Image in line 1"},
    {"PartitionName=b,a Image=/x\n#\nPartitionName=c,a Image=/x",
     "conf:3: partition 'a' already has its Image in line 1"},
    {"PartitionName=gpu Image=x\nPartitionName=a Image=/x",
     "conf:1: Image=x is not an absolute path, and there is no ImageDir"},
    /* owners */
    {"TrustedOwner=no-such-user-here",
     "conf:1: TrustedOwner: there is no user 'no-such-user-here'"},
    {"TrustedOwner=4294967295", "conf:1: TrustedOwner: 4294967295 is no uid"},
    {"TrustedOwner=99999999999999999999",
     "conf:1: TrustedOwner: 99999999999999999999 is no uid"},
    {"TrustedOwner=-1", "conf:1: TrustedOwner: there is no user '-1'"},
    {"TrustedOwner=5,", "conf:1: TrustedOwner has an empty name in it"},
};

START_TEST(mistake_is_told_with_its_line)
{
    refuse(mistakes[_i].text, strlen(mistakes[_i].text), mistakes[_i].message);
}
END_TEST

START_TEST(nul_is_refused)
{
    refuse("#\nImage=/a\0b", 13, "conf:2: byte 9 of the line is a NUL");
    refuse("\0", 1, "conf:1: byte 1 of the line is a NUL");
}
END_TEST

START_TEST(lines_and_file_are_limited)
{
    static char text[LIMIT_CONFIG_SIZE + 1];

    memset(text, '#', sizeof(text));
    text[LIMIT_CONFIG_LINE] = '\n';
    text[LIMIT_CONFIG_LINE + 1] = '\0';
    config_free(parse(text));
    text[LIMIT_CONFIG_LINE] = '#';
    refuse(text, LIMIT_CONFIG_LINE + 1, "conf:1: the line is longer than 8192 bytes");
    memset(text, '\n', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    config_free(parse(text));
    refuse(text, sizeof(text), "conf is longer than 1048576 bytes");
}
END_TEST

START_TEST(error_object_may_be_missing)
{
    struct config *config;

    for (size_t i = 0; i < sizeof(mistakes) / sizeof(*mistakes); i++)
        ck_assert_int_eq(config_parse("conf", mistakes[i].text, strlen(mistakes[i].text),
                                      &config, NULL),
                         -1);
    config_free(NULL);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("config");
    TCase *tc = tcase_create("config");

    tcase_add_test(tc, empty_file_gives_defaults);
    tcase_add_test(tc, every_key_is_known);
    tcase_add_test(tc, case_of_keys_and_words_does_not_matter);
    tcase_add_test(tc, partition_goes_before_the_global_image);
    tcase_add_test(tc, partition_does_not_inherit_required);
    tcase_add_test(tc, bare_name_stands_for_a_file_in_the_first_image_dir);
    tcase_add_test(tc, default_image_may_be_in_a_registry);
    tcase_add_test(tc, thousands_of_partitions_are_found);
    tcase_add_loop_test(tc, mistake_is_told_with_its_line, 0,
                        sizeof(mistakes) / sizeof(*mistakes));
    tcase_add_test(tc, nul_is_refused);
    tcase_add_test(tc, lines_and_file_are_limited);
    tcase_add_test(tc, error_object_may_be_missing);
    suite_add_tcase(suite, tc);
    return suite;
}

UNIT_MAIN(make_suite)
