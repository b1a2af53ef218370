#include "store/registry.h"

#include <pthread.h>

#include "base/check.h"
#include "base/mem.h"
#include "unit/store/index_model.h"

#define DAY 20000

static series_key resolve(struct registry *r, struct labels l, enum registry_added *added)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct err e = ERR_INIT;
    struct str raw = model_pack(l, &a), packed = { NULL, 0 };
    series_key key = 0;
    int rc = registry_resolve(r, labels_packed_id(raw), LABELS_PACKED, raw, &a, &key, added, &packed, &e);
    EXPECT(rc == OK);
    if (*added == REGISTRY_NEW) EXPECT(str_eq(packed, raw));
    arena_release(&a);
    return key;
}

static series_key resolve_text(struct registry *r, const char *name, const char *value,
                               enum registry_added *added)
{
    struct label at[] = { { STR(LABEL_NAME), str_of(name) }, { STR("host"), str_of(value) } };
    return resolve(r, (struct labels){ at, 2 }, added);
}

static size_t count(struct registry *r, uint32_t day, const char *name, const char *value)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct call call = model_call(&a);
    struct err e = ERR_INIT;
    struct matcher m;
    series_key *keys;
    size_t n;
    EXPECT(matcher_init(&m, MATCH_EQ, str_of(name), str_of(value), &e) == OK);
    EXPECT(registry_select(r, day, &m, 1, &call, &keys, &n, &e) == OK);
    matcher_release(&m);
    arena_release(&a);
    return n;
}

TEST(registry_gives_a_series_one_number_for_ever)
{
    struct registry *r = registry_new(1000);
    enum registry_added added;

    series_key a = resolve_text(r, "up", "one", &added);
    EXPECT(added == REGISTRY_NEW);
    series_key b = resolve_text(r, "up", "two", &added);
    EXPECT(added == REGISTRY_NEW);
    series_key c = resolve_text(r, "down", "one", &added);
    EXPECT(added == REGISTRY_NEW);
    EXPECT(a >> 32 == b >> 32 && a >> 32 != c >> 32);               /* one metric, one number */
    EXPECT((uint32_t)a < (uint32_t)b && (uint32_t)b < (uint32_t)c); /* numbers rise */
    EXPECT(resolve_text(r, "up", "one", &added) == a && added == REGISTRY_KNOWN);

    struct registry_size size;
    registry_size(r, &size);
    EXPECT_INT(size.series, 3);
    EXPECT_INT(size.metrics, 2);
    EXPECT_INT(size.pairs, 4);
    registry_free(r);
}

static int try_new(struct registry *r, const char *name, const char *value, struct err *e)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct label at[] = { { STR(LABEL_NAME), str_of(name) }, { STR("host"), str_of(value) } };
    struct str raw = model_pack((struct labels){ at, 2 }, &a), packed;
    enum registry_added added;
    series_key key;
    *e = (struct err)ERR_INIT;
    int rc = registry_resolve(r, labels_packed_id(raw), LABELS_PACKED, raw, &a, &key, &added, &packed, e);
    arena_release(&a);
    return rc;
}

TEST(registry_refuses_new_series_of_a_metric_that_has_enough)
{
    struct registry *r = registry_new(1000);
    struct err e;
    registry_set_limits(r, &(struct registry_limits){ .series_per_metric = 2 });
    EXPECT(try_new(r, "up", "a", &e) == OK);
    EXPECT(try_new(r, "up", "b", &e) == OK);
    EXPECT(try_new(r, "up", "c", &e) == ERR_LIMIT);
    EXPECT_INT(registry_refusal(r), REJECT_metric_series_limit);
    EXPECT(strstr(e.text, "limit of 2 series of one metric") != NULL);
    EXPECT(try_new(r, "up", "a", &e) == OK);   /* known ones go on */
    EXPECT(try_new(r, "down", "c", &e) == OK); /* and other metrics */
    registry_free(r);
}

