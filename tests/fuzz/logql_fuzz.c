/* logql_fuzz.c - LogQL text of any kind: it parses or is refused; what parses prints, and the print parses to
 * the same print; and it runs over a few lines, as instant, range and log query. */
#include <stdint.h>

#include "base/check.h"
#include "query/logql/logql.h"
#include "query/logql/parse.h"
#include "unit/toy_store.c"

static struct logql *lq;

static void fill(struct store *s)
{
    static const char *const lines[] = { "level=info msg=\"hello\" took=12ms size=5KB v=1", "v=bad \"=x= k",
                                         "{\"a\":{\"b\":[1,2]},\"v\":2}", "plain 10.0.0.1", "" };
    struct arena a = ARENA_INIT(1 << 20);
    struct records r;
    struct write_result result = { 0 };
    struct err e = ERR_INIT;
    records_init(&r, &a, TABLE_LOGS);
    for (int i = 0; i < 40; i++) {
        struct attr resource = { STR("a"), value_str(i % 3 ? STR("b") : STR("c")) };
        struct attr attr = { STR("x.y"), value_int(i) };
        struct origin o = { .resource = { &resource, 1 } };
        struct record rec = { .time_ns = i * 1000000000LL, .attrs = { &attr, (size_t)(i % 2) } };
        rec.log.body = value_str(str_of(lines[i % 5]));
        rec.log.severity = (uint8_t)(i % 25);
        records_origin(&r, &o);
        check(records_add(&r, &rec, &e) == OK);
    }
    records_end(&r);
    struct batch b = { .logs = &r };
    check(store_write(s, &b, ACK_MEMORY, &result, NULL, NULL, &e) == OK);
    arena_release(&a);
}

static void print_twice(struct str text)
{
    struct arena a = ARENA_INIT(64 << 20);
    struct buf once = BUF_INIT(8 << 20), twice = BUF_INIT(8 << 20);
    struct logql_query q;
    struct err e = ERR_INIT;
    if (logql_parse(text, &a, &q, &e) == OK) {
        logql_print(&once, q.root);
        logql_query_release(&q);
        if (!once.full && once.n <= LOGQL_TEXT_MAX && logql_parse(buf_view(&once), &a, &q, &e) == OK) {
            logql_print(&twice, q.root);
            logql_query_release(&q);
            check(str_eq(buf_view(&once), buf_view(&twice)));
        } else {
            /* only what printing adds may be too much: parentheses, or escapes */
            check(once.full || once.n > LOGQL_TEXT_MAX || strstr(e.text, "more than") != NULL);
        }
    }
    buf_release(&once);
    buf_release(&twice);
    arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct logql_result r;
    struct err e = ERR_INIT;
    if (lq == NULL) {
        struct store *s = toy_store_new();
        fill(s);
        lq = logql_new(s, NULL, &(struct logql_conf){ .timeout_ms = 300, .max_memory_bytes = 32 << 20 });
    }
    if (size == 0) return 0;
    struct str text = str_make(data + 1, size - 1);
    print_twice(text);
    struct logql_request q = { .text = text,
                               .start_ns = 5000000000,
                               .end_ns = 50000000000,
                               .forward = data[0] & 2,
                               .step_ns = data[0] & 1 ? 3000000000 : 0 };
    if (logql_query(lq, &q, &r, &e) == OK) logql_result_release(&r);
    return 0;
}
