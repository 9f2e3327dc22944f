/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_TESTS_CONFIG_TEXT_H
#define VITRINE_TESTS_CONFIG_TEXT_H

/* Texts of vitrine.conf that are right, and that are not. */
#include "config/config.h"
#include "unit.h"

#include <string.h>

static inline struct config *parse(const char *text)
{
    struct vitrine_error err = {0};
    struct config *config = NULL;

    ck_assert_msg(config_parse("conf", text, strlen(text), &config, &err) == 0, "%s: %s",
                  text, err.text);
    return config;
}

static inline void refuse(const char *text, size_t size, const char *message)
{
    struct vitrine_error err = {0};
    struct config *config = NULL;

    ck_assert_msg(config_parse("conf", text, size, &config, &err) < 0, "%s", text);
    ck_assert_ptr_null(config);
    ck_assert_str_eq(err.text, message);
    ck_assert_int_eq(err.code, VITRINE_ECONFIG);
}

#endif