TEST(registry_refuses_new_values_of_a_label_that_has_enough)
{
    struct registry *r = registry_new(1000);
    struct err e;
    registry_set_limits(r, &(struct registry_limits){ .values_per_label = 3 });
    EXPECT(try_new(r, "up", "a", &e) == OK);
    EXPECT(try_new(r, "up", "b", &e) == OK);
    EXPECT(try_new(r, "up", "c", &e) == OK);
    EXPECT(try_new(r, "up", "d", &e) == ERR_LIMIT);
    EXPECT_INT(registry_refusal(r), REJECT_label_values_limit);
    EXPECT(strstr(e.text, "reached by host") != NULL);
    EXPECT(try_new(r, "down", "c", &e) == OK); /* a new series of values that are there */
    registry_free(r);
}

TEST(registry_refuses_new_series_beyond_its_memory)
{
    struct registry *r = registry_new(10000000);
    struct err e = ERR_INIT;
    char host[32];
    uint32_t n = 0;
    registry_set_limits(r, &(struct registry_limits){ .bytes = 4 << 20 });
    while (n < 1000000 && (snprintf(host, sizeof host, "h%u", n), try_new(r, "up", host, &e)) == OK) n++;
    EXPECT(n > 1000 && n < 1000000);
    EXPECT_INT(registry_refusal(r), REJECT_series_memory);
    struct registry_size size;
    registry_size(r, &size);
    EXPECT(size.bytes >= 4 << 20 && size.bytes < 6 << 20); /* looked at now and then: a little over */
    EXPECT(try_new(r, "up", "h1", &e) == OK);
    registry_free(r);
}

TEST(registry_finds_a_spelling_only_after_it_was_resolved)
{
    struct registry *r = registry_new(1000);
    struct arena a = ARENA_INIT(1 << 20);
    struct label at[] = { { STR(LABEL_NAME), STR("up") } };
    struct str raw = model_pack((struct labels){ at, 1 }, &a), packed;
    struct hash128 first = { 17, 4 }, second = { 17, 5 }; /* two clients, two spellings */
    enum registry_added added;
    struct err e = ERR_INIT;
    series_key key, found;

    EXPECT(!registry_find(r, first, &found));
    EXPECT(registry_resolve(r, first, LABELS_PACKED, raw, &a, &key, &added, &packed, &e) == OK);
    EXPECT(registry_find(r, first, &found) && found == key);
    EXPECT(!registry_find(r, second, &found));
    EXPECT(registry_resolve(r, second, LABELS_PACKED, raw, &a, &found, &added, &packed, &e) == OK);
    EXPECT(found == key && added == REGISTRY_KNOWN);
    EXPECT(registry_find(r, second, &found) && found == key);
    arena_release(&a);
    registry_free(r);
}

TEST(registry_refuses_broken_labels_and_series_beyond_the_limit)
{
    struct registry *r = registry_new(2);
    struct arena a = ARENA_INIT(1 << 20);
    enum registry_added added;
    struct err e = ERR_INIT;
    struct str packed;
    series_key key = 99;

    resolve_text(r, "up", "1", &added);
    resolve_text(r, "up", "2", &added);
    struct label third[] = { { STR(LABEL_NAME), STR("up") }, { STR("host"), STR("3") } };
    struct str raw = model_pack((struct labels){ third, 2 }, &a);
    EXPECT(registry_resolve(r, labels_packed_id(raw), LABELS_PACKED, raw, &a, &key, &added, &packed, &e) ==
           ERR_LIMIT);
    EXPECT(resolve_text(r, "up", "2", &added) != 0 && added == REGISTRY_KNOWN); /* old ones go on */
    EXPECT(registry_resolve(r, (struct hash128){ 1, 2 }, LABELS_PACKED, STR("\xff\xff\xff"), &a, &key, &added,
                            &packed, &e) < 0);
    EXPECT(key == 99);
    arena_release(&a);
    registry_free(r);
}

