/* Every query of tests/scripts/logql/queries.txt parses, and its print parses to the same print, on one line
 * and on many. */
#include "query/logql/logql.h"
#include "query/logql/parse.h"
#include "unit/test.h"

static void expect_stable(struct str query, bool pretty)
{
    struct arena a = ARENA_INIT(16 << 20);
    struct buf prints[2] = { BUF_INIT(1 << 20), BUF_INIT(1 << 20) };
    struct err e = ERR_INIT;
    for (int i = 0; i < 2; i++) {
        struct logql_query q;
        int rc = logql_parse(i ? buf_view(&prints[0]) : query, &a, &q, &e);
        if (rc < 0) print_error("%.*s\n-> %s\n", STR_ARG(query), e.text);
        EXPECT(rc == OK);
        (pretty ? logql_print_pretty : logql_print)(&prints[i], q.root);
        logql_query_release(&q);
    }
    EXPECT_STR(buf_cstr(&prints[0]), buf_cstr(&prints[1]));
    buf_release(&prints[0]);
    buf_release(&prints[1]);
    arena_release(&a);
}

TEST(documented_queries_parse_and_print)
{
    static char line[1 << 16];
    size_t n = 0;
    FILE *f = fopen("tests/scripts/logql/queries.txt", "r");
    EXPECT(f != NULL);
    while (fgets(line, sizeof line, f) != NULL) {
        struct str query = str_trim(str_of(line));
        if (query.n == 0 || query.p[0] == '#') continue;
        expect_stable(query, false);
        expect_stable(query, true);
        n++;
    }
    EXPECT(n > 30);
    fclose(f);
}

TESTS(CASE(documented_queries_parse_and_print))
