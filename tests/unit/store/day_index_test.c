#include "store/day_index.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "unit/store/index_model.h"

static char dir[64];

static const char *in_dir(const char *name)
{
    static char paths[8][128];
    static int turn;
    char *path = paths[turn++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

static int make_dir(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/day_index_test.XXXXXX");
    return mkdtemp(dir) == NULL;
}

static int remove_one(const char *name, bool is_dir, void *ctx)
{
    (void)is_dir, (void)ctx;
    return unlink(in_dir(name));
}

static int remove_dir(void **state)
{
    (void)state;
    file_list(dir, remove_one, NULL, NULL);
    return rmdir(dir);
}

/* ---- helpers ---- */

static struct str packed_of(void *ctx, series_key key)
{
    struct model_series want = { .key = key }, *found;
    const struct model *m = ctx;
    found = bsearch(&want, m->at, m->n, sizeof *m->at, model_by_key);
    return found->packed;
}

/* Every step-th series from `first` on. */
static int write_some(const struct model *m, size_t first, size_t step, const char *path, uint64_t *bytes,
                      struct err *e)
{
    series_key *keys = mem_array(m->n + 1, sizeof *keys);
    size_t n = 0;
    for (size_t i = first; i < m->n; i += step) keys[n++] = m->at[i].key;
    int rc = day_index_write(path, keys, n, packed_of, (void *)m, bytes, e);
    mem_free(keys);
    return rc;
}

static struct day_index *open_index(const char *path)
{
    struct day_index *d = NULL;
    struct err e = ERR_INIT;
    int rc = day_index_open(path, &d, &e);
    if (rc != OK) print_message("%s\n", e.text);
    EXPECT(rc == OK);
    return d;
}

static uint64_t bytes_of_file(const char *path)
{
    struct buf b = BUF_INIT(1 << 28);
    struct err e = ERR_INIT;
    EXPECT(file_slurp(path, &b, &e) == OK);
    uint64_t n = b.n;
    buf_release(&b);
    return n;
}

static struct day_index *write_and_open(const struct model *m, const char *name)
{
    struct err e = ERR_INIT;
    uint64_t bytes;
    unlink(in_dir(name));
    EXPECT(write_some(m, 0, 1, in_dir(name), &bytes, &e) == OK);
    EXPECT_INT(bytes, bytes_of_file(in_dir(name)));
    return open_index(in_dir(name));
}

static void fill(struct model *m, uint64_t *seed, size_t n, size_t values)
{
    for (size_t i = 0; i < n; i++) {
        struct labels l = model_labels(seed, values, &m->arena);
        if (n < 5000 && model_find(m, l) != NULL) continue;
        uint64_t metric = 1 + (labels_get(l, LABEL_NAME).n % 7);
        model_add(m, metric << 32 | (i * 3 + 1), l);
    }
    if (m->n > 0) qsort(m->at, m->n, sizeof *m->at, model_by_key);
}

static void ignore_finding(void *ctx, const char *text)
{
    (void)text;
    if (ctx != NULL) ++*(int64_t *)ctx;
}

static void print_finding(void *ctx, const char *text)
{
    (void)ctx;
    print_message("%s\n", text);
}

static void expect_sound(const char *path)
{
    struct err e = ERR_INIT;
    EXPECT_INT(day_index_verify(path, print_finding, NULL, &e), 0);
}

static void compare_selects(const struct day_index *d, const struct model *m, uint64_t *seed, int rounds)
{
    struct arena a = ARENA_INIT(64 << 20);
    struct call call = model_call(&a);
    for (int i = 0; i < rounds; i++) {
        struct matcher matchers[4];
        struct err e = ERR_INIT;
        series_key *keys;
        size_t n = model_matchers(matchers, seed), n_keys;
        EXPECT(day_index_select(d, matchers, n, &call, &keys, &n_keys, &e) == OK);
        model_expect(m, matchers, n, NULL, NULL, keys, n_keys);
        model_release_matchers(matchers, n);
        arena_reset(&a);
    }
    arena_release(&a);
}

struct walk {
    const struct model *m;
    size_t at;
};

static int expect_next(void *ctx, series_key key, struct str packed)
{
    struct walk *w = ctx;
    EXPECT(w->at < w->m->n);
    EXPECT(w->m->at[w->at].key == key && str_eq(w->m->at[w->at].packed, packed));
    w->at++;
    return OK;
}

static void compare_series(const struct day_index *d, const struct model *m)
{
    struct arena a = ARENA_INIT(64 << 20);
    struct walk walk = { m, 0 };
    struct err e = ERR_INIT;
    struct labels l;
    EXPECT_INT(day_index_series(d), m->n);
    EXPECT(day_index_each(d, expect_next, &walk, &e) == OK);
    EXPECT_INT(walk.at, m->n);
    for (size_t i = 0; i < m->n; i += 1 + i / 50) {
        EXPECT(day_index_labels(d, m->at[i].key, &a, &l, &e) == OK);
        EXPECT(labels_eq(l, m->at[i].labels));
        EXPECT(day_index_labels(d, m->at[i].key + 1, &a, &l, &e) == ERR_FIND ||
               (i + 1 < m->n && m->at[i + 1].key == m->at[i].key + 1));
    }
    EXPECT(day_index_labels(d, 0, &a, &l, &e) == ERR_FIND);
    EXPECT(day_index_labels(d, UINT64_MAX, &a, &l, &e) == ERR_FIND);
    arena_release(&a);
}

static int compare_strs(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void compare_values(const struct day_index *d, struct model *m, struct str name)
{
    struct call call = model_call(&m->arena);
    struct str *want = arena_array(&m->arena, m->n * 8 + 1, sizeof *want), *got;
    struct err e = ERR_INIT;
    size_t n = 0, kept = 0, n_got;
    for (size_t i = 0; i < m->n; i++)
        for (size_t k = 0; k < m->at[i].labels.n; k++)
            if (name.n == 0 || str_eq(m->at[i].labels.at[k].name, name))
                want[n++] = name.n == 0 ? m->at[i].labels.at[k].name : m->at[i].labels.at[k].value;
    if (n > 0) qsort(want, n, sizeof *want, compare_strs);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || !str_eq(want[i], want[kept - 1])) want[kept++] = want[i];
    if (name.n == 0)
        EXPECT(day_index_label_names(d, &call, &got, &n_got, &e) == OK);
    else
        EXPECT(day_index_label_values(d, name, &call, &got, &n_got, &e) == OK);
    EXPECT_INT(n_got, kept);
    for (size_t i = 0; i < kept; i++) EXPECT(str_eq(want[i], got[i]));
}

/* ---- tests ---- */

TEST(day_index_gives_back_what_was_written)
{
    static const size_t sizes[][2] = { { 0, 1 },     { 1, 1 },       { 60, 5 },
                                       { 3000, 20 }, { 4000, 3000 }, { 30000, 100000 } };
    for (size_t i = 0; i < COUNT(sizes); i++) {
        uint64_t seed = 11 + i;
        struct model m = { .arena = ARENA_INIT(256 << 20) };
        fill(&m, &seed, sizes[i][0], sizes[i][1]);
        struct day_index *d = write_and_open(&m, "one");
        expect_sound(in_dir("one"));
        compare_series(d, &m);
        compare_selects(d, &m, &seed, m.n > 5000 ? 60 : 600);
        compare_values(d, &m, STR(""));
        compare_values(d, &m, STR("instance"));
        compare_values(d, &m, STR(LABEL_NAME));
        compare_values(d, &m, STR("nosuch"));
        day_index_close(d);
        arena_release(&m.arena);
    }
}

/* Values that share more than the directory keeps of them, and values as large as may be. */
TEST(day_index_tells_long_values_apart)
{
    struct model m = { .arena = ARENA_INIT(256 << 20) };
    for (uint32_t i = 0; i < 3000; i++) {
        size_t n = i % 1000 == 999 ? LABEL_VALUE_MAX : 32 + i % 60;
        char *value = arena_alloc(&m.arena, n);
        memset(value, 'a', n);
        for (int k = 0; k < 8; k++) value[n - 1 - (size_t)k] = (char)('0' + (i >> 4 * k) % 10);
        struct label *at = arena_array(&m.arena, 2, sizeof *at);
        at[0] = (struct label){ STR(LABEL_NAME), STR("up") };
        at[1] = (struct label){ STR("job"), { value, n } };
        struct labels l = { at, 2 };
        if (model_find(&m, l) == NULL) model_add(&m, (uint64_t)1 << 32 | (i + 1), l);
    }
    struct day_index *d = write_and_open(&m, "long");
    expect_sound(in_dir("long"));
    compare_series(d, &m);
    for (size_t i = 0; i < m.n; i += 7) {
        struct call call = model_call(&m.arena);
        struct matcher one;
        struct err e = ERR_INIT;
        series_key *keys;
        size_t n;
        EXPECT(matcher_init(&one, MATCH_EQ, STR("job"), m.at[i].labels.at[1].value, &e) == OK);
        EXPECT(day_index_select(d, &one, 1, &call, &keys, &n, &e) == OK);
        EXPECT(n == 1 && keys[0] == m.at[i].key);
        one.value.n--; /* a prefix of it: not there */
        EXPECT(day_index_select(d, &one, 1, &call, &keys, &n, &e) == OK);
        model_expect(&m, &one, 1, NULL, NULL, keys, n);
        matcher_release(&one);
    }
    day_index_close(d);
    arena_release(&m.arena);
}

TEST(day_index_merge_is_the_union)
{
    uint64_t seed = 23, bytes;
    struct model m = { .arena = ARENA_INIT(256 << 20) };
    struct day_index *sources[3];
    struct err e = ERR_INIT;
    fill(&m, &seed, 4000, 200);
    EXPECT(write_some(&m, 0, 2, in_dir("m0"), &bytes, &e) == OK);
    EXPECT(write_some(&m, 1, 2, in_dir("m1"), &bytes, &e) == OK);
    EXPECT(write_some(&m, 5, 3, in_dir("m2"), &bytes, &e) == OK); /* overlaps both */
    for (size_t i = 0; i < COUNT(sources); i++)
        sources[i] = open_index(in_dir(i == 0 ? "m0" : i == 1 ? "m1" : "m2"));
    EXPECT(day_index_merge(sources, 3, in_dir("merged"), &bytes, &e) == OK);
    expect_sound(in_dir("merged"));
    struct day_index *d = open_index(in_dir("merged"));
    compare_series(d, &m);
    compare_selects(d, &m, &seed, 200);
    day_index_close(d);
    for (size_t i = 0; i < COUNT(sources); i++) day_index_close(sources[i]);

    /* The same bytes as if written at once: the format has one spelling of an index. */
    struct buf one = BUF_INIT(1 << 24), other = BUF_INIT(1 << 24);
    EXPECT(write_some(&m, 0, 1, in_dir("whole"), &bytes, &e) == OK);
    EXPECT(file_slurp(in_dir("whole"), &one, &e) == OK && file_slurp(in_dir("merged"), &other, &e) == OK);
    EXPECT(str_eq(buf_view(&one), buf_view(&other)));
    buf_release(&one);
    buf_release(&other);
    arena_release(&m.arena);
}

TEST(day_index_merge_refuses_one_key_with_two_label_sets)
{
    uint64_t seed = 29, bytes;
    struct model a = { .arena = ARENA_INIT(1 << 20) }, b = { .arena = ARENA_INIT(1 << 20) };
    struct err e = ERR_INIT;
    model_add(&a, (uint64_t)1 << 32 | 7, model_labels(&seed, 5, &a.arena));
    do {
        b.n = 0;
        model_add(&b, (uint64_t)1 << 32 | 7, model_labels(&seed, 5, &b.arena));
    } while (labels_eq(a.at[0].labels, b.at[0].labels));
    EXPECT(write_some(&a, 0, 1, in_dir("c0"), &bytes, &e) == OK &&
           write_some(&b, 0, 1, in_dir("c1"), &bytes, &e) == OK);
    struct day_index *sources[] = { open_index(in_dir("c0")), open_index(in_dir("c1")) };
    EXPECT(day_index_merge(sources, 2, in_dir("c2"), &bytes, &e) == ERR_CORRUPT);
    EXPECT(!file_exists(in_dir("c2")));
    day_index_close(sources[0]);
    day_index_close(sources[1]);
    arena_release(&a.arena);
    arena_release(&b.arena);
}

static void write_bytes(const char *path, struct str bytes)
{
    FILE *f = fopen(path, "wb");
    EXPECT(f != NULL && (bytes.n == 0 || fwrite(bytes.p, bytes.n, 1, f) == 1));
    fclose(f);
}

static int use_row(void *ctx, series_key key, struct str packed)
{
    (void)ctx, (void)key, (void)packed;
    return OK;
}

/* Ask everything of a file that may be damaged; it may refuse but not crash. */
static void use(const char *path)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct call call = model_call(&a);
    struct err e = ERR_INIT;
    struct day_index *d;
    if (day_index_open(path, &d, &e) == OK) {
        struct matcher m;
        series_key *keys;
        struct str *values;
        size_t n;
        EXPECT(matcher_init(&m, MATCH_RE, STR("job"), STR("a.*"), &e) == OK);
        day_index_select(d, &m, 1, &call, &keys, &n, &e);
        day_index_label_values(d, STR("job"), &call, &values, &n, &e);
        int rc = day_index_each(d, use_row, NULL, &e);
        EXPECT(rc == OK || rc == ERR_CORRUPT);
        matcher_release(&m);
        day_index_close(d);
    }
    arena_release(&a);
}

TEST(day_index_notices_every_flipped_byte)
{
    uint64_t seed = 31, bytes;
    struct model m = { .arena = ARENA_INIT(16 << 20) };
    struct buf file = BUF_INIT(1 << 20);
    struct err e = ERR_INIT;
    fill(&m, &seed, 25, 12);
    EXPECT(write_some(&m, 0, 1, in_dir("sound"), &bytes, &e) == OK &&
           file_slurp(in_dir("sound"), &file, &e) == OK);
    for (size_t i = 0; i < file.n; i++) {
        file.p[i] ^= (char)(1 << i % 8);
        write_bytes(in_dir("flipped"), buf_view(&file));
        EXPECT(day_index_verify(in_dir("flipped"), ignore_finding, NULL, &e) > 0);
        use(in_dir("flipped"));
        file.p[i] ^= (char)(1 << i % 8);
    }
    for (size_t n = 0; n < file.n; n++) { /* cut short */
        write_bytes(in_dir("flipped"), str_make(file.p, n));
        EXPECT(day_index_verify(in_dir("flipped"), ignore_finding, NULL, &e) > 0);
        use(in_dir("flipped"));
    }
    buf_release(&file);
    arena_release(&m.arena);
}

TEST(day_index_leaves_nothing_when_the_disk_fails)
{
    uint64_t seed = 37, bytes;
    struct model m = { .arena = ARENA_INIT(16 << 20) };
    struct err e = ERR_INIT;
    fill(&m, &seed, 50, 12);
    for (uint64_t call = 1;; call++) {
        file_fail_at(call, ENOSPC);
        int rc = write_some(&m, 0, 1, in_dir("failing"), &bytes, &e);
        file_fail_at(0, 0);
        if (rc == OK) break;
        EXPECT(rc == ERR_FULL || rc == ERR_IO);
        EXPECT(!file_exists(in_dir("failing")));
        EXPECT(call < 20);
    }
    expect_sound(in_dir("failing"));
    EXPECT(write_some(&m, 0, 1, in_dir("failing"), &bytes, &e) < 0); /* never over an existing file */
    expect_sound(in_dir("failing"));
    arena_release(&m.arena);
}

static void *read_some(void *ctx)
{
    const struct day_index *d = ctx;
    struct arena a = ARENA_INIT(64 << 20);
    struct call call = model_call(&a);
    struct err e = ERR_INIT;
    struct matcher m;
    check(matcher_init(&m, MATCH_RE, STR("job"), STR("value-1.*"), &e) == OK);
    for (int i = 0; i < 5; i++) {
        series_key *keys;
        struct labels l;
        size_t n;
        check(day_index_select(d, &m, 1, &call, &keys, &n, &e) == OK);
        for (size_t k = 0; k < n; k += 17) {
            check(day_index_labels(d, keys[n - 1 - k], &a, &l, &e) == OK);
            check(matcher_matches(&m, labels_get(l, "job")));
        }
        arena_reset(&a);
    }
    matcher_release(&m);
    arena_release(&a);
    return NULL;
}

TEST(day_index_is_read_by_many_threads_with_hardly_a_cache)
{
    uint64_t seed = 41;
    struct model m = { .arena = ARENA_INIT(256 << 20) };
    pthread_t threads[4];
    fill(&m, &seed, 30000, 100000);
    struct day_index *d = write_and_open(&m, "shared");
    day_index_cache_limit(256 << 10);
    for (size_t i = 0; i < COUNT(threads); i++) EXPECT(pthread_create(&threads[i], NULL, read_some, d) == 0);
    for (size_t i = 0; i < COUNT(threads); i++) pthread_join(threads[i], NULL);
    day_index_cache_limit(16 << 20);
    day_index_close(d);
    arena_release(&m.arena);
}

int main(void)
{
    const struct CMUnitTest all[] = {
        CASE(day_index_gives_back_what_was_written),
        CASE(day_index_tells_long_values_apart),
        CASE(day_index_merge_is_the_union),
        CASE(day_index_merge_refuses_one_key_with_two_label_sets),
        CASE(day_index_notices_every_flipped_byte),
        CASE(day_index_leaves_nothing_when_the_disk_fails),
        CASE(day_index_is_read_by_many_threads_with_hardly_a_cache),
    };
    return cmocka_run_group_tests(all, make_dir, remove_dir);
}