TEST(registry_does_not_remember_spellings_without_bound)
{
    struct registry *r = registry_new(1000);
    struct arena a = ARENA_INIT(1 << 20);
    struct label at[] = { { STR(LABEL_NAME), STR("up") } };
    struct str raw = model_pack((struct labels){ at, 1 }, &a), packed;
    struct registry_size before, after;
    enum registry_added added;
    struct err e = ERR_INIT;
    series_key key = 0;

    for (uint64_t i = 0; i < 200000; i++) {
        struct hash128 h = hash128_seed(raw.p, raw.n, i);
        EXPECT(registry_resolve(r, h, LABELS_PACKED, raw, &a, &key, &added, &packed, &e) == OK);
        if (i == 5000) registry_size(r, &before);
        arena_reset(&a);
        raw = model_pack((struct labels){ at, 1 }, &a);
    }
    registry_size(r, &after);
    EXPECT(before.bytes == after.bytes);
    arena_release(&a);
    registry_free(r);
}

TEST(registry_knows_which_series_are_new_in_a_day)
{
    struct registry *r = registry_new(1000);
    enum registry_added added;
    series_key a = resolve_text(r, "up", "1", &added), b = resolve_text(r, "up", "2", &added), *fresh;

    EXPECT(registry_mark(r, DAY, b));
    EXPECT(!registry_mark(r, DAY, b));
    EXPECT(registry_mark(r, DAY, a));
    EXPECT(registry_mark(r, DAY + 1, a));
    EXPECT(!registry_mark(r, DAY, a));

    EXPECT_INT(registry_fresh(r, DAY, &fresh, false), 2);
    EXPECT(fresh[0] == a && fresh[1] == b);
    mem_free(fresh);
    EXPECT_INT(registry_fresh(r, DAY, &fresh, true), 2);
    mem_free(fresh);
    EXPECT_INT(registry_fresh(r, DAY, &fresh, true), 0);
    mem_free(fresh);

    series_key c = resolve_text(r, "up", "3", &added);
    registry_mark_indexed(r, DAY, c); /* recovery: it is on disk already */
    EXPECT(!registry_mark(r, DAY, c));
    EXPECT_INT(registry_fresh(r, DAY, &fresh, true), 0);
    mem_free(fresh);
    EXPECT_INT(registry_fresh(r, DAY + 7, &fresh, true), 0);
    mem_free(fresh);
    registry_free(r);
}

TEST(registry_selects_only_series_of_the_day)
{
    struct registry *r = registry_new(1000);
    enum registry_added added;
    series_key a = resolve_text(r, "up", "1", &added), b = resolve_text(r, "up", "2", &added);

    registry_mark(r, DAY, a);
    registry_mark(r, DAY + 1, b);
    EXPECT_INT(count(r, DAY, LABEL_NAME, "up"), 1);
    EXPECT_INT(count(r, DAY + 2, LABEL_NAME, "up"), 0);
    registry_forget_day(r, DAY);
    EXPECT_INT(count(r, DAY, LABEL_NAME, "up"), 0);
    EXPECT_INT(count(r, DAY + 1, LABEL_NAME, "up"), 1);
    registry_free(r);
}

TEST(registry_collect_drops_the_forgotten_and_never_reuses_a_number)
{
    struct registry *r = registry_new(1000);
    enum registry_added added;
    series_key a = resolve_text(r, "up", "1", &added), b = resolve_text(r, "up", "2", &added);
    struct registry_size size;

    registry_mark(r, DAY, a);
    registry_mark(r, DAY + 1, b);
    registry_forget_day(r, DAY);
    registry_collect(r);
    registry_size(r, &size);
    EXPECT_INT(size.series, 1);
    EXPECT_INT(size.pairs, 2); /* up, host=2 */
    EXPECT(resolve_text(r, "up", "2", &added) == b && added == REGISTRY_KNOWN);
    series_key again = resolve_text(r, "up", "1", &added);
    EXPECT(added == REGISTRY_NEW && (uint32_t)again > (uint32_t)b && again >> 32 == b >> 32);

    registry_forget_day(r, DAY + 1);
    registry_collect(r);
    registry_size(r, &size);
    EXPECT_INT(size.series, 0);
    EXPECT_INT(size.pairs, 0);
    registry_free(r);
}

