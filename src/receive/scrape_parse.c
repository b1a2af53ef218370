/* scrape_parse.c - see scrape_parse.h. The loop over known lines is short; everything costly is for lines
 * never seen. */
#include "receive/scrape_parse.h"

#include <math.h>

#include "base/check.h"
#include "base/float.h"
#include "base/mem.h"

#define SERIES_MEMORY (4u << 20) /* to make one series */
#define FAMILIES_MAX  100000

struct scrape_families {
    struct map by_name; /* hash of the family -> hash of what was stored of it */
};

struct scrape_families *scrape_families_new(void)
{
    struct scrape_families *f = mem_alloc_zero(sizeof *f);
    map_init(&f->by_name, 0);
    return f;
}

void scrape_families_free(struct scrape_families *f)
{
    if (f == NULL) return;
    map_release(&f->by_name);
    mem_free(f);
}

void scrape_families_forget(struct scrape_families *f)
{
    map_clear(&f->by_name);
}

/* ---- a line never seen: its labels ---- */

static bool has_name(const struct label *l, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(l[i].name, name)) return true;
    return false;
}

/* exported_NAME, with as many exported_ as it takes to clash with nobody. */
static struct str exported_name(struct arena *a, struct str name, const struct label *l, size_t n,
                                struct labels target)
{
    do {
        name = arena_printf(a, "exported_%.*s", STR_ARG(name));
    } while (has_name(l, n, name) || has_name(target.at, target.n, name));
    return name;
}

static void add_target_labels(struct label *l, size_t *n, struct labels target, bool honor, struct arena *a)
{
    size_t own = *n;
    for (size_t t = 0; t < target.n; t++) {
        bool clash = false;
        for (size_t i = 0; i < own && !clash; i++) {
            if (!str_eq(l[i].name, target.at[t].name)) continue;
            clash = true;
            if (!honor) l[i].name = exported_name(a, l[i].name, l, *n, target);
        }
        if (!clash || !honor) l[(*n)++] = target.at[t];
    }
}

/* 1 and 1.0 are the same bound: written the way OpenMetrics does, so that series do not split when a client
 * changes. */
static struct str normal_bound(struct arena *a, struct str text)
{
    char out[FLOAT_TEXT_MAX];
    double v;
    if (!prom_text_number(text, &v)) return text;
    size_t n = float_text(v, out);
    bool plain = isfinite(v) && memchr(out, '.', n) == NULL && memchr(out, 'e', n) == NULL;
    return arena_printf(a, "%.*s%s", (int)n, out, plain ? ".0" : "");
}

static void normalise_bounds(struct label *l, size_t n, struct str type, struct arena *a)
{
    const char *name = str_is(type, "histogram") || str_is(type, "gaugehistogram") ? "le"
                       : str_is(type, "summary")                                   ? "quantile"
                                                                                   : NULL;
    for (size_t i = 0; name != NULL && i < n; i++)
        if (str_is(l[i].name, name)) l[i].value = normal_bound(a, l[i].value);
}

static int check_limits(const struct scrape_job *job, struct labels l, struct err *e)
{
    struct str name = labels_get(l, LABEL_NAME);
    if (job->label_limit > 0 && l.n > job->label_limit)
        return err_set(e, ERR_LIMIT,
                       "label_limit exceeded (metric: %.*s, number of labels: %zu, limit: %llu)",
                       (int)MIN(name.n, (size_t)50), name.p, l.n, (unsigned long long)job->label_limit);
    for (size_t i = 0; i < l.n; i++) {
        const struct label *one = &l.at[i];
        if (job->label_name_limit > 0 && one->name.n > job->label_name_limit)
            return err_set(
                e, ERR_LIMIT,
                "label_name_length_limit exceeded (metric: %.*s, label name: %.*s, length: %zu, limit: %llu)",
                (int)MIN(name.n, (size_t)50), name.p, (int)MIN(one->name.n, (size_t)50), one->name.p,
                one->name.n, (unsigned long long)job->label_name_limit);
        if (job->label_value_limit > 0 && one->value.n > job->label_value_limit)
            return err_set(e, ERR_LIMIT,
                           "label_value_length_limit exceeded (metric: %.*s, label name: %.*s, value length: "
                           "%zu, limit: %llu)",
                           (int)MIN(name.n, (size_t)50), name.p, STR_ARG(one->name), one->value.n,
                           (unsigned long long)job->label_value_limit);
    }
    return OK;
}

int scrape_series_make(const struct scrape_job *job, struct labels target, struct str text, struct str type,
                       struct arena *a, struct str *packed, struct err *e)
{
    struct label *l;
    size_t n;
    int rc = prom_text_series(text, target.n, a, &l, &n, e);
    if (rc < 0) return rc;
    normalise_bounds(l, n, type, a);
    add_target_labels(l, &n, target, job->honor_labels, a);

    struct label_set set = { l, n, n, a };
    *packed = STR("");
    if (!relabel_apply(&job->metric_relabel, &set)) return OK;
    if ((rc = labels_normalise(set.at, &set.n, e)) < 0) return rc;
    struct labels final = { set.at, set.n };
    if (labels_get(final, LABEL_NAME).n == 0)
        return err_set(e, ERR_PARSE, "%.*s: metric name missing after relabelling",
                       (int)MIN(text.n, (size_t)100), text.p);
    if ((rc = check_limits(job, final, e)) < 0) return rc;
    struct buf out = BUF_INIT(SERIES_MEMORY);
    labels_pack(&out, final);
    *packed = arena_str(a, buf_view(&out));
    buf_release(&out);
    return OK;
}

