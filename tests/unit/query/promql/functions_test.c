#include "unit/test.h"

#include "query/promql/functions.h"

TEST(the_table_is_sorted_so_that_every_name_is_found)
{
    size_t n;
    const struct promql_function *all = promql_functions(&n);
    EXPECT(n > 80);
    for (size_t i = 0; i < n; i++) {
        if (i > 0) EXPECT(strcmp(all[i - 1].name, all[i].name) < 0);
        EXPECT(promql_function_find(str_of(all[i].name)) == &all[i]);
    }
    EXPECT(promql_function_find(STR("holt_winters")) == NULL);
    EXPECT(promql_function_find(STR("")) == NULL);
}

TEST(every_line_has_what_it_needs)
{
    size_t n;
    const struct promql_function *all = promql_functions(&n);
    for (size_t i = 0; i < n; i++) {
        bool range = false;
        EXPECT(all[i].call != NULL && all[i].help != NULL && all[i].help[strlen(all[i].help) - 1] == '.');
        EXPECT(all[i].returns == PROMQL_SCALAR || all[i].returns == PROMQL_VECTOR);
        EXPECT(all[i].n_args <= PROMQL_ARGS_MAX && all[i].variadic <= all[i].n_args);
        for (int k = 0; k < all[i].n_args; k++) range |= all[i].args[k] == PROMQL_MATRIX;
        EXPECT(range == (all[i].window != NULL));
    }
}

TESTS(CASE(the_table_is_sorted_so_that_every_name_is_found), CASE(every_line_has_what_it_needs))