TEST(registry_restores_series_under_their_old_numbers)
{
    struct registry *r = registry_new(1000);
    struct arena a = ARENA_INIT(1 << 20);
    struct label at[] = { { STR(LABEL_NAME), STR("up") }, { STR("host"), STR("1") } };
    struct label other[] = { { STR(LABEL_NAME), STR("up") }, { STR("host"), STR("2") } };
    struct str packed = model_pack((struct labels){ at, 2 }, &a),
               other_packed = model_pack((struct labels){ other, 2 }, &a);
    series_key key = (series_key)7 << 32 | 41;
    enum registry_added added;
    struct err e = ERR_INIT;

    EXPECT(registry_restore(r, key, packed, &e) == OK);
    EXPECT(registry_restore(r, key, packed, &e) == OK); /* twice is once */
    EXPECT(registry_restore(r, key, other_packed, &e) == ERR_CORRUPT);
    EXPECT(registry_restore(r, (series_key)8 << 32 | 41, packed, &e) == ERR_CORRUPT);
    EXPECT(registry_restore(r, 0, packed, &e) == ERR_CORRUPT);
    EXPECT(registry_restore(r, (series_key)9 << 32 | 9, STR("\x01"), &e) == ERR_CORRUPT);
    EXPECT(resolve_text(r, "up", "1", &added) == key && added == REGISTRY_KNOWN);

    registry_reserve(r, 100, 20);
    EXPECT(resolve_text(r, "up", "2", &added) == ((series_key)7 << 32 | 100));
    EXPECT(resolve_text(r, "down", "2", &added) == ((series_key)20 << 32 | 101));
    EXPECT(str_eq(registry_packed(r, key, &a), packed));
    EXPECT(registry_packed(r, key + 1, &a).n == 0);
    EXPECT(registry_packed(r, UINT64_MAX, &a).n == 0);
    EXPECT(registry_labels(r, key, &a).n == 2);
    arena_release(&a);
    registry_free(r);
}

TEST(registry_prefers_the_newest_of_two_series_with_equal_labels)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct label at[] = { { STR(LABEL_NAME), STR("up") }, { STR("host"), STR("1") } };
    struct str packed = model_pack((struct labels){ at, 2 }, &a);
    series_key old = (series_key)1 << 32 | 5, young = (series_key)1 << 32 | 9;
    enum registry_added added;
    struct err e = ERR_INIT;

    for (int order = 0; order < 2; order++) { /* whichever recovery brings first */
        struct registry *r = registry_new(10);
        EXPECT(registry_restore(r, order ? old : young, packed, &e) == OK);
        EXPECT(registry_restore(r, order ? young : old, packed, &e) == OK);
        EXPECT(resolve_text(r, "up", "1", &added) == young && added == REGISTRY_KNOWN);
        registry_mark(r, DAY, old);
        EXPECT_INT(count(r, DAY, "host", "1"), 1);
        registry_free(r);
    }
    arena_release(&a);
}

/* ---- against the model ---- */

struct days {
    uint8_t *in; /* bit d: in day DAY + d */
    unsigned d;
};

static bool in_day(void *ctx, size_t i)
{
    struct days *days = ctx;
    return days->in[i] >> days->d & 1;
}

static void fill(struct registry *r, struct model *m, uint64_t *seed, size_t n, size_t values)
{
    for (size_t i = 0; i < n; i++) {
        struct labels l = model_labels(seed, values, &m->arena);
        struct model_series *known = model_find(m, l);
        enum registry_added added;
        series_key key = resolve(r, l, &added);
        EXPECT((known == NULL) == (added == REGISTRY_NEW));
        if (known != NULL)
            EXPECT(known->key == key);
        else
            model_add(m, key, l);
    }
    qsort(m->at, m->n, sizeof *m->at, model_by_key);
}

static void mark_some(struct registry *r, struct model *m, struct days *days, uint64_t *seed)
{
    days->in = arena_zero(&m->arena, m->n);
    for (size_t i = 0; i < m->n; i++)
        for (unsigned d = 0; d < 3; d++)
            if (model_random(seed) % 3 != 0)
                registry_mark(r, DAY + d, m->at[i].key), days->in[i] |= (uint8_t)(1 << d);
}

