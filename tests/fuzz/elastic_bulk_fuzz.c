/* _bulk bodies, and the answer to them: JSON with one item for each action. */
#include "decode/elastic_bulk.h"
#include "record_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int bulk(struct str body, const struct record_options *o, struct records *out,
                struct record_report *report, struct err *e)
{
    struct elastic_items items = { .arena = out->arena, .index = STR("logs") };
    struct buf answer = BUF_INIT(64 << 20);
    int rc = elastic_bulk(body, o, &items, out, report, e);
    elastic_answer(&items, 1, &answer);
    record_check_json(buf_view(&answer), out->arena);
    check(items.n <= report->accepted + report->rejected_total);
    buf_release(&answer);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    return record_check(bulk, TABLE_LOGS, data, n);
}