/* ---- the text ---- */

struct state {
    struct scrape_parse *p;
    struct arena scratch;                /* of one line */
    struct str family, type, help, unit; /* of the lines at hand */
    struct err *e;
};

static int learn(struct state *s, const struct prom_line *l, struct scrape_series **out)
{
    struct str packed;
    arena_reset(&s->scratch);
    int rc = scrape_series_make(s->p->job, s->p->target, l->series, s->type, &s->scratch, &packed, s->e);
    if (rc < 0) {
        err_where(s->e, "line %zu", l->line);
        return rc;
    }
    *out = scrape_cache_add(s->p->cache, l->series, packed);
    return OK;
}

static int put_exemplar(struct state *s, const struct prom_line *l, struct scrape_series *series)
{
    uint64_t hash = hash64(l->exemplar.p, l->exemplar.n);
    struct prom_text_exemplar x;
    if (hash == series->exemplar) return OK;
    arena_reset(&s->scratch);
    int rc = prom_text_exemplar(l->exemplar, &s->scratch, &x, s->e);
    if (rc < 0) {
        err_where(s->e, "line %zu", l->line);
        return rc;
    }
    struct buf packed = BUF_INIT(SERIES_MEMORY);
    labels_pack(&packed, x.labels);
    batch_exemplar(s->p->out, x.has_time ? x.time_ms : s->p->time_ms, x.value,
                   arena_str(s->p->out->arena, buf_view(&packed)));
    buf_release(&packed);
    series->exemplar = hash;
    return OK;
}

static int sample(struct state *s, const struct prom_line *l)
{
    struct scrape_parse *p = s->p;
    struct scrape_series *series = scrape_cache_find(p->cache, l->series);
    int rc;
    p->scraped++;
    if (UNLIKELY(series == NULL) && (rc = learn(s, l, &series)) < 0) return rc;
    if (series->n_packed == 0) return OK;
    p->kept++;
    if (p->job->sample_limit > 0 && p->kept > p->job->sample_limit)
        return err_set(s->e, ERR_LIMIT, "sample limit exceeded: more than %llu samples",
                       (unsigned long long)p->job->sample_limit);

    bool timed = l->has_time && p->job->honor_timestamps;
    bool fresh = scrape_cache_see(p->cache, series, !timed || p->job->track_timestamps_staleness);
    if (!fresh && !timed) {
        p->duplicates++;
        return OK;
    }
    p->timed |= timed;
    batch_series_known(p->out, scrape_series_packed(series), series->key);
    batch_sample(p->out, timed ? l->time_ms : p->time_ms, l->value);
    return l->exemplar.n > 0 ? put_exemplar(s, l, series) : OK;
}

/* A family's HELP, TYPE and UNIT are complete when the next family begins; stored when they are not what they
 * were. */
static void flush_family(struct state *s)
{
    struct map *known = &s->p->families->by_name;
    if (s->family.n == 0) return;
    uint64_t hash = hash64(s->family.p, s->family.n) | 1;
    uint64_t what = hash64(s->type.p, s->type.n) * 3 + hash64(s->help.p, s->help.n) * 5 +
                    hash64(s->unit.p, s->unit.n) * 7;
    uint64_t *last = map_find(known, hash, NULL, NULL);
    if (last != NULL && *last == what) return;
    if (last != NULL)
        *last = what;
    else if (known->n < FAMILIES_MAX)
        map_add(known, hash, what);
    struct arena *a = s->p->out->arena;
    batch_metadata(s->p->out, s->family, s->type, prom_text_unescape(s->help, a), s->unit);
}

static void describe(struct state *s, enum prom_text_kind kind, const struct prom_line *l)
{
    if (!str_eq(s->family, l->family)) {
        flush_family(s);
        s->family = l->family;
        s->type = s->help = s->unit = STR("");
    }
    if (kind == PROM_TEXT_TYPE) s->type = l->text;
    if (kind == PROM_TEXT_HELP) s->help = l->text;
    if (kind == PROM_TEXT_UNIT) s->unit = l->text;
}

static int read_lines(struct state *s, struct prom_text *t)
{
    struct prom_line l;
    for (enum prom_text_kind kind; (kind = prom_text_next(t, &l)) != PROM_TEXT_END;) {
        int rc = OK;
        if (LIKELY(kind == PROM_TEXT_SAMPLE))
            rc = sample(s, &l);
        else if (kind == PROM_TEXT_BAD)
            rc = prom_text_bad(&l, s->e);
        else
            describe(s, kind, &l);
        if (UNLIKELY(rc < 0)) return rc;
        if (UNLIKELY(arena_over(s->p->out->arena)))
            return err_set(s->e, ERR_LIMIT, "line %zu: the scrape needs too much memory", l.line);
    }
    flush_family(s);
    if (t->form == PROM_TEXT_OPENMETRICS && !t->has_eof)
        return err_set(s->e, ERR_PARSE, "data does not end with # EOF");
    return OK;
}

int scrape_parse(struct scrape_parse *p, struct str text, enum prom_text_form form, struct err *e)
{
    struct err own = ERR_INIT;
    struct state s = { .p = p, .scratch = ARENA_INIT(SERIES_MEMORY), .e = e ? e : &own };
    struct prom_text t;
    p->scraped = p->kept = p->duplicates = 0;
    prom_text_open(&t, text, form);
    int rc = read_lines(&s, &t);
    arena_release(&s.scratch);
    if (rc < 0)
        scrape_families_forget(p->families); /* what was marked as stored is thrown away with the batch */
    return rc;
}