static void compare_selects(struct registry *r, struct model *m, struct days *days, uint64_t *seed,
                            int rounds)
{
    struct arena a = ARENA_INIT(16 << 20);
    struct call call = model_call(&a);
    for (int i = 0; i < rounds; i++) {
        struct matcher matchers[4];
        struct err e = ERR_INIT;
        series_key *keys;
        size_t n = model_matchers(matchers, seed), n_keys;
        days->d = (unsigned)i % 3;
        EXPECT(registry_select(r, DAY + days->d, matchers, n, &call, &keys, &n_keys, &e) == OK);
        model_expect(m, matchers, n, in_day, days, keys, n_keys);
        model_release_matchers(matchers, n);
        arena_reset(&a);
    }
    arena_release(&a);
}

TEST(registry_selects_what_the_matchers_match)
{
    static const size_t sizes[][2] = { { 5, 3 }, { 300, 20 }, { 3000, 17 }, { 1500, 900 } };
    for (size_t i = 0; i < COUNT(sizes); i++) {
        uint64_t seed = 7 + i;
        struct registry *r = registry_new(100000);
        struct model m = { .arena = ARENA_INIT(64 << 20) };
        struct days days;
        fill(r, &m, &seed, sizes[i][0], sizes[i][1]);
        mark_some(r, &m, &days, &seed);
        compare_selects(r, &m, &days, &seed, 1500);
        arena_release(&m.arena);
        registry_free(r);
    }
}

TEST(registry_selects_by_a_label_that_all_series_have)
{
    static const struct {
        enum matcher_op op;
        const char *value;
        size_t n;
    } cases[] = { { MATCH_EQ, "up", 2 },    { MATCH_NEQ, "up", 0 }, { MATCH_RE, "up|x", 2 },
                  { MATCH_NRE, "up|x", 0 }, { MATCH_NEQ, "", 2 },   { MATCH_EQ, "", 0 },
                  { MATCH_RE, ".+", 2 },    { MATCH_RE, ".*", 2 },  { MATCH_NRE, ".+", 0 },
                  { MATCH_RE, "u.*|", 2 },  { MATCH_NRE, "d.*", 2 } };
    struct registry *r = registry_new(10);
    struct arena a = ARENA_INIT(1 << 20);
    struct call call = model_call(&a);
    enum registry_added added;
    registry_mark(r, DAY, resolve_text(r, "up", "1", &added));
    registry_mark(r, DAY, resolve_text(r, "up", "2", &added));
    registry_mark(r, DAY + 1, resolve_text(r, "up", "3", &added)); /* has it, too, but not today */
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct matcher m;
        struct err e = ERR_INIT;
        series_key *keys;
        size_t n;
        EXPECT(matcher_init(&m, cases[i].op, STR(LABEL_NAME), str_of(cases[i].value), &e) == OK);
        EXPECT(registry_select(r, DAY, &m, 1, &call, &keys, &n, &e) == OK);
        EXPECT_INT(n, cases[i].n);
        matcher_release(&m);
    }
    arena_release(&a);
    registry_free(r);
}

TEST(registry_select_keeps_to_its_call)
{
    uint64_t seed = 5;
    struct registry *r = registry_new(100000);
    struct model m = { .arena = ARENA_INIT(64 << 20) };
    struct arena small = ARENA_INIT(4096);
    atomic_bool cancelled = true;
    struct call tight = model_call(&small), dead = model_call(&m.arena);
    struct err e = ERR_INIT;
    series_key *keys;
    size_t n;
    for (int i = 0; i < 3000; i++) {
        enum registry_added added;
        registry_mark(r, DAY, resolve(r, model_labels(&seed, 1000, &m.arena), &added));
    }
    EXPECT(registry_select(r, DAY, NULL, 0, &tight, &keys, &n, &e) == ERR_LIMIT && n == 0);
    dead.cancelled = &cancelled;
    EXPECT(registry_select(r, DAY, NULL, 0, &dead, &keys, &n, &e) == ERR_CANCEL && n == 0);
    arena_release(&small);
    arena_release(&m.arena);
    registry_free(r);
}

