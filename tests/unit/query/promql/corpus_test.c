/* Every query of Prometheus' own test scripts parses, and what we print of it parses back to the same. All
 * failures those scripts expect happen while evaluating. The scripts lie beside the project; without them
 * this is skipped. */
#include <glob.h>

#include "base/file.h"
#include "query/promql/parse.h"
#include "unit/test.h"

#define SCRIPTS "../shared/conformance/promql/*.test"

static size_t queries;

static void print_of(struct node *n, struct buf *line, struct buf *lines)
{
    promql_print(line, n);
    promql_format(lines, n);
    promql_release(n);
}

static void parse_query(struct str query, const char *where)
{
    struct arena a = ARENA_INIT(64 << 20);
    struct buf line = BUF_INIT(1 << 20), lines = BUF_INIT(1 << 20), again = BUF_INIT(1 << 20),
               ignored = BUF_INIT(1 << 20);
    struct node *n;
    struct err e = ERR_INIT;

    if (promql_parse(query, &a, &n, &e) < 0) fail_msg("%s: %.*s: %s", where, STR_ARG(query), e.text);
    print_of(n, &line, &lines);
    for (int i = 0; i < 2; i++) {
        const struct buf *text = i == 0 ? &line : &lines;
        if (promql_parse(buf_view(text), &a, &n, &e) < 0)
            fail_msg("%s: printed as %.*s: %s", where, STR_ARG(buf_view(text)), e.text);
        buf_clear(&again);
        print_of(n, &again, &ignored);
        EXPECT_STR(buf_cstr(&again), buf_cstr(&line));
    }
    buf_release(&line);
    buf_release(&lines);
    buf_release(&again);
    buf_release(&ignored);
    arena_release(&a);
    queries++;
}

static struct str skip_words(struct str s, int n)
{
    while (n-- > 0) {
        str_cut(s, ' ', &s);
        s = str_trim(s);
    }
    return s;
}

/* eval instant at T QUERY, eval range from A to B step C QUERY */
static void parse_line(struct str line, const char *path)
{
    if (!str_starts(line, "eval")) return;
    struct str rest = skip_words(line, 1);
    rest = skip_words(rest, str_starts(rest, "range") ? 7 : 3);
    parse_query(rest, path);
}

TEST(every_query_of_the_corpus_parses_and_prints)
{
    glob_t found;

    if (glob(SCRIPTS, 0, NULL, &found) != 0) {
        print_message("SKIPPED: no scripts at %s\n", SCRIPTS);
        skip();
    }
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct buf text = BUF_INIT(4 << 20);
        struct err e = ERR_INIT;
        if (file_slurp(found.gl_pathv[i], &text, &e) < 0) fail_msg("%s", e.text);
        for (struct str rest = buf_view(&text); rest.n > 0;)
            parse_line(str_cut(rest, '\n', &rest), found.gl_pathv[i]);
        buf_release(&text);
    }
    globfree(&found);
    EXPECT(queries > 1000);
}

TESTS(CASE(every_query_of_the_corpus_parses_and_prints))
