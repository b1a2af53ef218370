/* scrape_cache.c - see scrape_cache.h.
 *
 * Entries are in one list and in two tables of pointers: by text, and (owners only) by series.
 *
 * Always true:
 *   1. Two texts of the same series share one owner, and only the owner's marks tell whether the series was
 * there.
 *   2. `tracked` is the number of the last scrape that showed the owner without a time; a failed scrape puts
 * `before` back.
 *   3. An entry is freed only by sweep(), which first takes every `next` that leads to it away.
 *   4. After scrape_cache_end an owner's `tracked` equals `good` exactly when its series has a live last
 * sample. */
#include "receive/scrape_cache.h"

#include "base/check.h"
#include "base/mem.h"

struct table {
    struct scrape_series **slots;
    size_t mask, n; /* slots - 1 */
};

struct scrape_cache {
    struct scrape_series **all;
    size_t n, cap;
    struct table by_text, by_key;
    struct scrape_series *first, *last; /* of the last scrape's order; the newest seen in this one */
    uint32_t now;                       /* number of this scrape, from 1 */
    uint32_t good;                      /* number of the last good one */
    size_t n_tracked;                   /* owners tracked in it */
    size_t n_tracked_now, n_still, n_seen, n_added;
    size_t n_good; /* entries after the last good scrape */
};

/* ---- tables ---- */

static void table_put(struct table *t, uint64_t hash, struct scrape_series *s)
{
    size_t i = hash & t->mask;
    while (t->slots[i] != NULL) i = (i + 1) & t->mask;
    t->slots[i] = s;
    t->n++;
}

static void table_resize(struct table *t, size_t slots, bool by_key)
{
    struct table old = *t;
    t->slots = mem_array(slots, sizeof *t->slots);
    t->mask = slots - 1;
    t->n = 0;
    for (size_t i = 0; old.slots != NULL && i <= old.mask; i++)
        if (old.slots[i] != NULL)
            table_put(t, by_key ? old.slots[i]->key.lo : old.slots[i]->text_hash, old.slots[i]);
    mem_free(old.slots);
}

static void table_add(struct table *t, uint64_t hash, struct scrape_series *s, bool by_key)
{
    if (t->slots == NULL) table_resize(t, 16, by_key);
    if ((t->n + 1) * 4 > (t->mask + 1) * 3) table_resize(t, (t->mask + 1) * 2, by_key);
    table_put(t, hash, s);
}

static struct scrape_series *find_text(const struct table *t, uint64_t hash, struct str text)
{
    if (t->slots == NULL) return NULL;
    for (size_t i = hash & t->mask; t->slots[i] != NULL; i = (i + 1) & t->mask) {
        struct scrape_series *s = t->slots[i];
        if (s->text_hash == hash && s->n_text == text.n && memcmp(s->bytes, text.p, text.n) == 0) return s;
    }
    return NULL;
}

static struct scrape_series *find_key(const struct table *t, struct hash128 key)
{
    if (t->slots == NULL) return NULL;
    for (size_t i = key.lo & t->mask; t->slots[i] != NULL; i = (i + 1) & t->mask)
        if (hash128_eq(t->slots[i]->key, key)) return t->slots[i];
    return NULL;
}

/* ---- life ---- */

struct scrape_cache *scrape_cache_new(void)
{
    return mem_alloc_zero(sizeof(struct scrape_cache));
}

void scrape_cache_free(struct scrape_cache *c)
{
    if (c == NULL) return;
    for (size_t i = 0; i < c->n; i++) mem_free(c->all[i]);
    mem_free(c->all);
    mem_free(c->by_text.slots);
    mem_free(c->by_key.slots);
    mem_free(c);
}

void scrape_cache_begin(struct scrape_cache *c)
{
    c->now++;
    c->last = NULL;
    c->n_tracked_now = c->n_still = c->n_seen = c->n_added = 0;
}

static void follow(struct scrape_cache *c, struct scrape_series *s)
{
    if (c->last == NULL)
        c->first = s;
    else
        c->last->next = s;
    c->last = s;
    if (s->seen != c->now) {
        s->seen = c->now;
        c->n_seen++;
    }
}

struct scrape_series *scrape_cache_find(struct scrape_cache *c, struct str text)
{
    struct scrape_series *s = c->last ? c->last->next : c->first;
    if (s == NULL || s->orphan || s->n_text != text.n || memcmp(s->bytes, text.p, text.n) != 0) {
        s = find_text(&c->by_text, hash64(text.p, text.n), text);
        if (s == NULL) return NULL;
    }
    follow(c, s);
    return s;
}

/* The rules have changed and an orphan's series has a text again: its marks move to the new entry. */
static void take_over(struct scrape_cache *c, struct scrape_series *s, struct scrape_series *orphan)
{
    size_t i = s->key.lo & c->by_key.mask;
    while (c->by_key.slots[i] != orphan) i = (i + 1) & c->by_key.mask;
    c->by_key.slots[i] = s;
    s->tracked = orphan->tracked;
    s->before = orphan->before;
    orphan->tracked = orphan->before = 0;
    orphan->replaced = true;
}