TEST(registry_answers_the_same_after_collecting)
{
    uint64_t seed = 42;
    struct registry *r = registry_new(100000);
    struct model m = { .arena = ARENA_INIT(64 << 20) };
    struct days days;
    size_t kept = 0;
    fill(r, &m, &seed, 2000, 40);
    mark_some(r, &m, &days, &seed);
    registry_forget_day(r, DAY + 1);
    registry_forget_day(r, DAY + 2);
    registry_collect(r);
    for (size_t i = 0; i < m.n; i++)
        if (days.in[i] & 1) m.at[kept] = m.at[i], days.in[kept++] = 1;
    m.n = kept;

    struct registry_size size;
    registry_size(r, &size);
    EXPECT_INT(size.series, kept);
    compare_selects(r, &m, &days, &seed, 500);
    for (size_t i = 0; i < m.n; i++) {
        enum registry_added added;
        series_key found = 0;
        EXPECT(registry_find(r, labels_packed_id(m.at[i].packed), &found) && found == m.at[i].key);
        EXPECT(resolve(r, m.at[i].labels, &added) == m.at[i].key && added == REGISTRY_KNOWN);
        EXPECT(str_eq(registry_packed(r, m.at[i].key, &m.arena), m.at[i].packed));
    }
    arena_release(&m.arena);
    registry_free(r);
}

static int compare_strs(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Distinct, sorted; the slow way. */
static size_t expect_values(struct model *m, struct days *days, struct str name, struct str *out)
{
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < m->n; i++)
        for (size_t k = 0; k < m->at[i].labels.n && in_day(days, i); k++) {
            struct label l = m->at[i].labels.at[k];
            if (name.n == 0)
                out[n++] = l.name;
            else if (str_eq(l.name, name))
                out[n++] = l.value;
        }
    qsort(out, n, sizeof *out, compare_strs);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || !str_eq(out[i], out[kept - 1])) out[kept++] = out[i];
    return kept;
}

TEST(registry_lists_names_and_values_of_a_day)
{
    uint64_t seed = 3;
    struct registry *r = registry_new(100000);
    struct model m = { .arena = ARENA_INIT(64 << 20) };
    struct call call = model_call(&m.arena);
    struct days days;
    fill(r, &m, &seed, 40, 30);
    mark_some(r, &m, &days, &seed);

    struct str *want = arena_array(&m.arena, m.n * 8, sizeof *want), *got;
    for (days.d = 0; days.d < 3; days.d++)
        for (size_t i = 0; i <= COUNT(model_names); i++) {
            struct err e = ERR_INIT;
            struct str name = i < COUNT(model_names) ? str_of(model_names[i]) : STR("");
            size_t n = expect_values(&m, &days, name, want), n_got;
            if (name.n)
                EXPECT(registry_label_values(r, DAY + days.d, name, &call, &got, &n_got, &e) == OK);
            else
                EXPECT(registry_label_names(r, DAY + days.d, &call, &got, &n_got, &e) == OK);
            EXPECT_INT(n_got, n);
            for (size_t k = 0; k < n; k++) EXPECT(str_eq(got[k], want[k]));
        }
    arena_release(&m.arena);
    registry_free(r);
}

TEST(registry_counts_what_there_is_most_of)
{
    struct registry *r = registry_new(1000);
    struct arena a = ARENA_INIT(1 << 20);
    struct call call = model_call(&a);
    struct name_count *top;
    struct err e = ERR_INIT;
    size_t n;
    enum registry_added added;
    resolve_text(r, "up", "aa", &added);
    resolve_text(r, "up", "b", &added);
    resolve_text(r, "down", "b", &added);

    EXPECT(registry_top(r, &call, "series_by_metric", 10, &top, &n, &e) == OK && n == 2);
    EXPECT(str_is(top[0].name, "up") && top[0].n == 2 && str_is(top[1].name, "down") && top[1].n == 1);
    EXPECT(registry_top(r, &call, "series_by_pair", 2, &top, &n, &e) == OK && n == 2);
    EXPECT(str_is(top[0].name, "__name__=up") && top[0].n == 2 && str_is(top[1].name, "host=b") &&
           top[1].n == 2);
    EXPECT(registry_top(r, &call, "values_by_label", 10, &top, &n, &e) == OK && n == 2 && top[0].n == 2);
    EXPECT(registry_top(r, &call, "bytes_by_label", 10, &top, &n, &e) == OK && n == 2);
    EXPECT(str_is(top[0].name, LABEL_NAME) && top[0].n == 6 && str_is(top[1].name, "host") && top[1].n == 3);
    EXPECT(registry_top(r, &call, "nonsense", 10, &top, &n, &e) == ERR_RANGE);
    arena_release(&a);
    registry_free(r);
}

