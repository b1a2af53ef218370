/* inhibit.c - see inhibit.h. Of each rule its sources, found by the values of the labels that must be equal.
 */
#include "tell/notify/inhibit.h"

#include "base/hash.h"
#include "base/mem.h"
#include "tell/notify/fp_table.h"

struct source {
    struct held *alert;
    uint64_t equal; /* hash of the values */
    struct source *next;
};

struct rule {
    const struct am_inhibit_rule *conf;
    struct fp_table by_fp, by_equal; /* source; first source of a chain */
};

struct inhibit {
    struct rule *rules;
    size_t n;
};

struct inhibit *inhibit_new(const struct am_config *c)
{
    struct inhibit *in = mem_alloc_zero(sizeof *in);
    in->n = c->n_inhibit;
    in->rules = mem_array(in->n, sizeof *in->rules);
    for (size_t i = 0; i < in->n; i++) in->rules[i].conf = &c->inhibit[i];
    return in;
}

void inhibit_free(struct inhibit *in)
{
    struct source *s;
    if (in == NULL) return;
    for (size_t r = 0; r < in->n; r++) {
        for (size_t i = 0; (s = fp_table_next(&in->rules[r].by_fp, &i)) != NULL;) {
            held_unref(s->alert);
            mem_free(s);
        }
        fp_table_release(&in->rules[r].by_fp);
        fp_table_release(&in->rules[r].by_equal);
    }
    mem_free(in->rules);
    mem_free(in);
}

static uint64_t equal_hash(const struct am_inhibit_rule *r, struct labels l)
{
    uint64_t h = 1;
    for (size_t i = 0; i < r->n_equal; i++) {
        struct str v = labels_get_str(l, r->equal[i]);
        h = h * 0x9e3779b97f4a7c15u + hash64(v.p, v.n);
    }
    return h;
}

static bool are_equal(const struct am_inhibit_rule *r, struct labels a, struct labels b)
{
    for (size_t i = 0; i < r->n_equal; i++)
        if (!str_eq(labels_get_str(a, r->equal[i]), labels_get_str(b, r->equal[i]))) return false;
    return true;
}

void inhibit_see(struct inhibit *in, struct held *h)
{
    for (size_t i = 0; i < in->n; i++) {
        struct rule *r = &in->rules[i];
        struct source *s = fp_table_get(&r->by_fp, h->fp);
        if (s == NULL && !am_matchers_match(&r->conf->source, h->a.labels)) continue;
        if (s == NULL) {
            s = mem_alloc_zero(sizeof *s);
            s->equal = equal_hash(r->conf, h->a.labels);
            fp_table_put(&r->by_fp, h->fp, s);
            s->next = fp_table_put(&r->by_equal, s->equal, s);
        }
        held_unref(s->alert);
        s->alert = held_ref(h);
    }
}

static const struct source *muting(const struct rule *r, struct labels l, int64_t now_ms)
{
    if (!am_matchers_match(&r->conf->target, l)) return NULL;
    bool is_both = am_matchers_match(&r->conf->source, l);
    for (const struct source *s = fp_table_get(&r->by_equal, equal_hash(r->conf, l)); s != NULL;
         s = s->next) {
        if (held_resolved(s->alert, now_ms) || !are_equal(r->conf, s->alert->a.labels, l)) continue;
        if (is_both && am_matchers_match(&r->conf->target, s->alert->a.labels)) continue;
        return s;
    }
    return NULL;
}

bool inhibit_mutes(const struct inhibit *in, struct labels l, int64_t now_ms, uint64_t *by)
{
    for (size_t i = 0; i < in->n; i++) {
        const struct source *s = muting(&in->rules[i], l, now_ms);
        if (s == NULL) continue;
        *by = s->alert->fp;
        return true;
    }
    return false;
}

static void rule_gc(struct rule *r, int64_t now_ms)
{
    struct fp_table left = { 0 };
    struct source *s;
    fp_table_release(&r->by_equal);
    for (size_t i = 0; (s = fp_table_next(&r->by_fp, &i)) != NULL;) {
        if (held_resolved(s->alert, now_ms)) {
            held_unref(s->alert);
            mem_free(s);
            continue;
        }
        fp_table_put(&left, s->alert->fp, s);
        s->next = fp_table_put(&r->by_equal, s->equal, s);
    }
    fp_table_release(&r->by_fp);
    r->by_fp = left;
}

void inhibit_gc(struct inhibit *in, int64_t now_ms)
{
    for (size_t i = 0; i < in->n; i++) rule_gc(&in->rules[i], now_ms);
}
