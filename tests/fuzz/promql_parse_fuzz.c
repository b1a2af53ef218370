/* PromQL text of any kind: it parses or is refused; what parses prints, and the print parses to the same
 * print. */
#include <stdint.h>

#include "base/check.h"
#include "query/promql/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = ARENA_INIT(64 << 20);
    struct buf once = BUF_INIT(4 << 20), twice = BUF_INIT(4 << 20), other = BUF_INIT(4 << 20);
    struct node *n;
    struct err e = ERR_INIT;

    if (promql_parse(str_make(data, size), &a, &n, &e) == OK) {
        check(n->height <= PROMQL_HEIGHT_MAX);
        promql_print(&once, n);
        promql_format(&other, n);
        promql_ast_json(&other, n);
        promql_release(n);
        check(promql_parse(buf_view(&once), &a, &n, &e) == OK);
        promql_print(&twice, n);
        promql_release(n);
        check(str_eq(buf_view(&once), buf_view(&twice)));
    }
    buf_release(&once);
    buf_release(&twice);
    buf_release(&other);
    arena_release(&a);
    return 0;
}
