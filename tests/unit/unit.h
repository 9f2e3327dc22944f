/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_TESTS_UNIT_H
#define VITRINE_TESTS_UNIT_H

/* The main() of every unit test: `UNIT_MAIN(suite_function)`, TAP on stdout. */
#include <check.h>
#include <stdlib.h>

#define UNIT_MAIN(make_suite)                                                            \
    int main(void)                                                                       \
    {                                                                                    \
        SRunner *runner = srunner_create(make_suite());                                  \
        srunner_set_tap(runner, "-");                                                    \
        srunner_run_all(runner, CK_SILENT);                                              \
        srunner_free(runner);                                                            \
        return EXIT_SUCCESS;                                                             \
    }

#endif
