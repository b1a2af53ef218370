/* labelset.c - making and comparing the label sets that operators ask for: kept, without, set.
 *
 * Label arrays are sorted by name, so everything here is one walk; strings are borrowed, never copied. */
#include "base/check.h"
#include "base/hash.h"
#include "query/promql/eval.h"

static uint64_t mix(uint64_t h, const struct label *l)
{
    uint64_t name = hash64(l->name.p, l->name.n), value = hash64(l->value.p, l->value.n);
    h = (h ^ name) * 0x9e3779b97f4a7c15ull;
    h = (h ^ (h >> 32) ^ value) * 0xff51afd7ed558ccdull;
    return h ^ (h >> 29);
}

bool names_has(const struct str *names, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(names[i], name)) return true;
    return false;
}

static bool kept_without(struct str name, const struct str *names, size_t n)
{
    return !str_is(name, LABEL_NAME) && !names_has(names, n, name);
}

uint64_t labels_hash(struct labels l)
{
    uint64_t h = 0;
    for (size_t i = 0; i < l.n; i++) h = mix(h, &l.at[i]);
    return h;
}

uint64_t labels_hash_on(struct labels l, const struct str *names, size_t n)
{
    uint64_t h = 0;
    for (size_t i = 0; i < l.n; i++)
        if (names_has(names, n, l.at[i].name)) h = mix(h, &l.at[i]);
    return h;
}

uint64_t labels_hash_without(struct labels l, const struct str *names, size_t n)
{
    uint64_t h = 0;
    for (size_t i = 0; i < l.n; i++)
        if (kept_without(l.at[i].name, names, n)) h = mix(h, &l.at[i]);
    return h;
}

/* The next label at or after i that belongs to the set; l.n when there is none. */
static size_t next_of(struct labels l, size_t i, const struct str *names, size_t n, bool on)
{
    while (i < l.n && (on ? !names_has(names, n, l.at[i].name) : !kept_without(l.at[i].name, names, n))) i++;
    return i;
}

static bool eq_some(struct labels a, struct labels b, const struct str *names, size_t n, bool on)
{
    size_t i = 0, j = 0;
    for (;; i++, j++) {
        i = next_of(a, i, names, n, on);
        j = next_of(b, j, names, n, on);
        if (i == a.n || j == b.n) return i == a.n && j == b.n;
        if (!str_eq(a.at[i].name, b.at[j].name) || !str_eq(a.at[i].value, b.at[j].value)) return false;
    }
}

bool labels_eq_on(struct labels a, struct labels b, const struct str *names, size_t n)
{
    return eq_some(a, b, names, n, true);
}

bool labels_eq_without(struct labels a, struct labels b, const struct str *names, size_t n)
{
    return eq_some(a, b, names, n, false);
}

static struct labels pick(struct arena *a, struct labels l, const struct str *names, size_t n, bool on)
{
    struct label *out = arena_array(a, l.n, sizeof *out);
    size_t m = 0;
    for (size_t i = next_of(l, 0, names, n, on); i < l.n; i = next_of(l, i + 1, names, n, on))
        out[m++] = l.at[i];
    return (struct labels){ out, m };
}

struct labels labels_keep(struct arena *a, struct labels l, const struct str *names, size_t n)
{
    return pick(a, l, names, n, true);
}

struct labels labels_without(struct arena *a, struct labels l, const struct str *names, size_t n)
{
    return pick(a, l, names, n, false);
}

struct labels labels_drop_meta(struct arena *a, struct labels l)
{
    static const struct str meta[] = { { "__type__", 8 }, { "__unit__", 8 } };
    return pick(a, l, meta, COUNT(meta), false);
}

struct labels labels_set(struct arena *a, struct labels l, struct str name, struct str value)
{
    struct label *out = arena_array(a, l.n + 1, sizeof *out);
    size_t m = 0, i = 0;
    while (i < l.n && str_cmp(l.at[i].name, name) < 0) out[m++] = l.at[i++];
    if (value.n) out[m++] = (struct label){ name, value };
    if (i < l.n && str_eq(l.at[i].name, name)) i++;
    while (i < l.n) out[m++] = l.at[i++];
    return (struct labels){ out, m };
}
