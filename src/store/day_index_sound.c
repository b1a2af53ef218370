/* day_index_sound.c - an index file with damaged pages, read as far as it goes.
 *
 * A damaged page of postings costs nothing but time: every series is looked at instead. A damaged page of
 * pairs hides some labels, a damaged page of series some series; all others are told as ever. */
#include "base/check.h"
#include "store/damage.h"
#include "store/day_index_impl.h"

#define CHECK_EVERY 1024

int day_index_leave_out(const struct day_index *d, uint32_t page, const struct call *call, int rc,
                        struct err *e)
{
    struct damage at = { .kind = DAMAGE_SERIES, .path = d->path, .at = d->pages[page].at, .from_ms = 1 };
    return call != NULL ? damage_leave_out(call, &at, rc, e) : rc;
}

static uint32_t behind(const struct day_index *d, uint32_t page)
{
    return d->pages[page].first + d->pages[page].n;
}

/* ---- walking ---- */

int index_sound_open(struct index_sound *s, const struct day_index *d, const struct call *call,
                     struct arena *a, struct err *e)
{
    *s = (struct index_sound){ .call = call, .arena = a };
    index_reader_init(&s->reader, d);
    if (!arena_fits(a, (d->n_pairs + 1u) * sizeof *s->value))
        return err_set(e, ERR_LIMIT, "a damaged index of %u labels exceeds this query's memory limit",
                       d->n_pairs);
    s->value = arena_zero(a, (d->n_pairs + 1u) * sizeof *s->value);
    for (uint32_t i = 0, next; i < d->n_pairs; i = next) {
        struct pair_entry entry;
        int rc = index_reader_pair(&s->reader, i, &entry, e);
        next = i + 1;
        if (rc == OK) {
            s->value[i] = arena_str(a, entry.value);
            continue;
        }
        next = behind(d, s->reader.unread);
        s->unread_pages++;
        /* whom it hides is told with the series */
        if (call == NULL || call->notes == NULL || (rc != ERR_CORRUPT && rc != ERR_IO)) return rc;
    }
    return OK;
}

void index_sound_close(struct index_sound *s)
{
    index_reader_release(&s->reader);
}

int index_sound_next(struct index_sound *s, series_key *key, struct label *labels, size_t *n, bool *is_whole,
                     const uint32_t **pairs_out, struct err *e)
{
    const struct day_index *d = s->reader.d;
    const uint32_t *pairs;
    uint32_t n_pairs;
    int rc;
    while (s->row < d->n_series &&
           (rc = index_reader_row(&s->reader, s->row, key, &pairs, &n_pairs, e)) < 0) {
        uint32_t next = behind(d, s->reader.unread);
        if ((rc = day_index_leave_out(d, s->reader.unread, s->call, rc, e)) < 0) return rc;
        s->unread_pages++;
        s->untold_rows += next - s->row;
        s->row = next;
    }
    if (s->row >= d->n_series) return 0;
    *is_whole = true;
    for (uint32_t i = 0; i < n_pairs; i++) {
        struct str value = s->value[pairs[i]];
        *is_whole &= value.p != NULL;
        labels[i] = (struct label){ day_index_name_of(d, pairs[i])->text, value.p ? value : STR("") };
    }
    *n = n_pairs;
    if (pairs_out) *pairs_out = pairs;
    s->row++;
    s->untold_rows += !*is_whole;
    return 1;
}

/* ---- selecting ---- */

static bool is_hidden(struct str name, const struct label *labels, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (labels[i].value.n == 0 && str_eq(labels[i].name, name)) return true;
    return false;
}

/* A label that cannot be told may be anything. */
static bool may_match(const struct matcher *m, size_t n_matchers, const struct label *labels, size_t n)
{
    for (size_t i = 0; i < n_matchers; i++)
        if (!is_hidden(m[i].name, labels, n) &&
            !matchers_match(&m[i], 1, (struct labels){ (struct label *)labels, n }))
            return false;
    return true;
}

/* The first page that hides a label of the row. */
static int tell_hidden(const struct index_sound *s, const uint32_t *pairs, size_t n, struct err *e)
{
    const struct day_index *d = s->reader.d;
    uint32_t first = d->n_series_pages + d->n_postings_pages;
    for (size_t i = 0; i < n; i++) {
        if (s->value[pairs[i]].p != NULL) continue;
        uint32_t page = first;
        while (page + 1 < d->n_pages && d->pages[page + 1].first <= pairs[i]) page++;
        return day_index_leave_out(d, page, s->call, ERR_CORRUPT, e);
    }
    return OK;
}

int index_sound_select(const struct day_index *d, const struct matcher *m, size_t n, struct call *call,
                       series_key **out, size_t *n_out, struct err *e)
{
    struct index_sound s;
    struct label labels[LABELS_MAX];
    const uint32_t *pairs;
    size_t n_labels, cap = 0;
    series_key key;
    bool is_whole;
    *out = NULL;
    *n_out = 0;
    int rc = index_sound_open(&s, d, call, call->arena, e);
    if (rc == OK) rc = 1;
    while (rc == 1 && (rc = index_sound_next(&s, &key, labels, &n_labels, &is_whole, &pairs, e)) == 1) {
        if (s.row % CHECK_EVERY == 0 && (rc = call_check(call, e)) < 0) break;
        rc = 1;
        if (!may_match(m, n, labels, n_labels)) continue;
        if (!is_whole) {
            rc = tell_hidden(&s, pairs, n_labels, e) < 0 ? ERR_CORRUPT : 1;
            continue;
        }
        *out = arena_grow(call->arena, *out, *n_out, &cap, sizeof **out);
        (*out)[(*n_out)++] = key;
    }
    index_sound_close(&s);
    return MIN(rc, 0);
}
