/* scrape_target.c - see scrape_target.h. */
#include "receive/scrape_target.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/duration.h"
#include "base/mem.h"

#define SPEC_MEMORY (1u << 20)

static struct str duration_text(struct arena *a, int64_t ms)
{
    struct buf text = BUF_INIT(64);
    duration_print_ms(&text, ms);
    struct str s = arena_str(a, buf_view(&text));
    buf_release(&text);
    return s;
}

static void put_default(struct label_set *s, const char *name, struct str value)
{
    if (label_set_get(s, str_of(name)).n == 0) label_set_put(s, str_of(name), value);
}

static void add_defaults(const struct scrape_job *job, struct label_set *s)
{
    put_default(s, "job", job->name);
    put_default(s, "__scrape_interval__", duration_text(s->arena, job->interval_ms));
    put_default(s, "__scrape_timeout__", duration_text(s->arena, job->timeout_ms));
    put_default(s, "__metrics_path__", job->metrics_path);
    put_default(s, "__scheme__", job->scheme);
    for (size_t i = 0; i < job->n_params; i++) {
        const struct scrape_param *p = &job->params[i];
        if (p->n_values > 0)
            put_default(s, arena_printf(s->arena, "__param_%.*s", STR_ARG(p->name)).p, p->values[0]);
    }
}

static int sorted_copy(const struct label_set *s, bool internal, struct labels *out, struct err *e)
{
    struct label *l = arena_array(s->arena, s->n + 1, sizeof *l);
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        if (internal || !str_starts(s->at[i].name, "__")) l[n++] = s->at[i];
    *out = (struct labels){ l, n };
    if (n == 0) return OK;
    int rc = labels_normalise(l, &n, e);
    *out = (struct labels){ l, n };
    return rc;
}

/* ---- the URL ---- */

