/* TraceQL text of any kind: it parses or is refused with a place; what parses prints, the print parses to the
 * same print, and its plan is one the store takes. What an editor has so far never fails. */
#include <stdint.h>

#include "base/buf.h"
#include "base/check.h"
#include "query/traceql/parse.h"
#include "query/traceql/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_print(const struct traceql_query *q)
{
    struct arena a = ARENA_INIT(64 << 20);
    struct buf once = BUF_INIT(4 << 20), twice = BUF_INIT(4 << 20);
    struct traceql_query again = { 0 };
    struct err e = ERR_INIT;

    traceql_print(&once, q);
    int rc = traceql_parse(buf_view(&once), &a, &again, &e);
    if (rc != ERR_LIMIT) { /* the print has more parentheses */
        check(rc == OK);
        traceql_print(&twice, &again);
        check(str_eq(buf_view(&once), buf_view(&twice)));
    }
    traceql_release(&again);
    buf_release(&once);
    buf_release(&twice);
    arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = ARENA_INIT(64 << 20);
    struct str text = str_make(data, size);
    struct traceql_query q;
    struct attr_ref attr;
    struct plan plan;
    struct err e = ERR_INIT;

    if (traceql_parse(text, &a, &q, &e) == OK) {
        check(plan_make(&plan, &q, &a, &e) == OK);
        check(predicate_check(plan.candidates, NULL) == OK);
        check_print(&q);
    } else {
        check(e.text[0] != '\0');
    }
    traceql_release(&q);
    traceql_salvage(text, &a, &q);
    check(q.pipeline.first != NULL && q.pipeline.first->spanset != NULL);
    plan_filter(&a, &q, q.pipeline.first->spanset->filter);
    traceql_release(&q);
    traceql_parse_attr(text, &a, &attr, &e);
    arena_release(&a);
    return 0;
}