struct scrape_series *scrape_cache_add(struct scrape_cache *c, struct str text, struct str packed)
{
    check(text.n <= UINT32_MAX && packed.n <= UINT32_MAX);
    struct scrape_series *s = mem_alloc_zero(sizeof *s + text.n + packed.n);
    s->text_hash = hash64(text.p, text.n);
    s->n_text = (uint32_t)text.n;
    s->n_packed = (uint32_t)packed.n;
    memcpy(s->bytes, text.p, text.n);
    if (packed.n > 0) memcpy(s->bytes + text.n, packed.p, packed.n);
    s->owner = s;
    c->all = mem_grow(c->all, c->n, &c->cap, sizeof *c->all);
    c->all[c->n++] = s;
    table_add(&c->by_text, s->text_hash, s, false);
    if (packed.n > 0) {
        s->key = hash128_seed(packed.p, packed.n, 0); /* LABELS_PACKED */
        struct scrape_series *owner = find_key(&c->by_key, s->key);
        if (owner != NULL && owner->orphan && owner->refs == 0) {
            take_over(c, s, owner);
        } else if (owner != NULL) {
            s->owner = owner;
            owner->refs++;
        } else {
            table_add(&c->by_key, s->key.lo, s, true);
            c->n_added++;
        }
    }
    /* The guess is kept: what followed the last one probably follows the newcomer. */
    s->next = c->last ? c->last->next : c->first;
    follow(c, s);
    return s;
}

bool scrape_cache_see(struct scrape_cache *c, struct scrape_series *s, bool tracked)
{
    struct scrape_series *o = s->owner;
    if (o->tracked == c->now) return false;
    if (!tracked) return true;
    c->n_still += o->tracked == c->good && c->good != 0;
    c->n_tracked_now++;
    o->before = o->tracked;
    o->tracked = c->now;
    return true;
}

size_t scrape_cache_added(const struct scrape_cache *c)
{
    return c->n_added;
}

size_t scrape_cache_size(const struct scrape_cache *c)
{
    return c->n;
}

/* ---- the end of a scrape ---- */

static void rebuild_tables(struct scrape_cache *c)
{
    mem_free(c->by_text.slots);
    mem_free(c->by_key.slots);
    c->by_text = c->by_key = (struct table){ 0 };
    for (size_t i = 0; i < c->n; i++) {
        struct scrape_series *s = c->all[i];
        if (!s->orphan) table_add(&c->by_text, s->text_hash, s, false);
        if (s->owner == s && s->n_packed > 0 && !s->replaced) table_add(&c->by_key, s->key.lo, s, true);
    }
}

static void cut_links(struct scrape_cache *c)
{
    if (c->first != NULL && c->first->doomed) c->first = NULL;
    for (size_t i = 0; i < c->n; i++)
        if (c->all[i]->next != NULL && c->all[i]->next->doomed) c->all[i]->next = NULL;
    c->last = NULL;
}

/* Frees entries whose text this scrape did not show (or all, after too many bad scrapes), but for owners of
 * other texts. */
static void sweep(struct scrape_cache *c, bool all)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->n; i++)
        c->all[i]->doomed = (all || c->all[i]->seen != c->now) && c->all[i]->refs == 0;
    cut_links(c);
    for (size_t i = 0; i < c->n; i++) {
        struct scrape_series *s = c->all[i];
        if (!s->doomed) {
            c->all[kept++] = s;
            continue;
        }
        if (s->owner != s) s->owner->refs--; /* the owner had a reference, so it is not among the doomed */
        mem_free(s);
    }
    c->n = kept;
    rebuild_tables(c);
}

static void end_series(struct scrape_cache *c, void (*gone)(const struct scrape_series *, void *), void *ctx)
{
    for (size_t i = 0; i < c->n; i++) {
        struct scrape_series *s = c->all[i];
        if (s->owner != s || s->tracked != c->good || c->good == 0) continue;
        s->tracked = 0;
        gone(s, ctx);
    }
}

static void undo_marks(struct scrape_cache *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->all[i]->tracked == c->now) c->all[i]->tracked = c->all[i]->before;
}

void scrape_cache_end(struct scrape_cache *c, bool ok, void (*gone)(const struct scrape_series *, void *),
                      void *ctx)
{
    if (!ok) undo_marks(c);
    if (!ok || c->n_still < c->n_tracked) end_series(c, gone, ctx);
    c->good = c->now;
    c->n_tracked = ok ? c->n_tracked_now : 0;
    if (ok && c->n_seen < c->n) sweep(c, false);
    if (ok) c->n_good = c->n;
    /* A target whose labels change from one failed scrape to the next must not fill our memory. */
    else if (c->n > 2 * c->n_good + 1000)
        sweep(c, true);
}

void scrape_cache_forget_texts(struct scrape_cache *c)
{
    for (size_t i = 0; i < c->n; i++) {
        struct scrape_series *s = c->all[i];
        s->orphan = true;
        s->refs = 0;
        s->next = NULL;
        if (s->owner != s) s->n_packed = 0; /* an alias is only a text */
        s->owner = s;
    }
    c->first = c->last = NULL;
    rebuild_tables(c);
}
