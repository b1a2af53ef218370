/* test.h - cmocka with less ceremony. A file of tests reads:
 *
 *     #include "unit/test.h"
 *     TEST(ring_refuses_time_running_backwards) { ... EXPECT(x == y); ... }
 *     TESTS(CASE(ring_refuses_time_running_backwards), CASE(...))
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEST(name)       static void name(void **cmocka_state __attribute__((unused)))
#define EXPECT(cond)     assert_true(cond)
#define EXPECT_STR(a, b) assert_string_equal((a), (b))
#define EXPECT_INT(a, b) assert_int_equal((a), (b))
#define CASE(name)       cmocka_unit_test(name)
#define TESTS(...)                                                                                           \
    int main(void)                                                                                           \
    {                                                                                                        \
        const struct CMUnitTest all[] = { __VA_ARGS__ };                                                     \
        return cmocka_run_group_tests(all, NULL, NULL);                                                      \
    }
