/* tier.c - which tiers there are, and the buckets of a series out of one. See tier.h. */
#include "store/tier.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

const struct tier_kind tier_kinds[TIER_KINDS] = {
    { FILE_TIER_1H, 3600 * 1000, "1h" },
    { FILE_TIER_5M, 300 * 1000, "5m" },
};

const struct tier_kind *tier_kind_of(enum file_kind kind)
{
    for (size_t i = 0; i < TIER_KINDS; i++)
        if (tier_kinds[i].kind == kind) return &tier_kinds[i];
    return NULL;
}

struct store_file *tier_of_day(const struct version *v, uint32_t day, enum file_kind kind)
{
    size_t n;
    struct store_file *const *files = version_day(v, day, kind, &n);
    return n > 0 ? files[n - 1] : NULL;
}

bool tier_is_current(const struct version *v, uint32_t day, const struct store_file *tier)
{
    size_t n;
    struct store_file *const *parts = version_day(v, day, FILE_PART, &n);
    return n == 0 || parts[n - 1]->id.sequence <= tier->id.sequence;
}

bool tier_is_wanted(const struct engine *s, enum file_kind kind)
{
    return kind == FILE_TIER_5M ? s->conf.tier_5m : kind == FILE_TIER_1H && s->conf.tier_1h;
}

/* ---- the buckets of a series ---- */

void tier_rows_release(struct tier_rows *r)
{
    mem_free(r->end_ms);
    for (int f = 0; f < SUM_FIELDS; f++) mem_free(r->column[f]);
    *r = (struct tier_rows){ 0 };
}

static void reserve(struct tier_rows *r, size_t n)
{
    if (n <= r->cap) return;
    tier_rows_release(r);
    r->cap = n + n / 2;
    r->end_ms = mem_array(r->cap, sizeof *r->end_ms);
    for (int f = 0; f < SUM_FIELDS; f++) r->column[f] = mem_array(r->cap, sizeof **r->column);
}

static int take_field(struct part_cursor *c, int field, struct tier_rows *out, struct err *e)
{
    struct run run;
    int rc = part_cursor_read(c, INT64_MIN, INT64_MAX, NULL, &run, e);
    if (rc < 0) return rc;
    if (out->has == 0) {
        reserve(out, run.n);
        out->n = run.n;
        memcpy(out->end_ms, run.time_ms, run.n * sizeof *run.time_ms);
    }
    if (run.n != out->n || run.time_ms[0] != out->end_ms[0] || (out->has & SUM_BIT(field)))
        return err_set(e, ERR_CORRUPT, "summaries of series %llx: field %d does not fit the others",
                       (unsigned long long)run.key, field);
    memcpy(out->column[field], run.value, run.n * sizeof *run.value);
    out->has |= SUM_BIT(field);
    return OK;
}

/* A place that cannot be read is stepped over; *rc stays what it is when the key has something there. */
static bool pass(struct part_cursor *c, series_key key, struct part_loss *lost)
{
    struct part_loss here;
    if (!part_cursor_pass(c, &here)) return false;
    if (here.first_key <= key && key <= here.last_key) *lost = here;
    return true;
}

static int peek(struct part_cursor *c, series_key key, struct run_head *h, struct part_loss *lost,
                struct err *e)
{
    int rc = part_cursor_peek(c, h, e);
    while (rc < 0 && pass(c, key, lost)) rc = part_cursor_peek(c, h, e);
    return rc;
}

static int peek_from(struct part_cursor *c, series_key key, struct run_head *h, struct part_loss *lost,
                     struct err *e)
{
    int rc = peek(c, key, h, lost, e);
    if (rc < 0 || (rc > 0 && h->key == key)) return rc;
    rc = part_cursor_seek(c, key, e);
    if (rc < 0 && !pass(c, key, lost)) return rc;
    return peek(c, key, h, lost, e);
}

int tier_read(struct part_cursor *c, series_key key, uint32_t fields, struct tier_rows *out,
              struct part_loss *lost, struct err *e)
{
    struct run_head h;
    struct err mine = ERR_INIT;
    *lost = (struct part_loss){ 0 };
    out->n = 0;
    out->has = 0;
    int rc = peek_from(c, key, &h, lost, &mine);
    while (rc > 0 && h.key == key) {
        int field = (int)h.kind - ROW_SUMMARY;
        bool wanted = field >= 0 && field < SUM_FIELDS && (fields & SUM_BIT(field));
        rc = wanted ? take_field(c, field, out, &mine) : part_cursor_skip(c, &mine);
        if (rc < 0 && !pass(c, key, lost)) break;
        rc = peek(c, key, &h, lost, &mine);
    }
    if (rc >= 0 && lost->rows == 0) return OK;
    out->n = 0;
    if (e) *e = mine;
    return mine.code < 0 ? mine.code : ERR_CORRUPT;
}

void tier_get(const struct tier_rows *r, size_t row, int64_t width_ms, struct summary *out)
{
    double fields[SUM_FIELDS];
    for (int f = 0; f < SUM_FIELDS; f++) fields[f] = r->has & SUM_BIT(f) ? r->column[f][row] : 0;
    summary_get(out, r->end_ms[row], width_ms, fields);
}
