#include "store/label_pool.h"

#include <string.h>
#include <sys/random.h>

#include "base/check.h"
#include "base/clock.h"

#define CHUNK_BYTES (64u << 10)
#define PAGE_SHIFT  10

struct pool_chunk {
    struct pool_chunk *next;
    char text[];
};

void label_pool_init(struct label_pool *p)
{
    *p = (struct label_pool){ 0 };
    if (getrandom(&p->seed, sizeof p->seed, GRND_NONBLOCK) != sizeof p->seed)
        p->seed = (uint64_t)clock_mono_ns();
    paged_init(&p->names, sizeof(struct pool_name), PAGE_SHIFT - 3);
    paged_init(&p->pairs, sizeof(struct pool_pair), PAGE_SHIFT);
}

void label_pool_release(struct label_pool *p)
{
    for (uint32_t i = 0; i < p->n_names; i++) mem_free(((struct pool_name *)paged_at(&p->names, i))->pairs);
    for (struct pool_chunk *c = p->chunk, *next; c != NULL; c = next) {
        next = c->next;
        mem_free(c);
    }
    paged_release(&p->names);
    paged_release(&p->pairs);
    id_table_release(&p->name_ids);
    id_table_release(&p->pair_ids);
    *p = (struct label_pool){ 0 };
}

/* A large text gets a chunk of its own, so that the rest of the current one is not lost. */
static struct pool_chunk *chunk_new(struct label_pool *p, size_t n)
{
    struct pool_chunk *c = mem_alloc(sizeof *c + n);
    c->next = p->chunk;
    p->chunk = c;
    p->text_bytes += sizeof *c + n;
    return c;
}

static const char *keep_text(struct label_pool *p, struct str s)
{
    char *to;
    if (s.n > CHUNK_BYTES / 8) {
        to = chunk_new(p, s.n)->text;
    } else {
        if ((size_t)(p->end - p->at) < s.n) {
            p->at = chunk_new(p, CHUNK_BYTES)->text;
            p->end = p->at + CHUNK_BYTES;
        }
        to = p->at;
        p->at += s.n;
    }
    if (s.n) memcpy(to, s.p, s.n);
    return to;
}

struct wanted {
    const struct label_pool *pool;
    struct str text;
    uint32_t name_no;
};

static bool same_name(const void *ctx, uint32_t id)
{
    const struct wanted *w = ctx;
    const struct pool_name *name = label_pool_name_at(w->pool, id);
    return str_eq(w->text, str_make(name->text, name->len));
}

static bool same_pair(const void *ctx, uint32_t id)
{
    const struct wanted *w = ctx;
    const struct pool_pair *pair = label_pool_pair_at(w->pool, id);
    return pair->name_no == w->name_no && str_eq(w->text, str_make(pair->value, pair->len));
}

static uint32_t name_hash(const struct label_pool *p, struct str name)
{
    return id_table_fold(XXH3_64bits_withSeed(name.p, name.n, p->seed));
}

static uint32_t pair_hash(const struct label_pool *p, uint32_t name_no, struct str value)
{
    return id_table_fold(XXH3_64bits_withSeed(value.p, value.n, p->seed + name_no));
}

uint32_t label_pool_name(const struct label_pool *p, struct str name)
{
    struct wanted w = { p, name, 0 };
    return id_table_find(&p->name_ids, name_hash(p, name), same_name, &w);
}

uint32_t label_pool_find(const struct label_pool *p, uint32_t name_no, struct str value)
{
    struct wanted w = { p, value, name_no };
    return id_table_find(&p->pair_ids, pair_hash(p, name_no, value), same_pair, &w);
}

uint32_t label_pool_find_pair(const struct label_pool *p, struct str name, struct str value)
{
    uint32_t name_no = label_pool_name(p, name);
    return name_no == ID_NONE ? ID_NONE : label_pool_find(p, name_no, value);
}

static uint32_t add_name(struct label_pool *p, struct str name)
{
    uint32_t no = p->n_names;
    struct pool_name *at = paged_make(&p->names, no);
    at->text = keep_text(p, name);
    at->len = (uint32_t)name.n;
    id_table_add(&p->name_ids, name_hash(p, name), no);
    p->n_names++;
    return no;
}

static void list_pair(struct label_pool *p, struct pool_name *name, uint32_t pair)
{
    if (name->n_pairs == name->cap_pairs) {
        uint32_t more = name->cap_pairs / 4 + 4;
        name->pairs = mem_realloc(name->pairs, ((size_t)name->cap_pairs + more) * sizeof *name->pairs);
        name->cap_pairs += more;
        p->list_bytes += more * sizeof *name->pairs;
    }
    name->pairs[name->n_pairs++] = pair;
}

uint32_t label_pool_add(struct label_pool *p, struct str name, struct str value)
{
    uint32_t name_no = label_pool_name(p, name);
    if (name_no == ID_NONE) name_no = add_name(p, name);

    uint32_t pair = label_pool_find(p, name_no, value);
    if (pair != ID_NONE) return pair;

    pair = p->n_pairs;
    struct pool_pair *at = paged_make(&p->pairs, pair);
    *at = (struct pool_pair){ keep_text(p, value), (uint32_t)value.n, name_no };
    list_pair(p, paged_at(&p->names, name_no), pair);
    id_table_add(&p->pair_ids, pair_hash(p, name_no, value), pair);
    p->n_pairs++;
    return pair;
}

size_t label_pool_bytes(const struct label_pool *p)
{
    return p->text_bytes + p->list_bytes + paged_bytes(&p->names) + paged_bytes(&p->pairs) +
           id_table_bytes(&p->name_ids) + id_table_bytes(&p->pair_ids);
}
