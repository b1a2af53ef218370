/* event_json_fuzz.c - any bytes as typed events of each kind in turn: what comes out is right by the table,
 * and every record is accounted for. The first byte says which kind; its last value: any. */
#include "decode/event_json.h"

#include "record_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct event_kind *kind;
static size_t claimed, given_back;

static bool is_new(void *ctx, const struct event_kind *k, struct str id)
{
    (void)ctx;
    check(k->id != NULL && id.n > 0);
    claimed += id.n % 3 != 0;
    return id.n % 3 != 0; /* some were here before */
}

static void not_kept(void *ctx, const struct event_kind *k, struct str id)
{
    (void)ctx;
    check(k->id != NULL && id.n > 0);
    given_back++;
}

static int decode(struct str body, const struct record_options *options, struct records *out,
                  struct record_report *report, struct err *e)
{
    struct event_json j = { .kind = kind, .is_new = is_new, .not_kept = not_kept, .kept = out->arena };
    claimed = given_back = 0;
    int rc = event_json(&j, body, options, out, report, e);
    check(j.n_told <= EVENT_JSON_IDS_MAX);
    check(rc < 0 || claimed - given_back <= report->accepted + report->dropped);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    size_t kinds = 0;
    if (n == 0) return 0;
    while (event_kind_at(kinds) != NULL) kinds++;
    kind = event_kind_at(data[0] % (kinds + 1));
    return record_check(decode, TABLE_LOGS, data + 1, n - 1);
}