static void escape(struct buf *out, struct str s, const char *also)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c > ' ' && c < 0x7f && strchr(also, c) != NULL);
        if (plain)
            buf_char(out, (char)c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

static void put_param(struct buf *out, char *sep, struct str name, struct str value)
{
    buf_char(out, *sep);
    *sep = '&';
    escape(out, name, "-_.~");
    buf_char(out, '=');
    escape(out, value, "-_.~");
}

static const struct scrape_param *param_find(const struct scrape_job *job, struct str name)
{
    for (size_t i = 0; i < job->n_params; i++)
        if (str_eq(job->params[i].name, name)) return &job->params[i];
    return NULL;
}

/* Names sorted, as Go's URL values are; the first value of each comes from the label __param_NAME. */
static void put_params(struct buf *out, const struct scrape_job *job, struct labels all)
{
    char sep = '?';
    const size_t prefix = strlen("__param_");
    for (size_t i = 0; i < all.n; i++) { /* sorted by name, so the parameters are too */
        if (!str_starts(all.at[i].name, "__param_")) continue;
        struct str name = str_make(all.at[i].name.p + prefix, all.at[i].name.n - prefix);
        const struct scrape_param *p = param_find(job, name);
        put_param(out, &sep, name, all.at[i].value);
        for (size_t k = 1; p != NULL && k < p->n_values; k++) put_param(out, &sep, name, p->values[k]);
    }
    for (size_t i = 0; i < job->n_params;
         i++) { /* whose label relabelling took away, or whose first value is empty */
        const struct scrape_param *p = &job->params[i];
        char label[512];
        snprintf(label, sizeof label, "__param_%.*s", STR_ARG(p->name));
        if (labels_get(all, label).n > 0) continue;
        for (size_t k = 0; k < p->n_values; k++) put_param(out, &sep, p->name, p->values[k]);
    }
}

static const char *make_url(const struct scrape_job *job, struct labels all, struct arena *a)
{
    struct buf url = BUF_INIT(SPEC_MEMORY);
    struct str path = labels_get(all, "__metrics_path__");
    buf_str(&url, labels_get(all, "__scheme__"));
    buf_cs(&url, "://");
    buf_str(&url, labels_get(all, "__address__"));
    if (path.n > 0 && path.p[0] != '/') buf_char(&url, '/');
    escape(&url, path, "-_.~/:@!$&'()*+,;=");
    put_params(&url, job, all);
    const char *text = arena_str(a, buf_view(&url)).p;
    buf_release(&url);
    return text;
}

/* ---- checks ---- */

static int read_times(struct labels all, struct scrape_spec *s, struct err *e)
{
    struct str interval = labels_get(all, "__scrape_interval__"),
               timeout = labels_get(all, "__scrape_timeout__");
    if (!duration_parse_ms(interval, &s->interval_ms))
        return err_set(e, ERR_RANGE, "__scrape_interval__: \"%.*s\" is no duration", STR_ARG(interval));
    if (!duration_parse_ms(timeout, &s->timeout_ms))
        return err_set(e, ERR_RANGE, "__scrape_timeout__: \"%.*s\" is no duration", STR_ARG(timeout));
    if (s->interval_ms <= 0) return err_set(e, ERR_RANGE, "scrape interval cannot be 0");
    if (s->timeout_ms <= 0) return err_set(e, ERR_RANGE, "scrape timeout cannot be 0");
    if (s->timeout_ms > s->interval_ms)
        return err_set(e, ERR_RANGE,
                       "scrape timeout cannot be greater than scrape interval (\"%.*s\" > \"%.*s\")",
                       STR_ARG(timeout), STR_ARG(interval));
    return OK;
}

static int check_address(struct labels all, struct err *e)
{
    struct str address = labels_get(all, "__address__"), scheme = labels_get(all, "__scheme__");
    if (address.n == 0) return err_set(e, ERR_RANGE, "no address");
    for (size_t i = 0; i < address.n; i++)
        if (strchr("/?#@\\", address.p[i]) != NULL || (unsigned char)address.p[i] <= ' ')
            return err_set(e, ERR_RANGE, "\"%.*s\" is not a valid hostname", STR_ARG(address));
    if (!str_is(scheme, "http") && !str_is(scheme, "https"))
        return err_set(e, ERR_RANGE, "__scheme__: http or https, not \"%.*s\"", STR_ARG(scheme));
    return OK;
}

static void identify(const struct scrape_job *job, struct scrape_spec *s)
{
    struct buf text = BUF_INIT(SPEC_MEMORY);
    labels_pack(&text, s->labels);
    buf_char(&text, 0);
    buf_str(&text, job->name);
    buf_char(&text, 0);
    buf_cs(&text, s->url);
    s->id = hash128(text.p, text.n);
    buf_release(&text);
}

static int make(const struct scrape_job *job, struct label_set *set, struct scrape_spec *s, struct err *e)
{
    struct labels all;
    int rc;
    add_defaults(job, set);
    if ((rc = sorted_copy(set, true, &s->discovered, e)) < 0) return rc;
    s->dropped = !relabel_apply(&job->relabel, set);
    if (s->dropped) return OK;
    if ((rc = sorted_copy(set, true, &all, e)) < 0) return rc;
    if ((rc = check_address(all, e)) < 0) return rc;
    if ((rc = read_times(all, s, e)) < 0) return rc;
    put_default(set, "instance", labels_get(all, "__address__"));
    if ((rc = sorted_copy(set, false, &s->labels, e)) < 0) return rc;
    s->url = make_url(job, all, &s->arena);
    identify(job, s);
    return OK;
}

int scrape_spec_make(const struct scrape_job *job, const struct label *found, size_t n,
                     struct scrape_spec **out, struct err *e)
{
    struct scrape_spec *s = mem_alloc_zero(sizeof *s);
    s->arena = (struct arena)ARENA_INIT(SPEC_MEMORY);
    atomic_init(&s->refs, 1);
    struct label_set set = { .arena = &s->arena };
    for (size_t i = 0; i < n; i++)
        label_set_put(&set, arena_str(&s->arena, found[i].name), arena_str(&s->arena, found[i].value));
    int rc = make(job, &set, s, e);
    if (rc == OK)
        *out = s;
    else
        scrape_spec_unref(s);
    return rc;
}

struct scrape_spec *scrape_spec_ref(struct scrape_spec *s)
{
    atomic_fetch_add(&s->refs, 1);
    return s;
}

void scrape_spec_unref(struct scrape_spec *s)
{
    if (s == NULL || atomic_fetch_sub(&s->refs, 1) > 1) return;
    arena_release(&s->arena);
    mem_free(s);
}