/* ---- one writer, many readers ---- */

struct race {
    struct registry *r;
    _Atomic bool stop;
    _Atomic size_t selects;
};

static void *read_all_the_time(void *ctx)
{
    struct race *race = ctx;
    struct arena a = ARENA_INIT(64 << 20);
    struct call call = model_call(&a);
    struct matcher m[2];
    struct err e = ERR_INIT;
    check(matcher_init(&m[0], MATCH_EQ, STR(LABEL_NAME), STR("up"), &e) == OK);
    check(matcher_init(&m[1], MATCH_NRE, STR("host"), STR("1.*"), &e) == OK);
    while (!race->stop) {
        series_key *keys;
        struct str *values;
        struct registry_size size;
        size_t n, n_values;
        check(registry_select(race->r, DAY, m, 2, &call, &keys, &n, &e) == OK);
        for (size_t i = 0; i < n; i++) check(i == 0 || keys[i - 1] < keys[i]);
        if (n > 0) check(registry_labels(race->r, keys[n - 1], &a).n == 2);
        check(registry_label_values(race->r, DAY, STR("host"), &call, &values, &n_values, &e) == OK);
        registry_size(race->r, &size);
        race->selects++;
        arena_reset(&a);
    }
    matcher_release(&m[0]);
    matcher_release(&m[1]);
    arena_release(&a);
    return NULL;
}

TEST(registry_is_read_while_it_is_written)
{
    struct race race = { .r = registry_new(1000000) };
    pthread_t readers[3];
    for (size_t i = 0; i < COUNT(readers); i++)
        EXPECT(pthread_create(&readers[i], NULL, read_all_the_time, &race) == 0);

    for (int i = 0; i < 3000 || race.selects < 20; i++) {
        char host[32];
        enum registry_added added;
        snprintf(host, sizeof host, "%d", i % 20000);
        series_key key = resolve_text(race.r, i % 3 ? "up" : "down", host, &added);
        registry_mark(race.r, i % 7 ? DAY : DAY + 1, key);
        if (i % 1000 == 999) { /* survivors: those of DAY */
            registry_forget_day(race.r, DAY + 1);
            registry_collect(race.r);
        }
    }
    race.stop = true;
    for (size_t i = 0; i < COUNT(readers); i++) pthread_join(readers[i], NULL);
    registry_free(race.r);
}

TESTS(CASE(registry_gives_a_series_one_number_for_ever),
      CASE(registry_refuses_new_series_of_a_metric_that_has_enough),
      CASE(registry_refuses_new_values_of_a_label_that_has_enough),
      CASE(registry_refuses_new_series_beyond_its_memory),
      CASE(registry_finds_a_spelling_only_after_it_was_resolved),
      CASE(registry_refuses_broken_labels_and_series_beyond_the_limit),
      CASE(registry_does_not_remember_spellings_without_bound),
      CASE(registry_knows_which_series_are_new_in_a_day), CASE(registry_selects_only_series_of_the_day),
      CASE(registry_collect_drops_the_forgotten_and_never_reuses_a_number),
      CASE(registry_restores_series_under_their_old_numbers),
      CASE(registry_prefers_the_newest_of_two_series_with_equal_labels),
      CASE(registry_selects_what_the_matchers_match), CASE(registry_selects_by_a_label_that_all_series_have),
      CASE(registry_select_keeps_to_its_call), CASE(registry_answers_the_same_after_collecting),
      CASE(registry_lists_names_and_values_of_a_day), CASE(registry_counts_what_there_is_most_of),
      CASE(registry_is_read_while_it_is_written))
