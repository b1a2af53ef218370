/* held.c - see held.h. One allocation: the struct, the pairs, then the texts. */
#include "tell/notify/held.h"

#include <stdatomic.h>

#include "base/check.h"
#include "base/mem.h"

static size_t texts_size(struct labels l)
{
    size_t n = 0;
    for (size_t i = 0; i < l.n; i++) n += l.at[i].name.n + l.at[i].value.n;
    return n;
}

static struct str put(char **at, struct str s)
{
    if (s.n > 0) memcpy(*at, s.p, s.n);
    *at += s.n;
    return str_make(*at - s.n, s.n);
}

static struct labels put_labels(struct label **pairs, char **at, struct labels l)
{
    struct label *to = *pairs;
    for (size_t i = 0; i < l.n; i++) {
        to[i].name = put(at, l.at[i].name);
        to[i].value = put(at, l.at[i].value);
    }
    *pairs += l.n;
    return (struct labels){ to, l.n };
}

struct held *held_new(const struct alert *a, bool is_timeout)
{
    size_t n_pairs = a->labels.n + a->annotations.n;
    size_t texts = texts_size(a->labels) + texts_size(a->annotations) + a->generator_url.n;
    struct held *h = mem_alloc(sizeof *h + n_pairs * sizeof(struct label) + texts);
    struct label *pairs = (struct label *)(h + 1);
    char *at = (char *)(pairs + n_pairs);

    *h = (struct held){ .refs = 1, .a = *a, .fp = alert_fingerprint(a->labels), .is_timeout = is_timeout };
    h->a.labels = put_labels(&pairs, &at, a->labels);
    h->a.annotations = put_labels(&pairs, &at, a->annotations);
    h->a.generator_url = put(&at, a->generator_url);
    return h;
}

struct held *held_ref(struct held *h)
{
    atomic_fetch_add_explicit(&h->refs, 1, memory_order_relaxed);
    return h;
}

void held_unref(struct held *h)
{
    if (h != NULL && atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) == 1) mem_free(h);
}

static int64_t merged_end(const struct held *old, const struct held *young, int64_t now_ms)
{
    bool old_is_later = old->a.ends_ms > young->a.ends_ms;
    if (held_resolved(young, now_ms))
        return held_resolved(old, now_ms) && old_is_later ? old->a.ends_ms : young->a.ends_ms;
    return old_is_later && !old->is_timeout ? old->a.ends_ms : young->a.ends_ms;
}

struct held *held_merge(const struct held *old, const struct held *young, int64_t now_ms)
{
    if (young->a.updated_ms < old->a.updated_ms) return held_merge(young, old, now_ms);
    struct alert a = young->a;
    a.starts_ms = MIN(old->a.starts_ms, young->a.starts_ms);
    a.ends_ms = merged_end(old, young, now_ms);
    return held_new(&a, young->is_timeout);
}

int held_order(const void *pa, const void *pb)
{
    static const char *const first[] = { "job", "instance" };
    struct labels a = (*(struct held *const *)pa)->a.labels, b = (*(struct held *const *)pb)->a.labels;
    for (size_t i = 0; i < COUNT(first); i++) {
        struct str va = labels_get(a, first[i]), vb = labels_get(b, first[i]);
        if (va.n == 0 || vb.n == 0) {
            if (va.n != vb.n) return va.n == 0 ? 1 : -1; /* those that have it come first */
            continue;
        }
        int c = str_cmp(va, vb);
        if (c != 0) return c;
    }
    if (a.n != b.n) return a.n < b.n ? -1 : 1;
    return labels_cmp(a, b);
}
