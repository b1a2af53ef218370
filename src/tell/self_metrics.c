/* self_metrics.c - GET /metrics: our own counters, in the form the scraper asks for. */
#include "base/check.h"
#include "base/float.h"
#include "base/stat.h"
#include "decode/exposition.h"
#include "tell/handlers.h"
#include "tell/respond.h"

#define BODY_MAX  ((size_t)64 << 20)
#define PAIRS_MAX 32

struct page {
    struct exposition out;
    struct arena arena; /* labels of the stat at hand */
    struct label pairs[PAIRS_MAX + 1];
    size_t n_pairs;
    const char *family; /* the name of the stat before; stats of one name follow each other */
};

/* One name="value" of `text`, with \\, \" and \n undone. What follows it is left in *text. */
static bool take_pair(struct str *text, struct arena *a, struct label *out)
{
    struct str rest, name = str_cut(*text, '=', &rest);
    size_t i = 1, n = 0;

    if (rest.n < 2 || rest.p[0] != '"') return false;
    char *value = arena_alloc(a, rest.n);
    for (; i < rest.n && rest.p[i] != '"'; i++) {
        char c = rest.p[i];
        if (c == '\\' && i + 1 < rest.n) c = rest.p[++i] == 'n' ? '\n' : rest.p[i];
        value[n++] = c;
    }
    i = MIN(i + 1, rest.n);
    if (i < rest.n && rest.p[i] == ',') i++;
    *out = (struct label){ str_trim(name), str_make(value, n) };
    *text = str_make(rest.p + i, rest.n - i);
    return true;
}

static void read_labels(struct page *p, const char *text)
{
    struct str rest = str_of(text);

    arena_reset(&p->arena);
    for (p->n_pairs = 0; rest.n > 0 && p->n_pairs < PAIRS_MAX; p->n_pairs++)
        if (!take_pair(&rest, &p->arena, &p->pairs[p->n_pairs])) return;
}

static void put_sample(struct page *p, const char *suffix, size_t n_pairs, double value)
{
    struct exposition_sample s = { .suffix = str_of(suffix),
                                   .labels = { p->pairs, n_pairs },
                                   .value = value };
    exposition_sample(&p->out, &s);
}

/* Buckets count from below up; the last has no bound. */
static void put_histogram(struct page *p, const struct stat_view *v)
{
    char le[FLOAT_TEXT_MAX];
    uint64_t below = 0;

    for (size_t i = 0; i <= v->n_bounds; i++) {
        below += v->counts[i];
        struct str bound = STR("+Inf");
        if (i < v->n_bounds) bound = str_make(le, float_text(v->bounds[i], le));
        p->pairs[p->n_pairs] = (struct label){ STR("le"), bound };
        put_sample(p, "_bucket", p->n_pairs + 1, (double)below);
    }
    put_sample(p, "_sum", p->n_pairs, v->sum);
    put_sample(p, "_count", p->n_pairs, (double)below);
}

static void put_stat(const struct stat_view *v, void *ctx)
{
    static const char *const types[] = {
        [STAT_COUNTER] = "counter", [STAT_GAUGE] = "gauge", [STAT_HISTOGRAM] = "histogram"
    };
    struct page *p = ctx;

    if (!p->family || strcmp(p->family, v->name) != 0)
        exposition_family(&p->out, str_of(v->name), str_of(types[v->type]), str_of(v->help), STR(""));
    p->family = v->name;
    read_labels(p, v->labels);
    if (v->type == STAT_HISTOGRAM)
        put_histogram(p, v);
    else
        put_sample(p, "", p->n_pairs, v->value);
}

void handle_metrics(struct http_exchange *x, void *ctx)
{
    struct exposition_format format = exposition_negotiate(http_header(x, "Accept"));
    struct buf body = BUF_INIT(BODY_MAX);
    struct page p = { .arena = ARENA_INIT(SIZE_MAX) };
    char type[EXPOSITION_TYPE_MAX];

    (void)ctx;
    exposition_begin(&p.out, &format, &body);
    stat_each(put_stat, &p);
    exposition_end(&p.out);
    arena_release(&p.arena);
    http_answer_buf(x, 200, exposition_content_type(&format, type), &body);
}
