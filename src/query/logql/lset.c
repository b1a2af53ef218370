/* lset.c - see lset.h. A line has a few dozen labels: a walk over an array beats any table. */
#include "query/logql/lset.h"

#include <stdlib.h>

#include "base/mem.h"

void lset_release(struct lset *s)
{
    mem_free(s->at);
    *s = (struct lset){ 0 };
}

static struct lset_entry *find(const struct lset *s, struct str name)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->at[i].name.n == name.n && memcmp(s->at[i].name.p, name.p, name.n) == 0) return &s->at[i];
    return NULL;
}

static void add(struct lset *s, struct lset_entry e)
{
    s->at = mem_grow(s->at, s->n, &s->cap, sizeof *s->at);
    s->at[s->n++] = e;
}

void lset_begin(struct lset *s, struct labels stream)
{
    s->n = 0;
    s->has_error = false;
    for (size_t i = 0; i < stream.n; i++)
        add(s, (struct lset_entry){ stream.at[i].name, stream.at[i].value, LABEL_STREAM, 0 });
}

const struct lset_entry *lset_find(const struct lset *s, struct str name)
{
    return find(s, name);
}

struct str lset_get(const struct lset *s, struct str name)
{
    const struct lset_entry *e = find(s, name);
    return e && e->value.p ? e->value : STR("");
}

void lset_set(struct lset *s, struct str name, struct str value, enum label_kind kind, unsigned stage)
{
    struct lset_entry *e = find(s, name), made = { name, value, kind, stage };
    if (e)
        *e = made;
    else
        add(s, made);
}

void lset_drop(struct lset *s, struct str name)
{
    struct lset_entry *e = find(s, name);
    if (e == NULL) return;
    if (str_is(name, ERROR_LABEL)) s->has_error = false;
    *e = s->at[--s->n];
}

void lset_add_structured(struct lset *s, struct str name, struct str value)
{
    if (find(s, name) == NULL) add(s, (struct lset_entry){ name, value, LABEL_STRUCTURED, 0 });
}

void lset_extract(struct lset *s, struct str name, struct str value, unsigned stage, struct arena *a)
{
    struct lset_entry *e = find(s, name);
    if (e && e->kind != LABEL_PARSED) {
        name = arena_printf(a, "%.*s_extracted", STR_ARG(name));
        e = find(s, name);
    }
    if (e && e->stage == stage) return;
    if (e)
        *e = (struct lset_entry){ name, value, LABEL_PARSED, stage };
    else
        add(s, (struct lset_entry){ name, value, LABEL_PARSED, stage });
}

void lset_error(struct lset *s, const char *kind, struct str details)
{
    lset_set(s, STR(ERROR_LABEL), str_of(kind), LABEL_PARSED, 0);
    lset_set(s, STR(DETAILS_LABEL), details, LABEL_PARSED, 0);
    s->has_error = true;
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

/* Insertion for the few labels there usually are. */
static void sort_labels(struct label *at, size_t n)
{
    if (n > 32) {
        qsort(at, n, sizeof *at, by_name);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        struct label l = at[i];
        size_t k = i;
        for (; k > 0 && by_name(&at[k - 1], &l) > 0; k--) at[k] = at[k - 1];
        at[k] = l;
    }
}

struct labels lset_labels(const struct lset *s, unsigned kinds, struct arena *a, bool copies)
{
    struct label *at = arena_array(a, s->n, sizeof *at);
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (!(s->at[i].kind & kinds) || s->at[i].value.n == 0) continue;
        at[n++] = (struct label){ s->at[i].name, s->at[i].value };
    }
    sort_labels(at, n);
    for (size_t i = 0; copies && i < n; i++)
        at[i] = (struct label){ arena_str(a, at[i].name), arena_str(a, at[i].value) };
    return (struct labels){ at, n };
}

struct str label_sanitised(struct str name, struct arena *a)
{
    if (label_name_is_plain(name)) return name;
    bool digit = name.n > 0 && name.p[0] >= '0' && name.p[0] <= '9';
    char *p = arena_alloc(a, name.n + 2);
    size_t n = 0;
    if (digit || name.n == 0) p[n++] = '_';
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
        p[n++] = plain ? c : '_';
    }
    return str_make(p, n);
}
