/* Damage in one place of a store's files: what lies elsewhere is answered, what is missing is said, no more
 * is missing than lies there, nothing is answered that nobody wrote, and a merge keeps what it cannot read.
 */
#include <dirent.h>
#include <fcntl.h>

#include "base/stat.h"
#include "store/day_index_impl.h"
#include "store/part_format.h"
#include "store/record_impl.h"
#include "unit/store/records_model.h"

/* ---- files ---- */

struct found {
    char path[64][512];
    size_t n;
};

static void walk(struct found *f, const char *dir, const char *suffix)
{
    DIR *d = opendir(dir);
    if (d == NULL) return;
    for (struct dirent *x; (x = readdir(d)) != NULL;) {
        char path[512];
        if (x->d_name[0] == '.') continue;
        if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, x->d_name) >= sizeof path) continue;
        if (str_ends(str_of(x->d_name), suffix) && f->n < COUNT(f->path))
            memcpy(f->path[f->n++], path, sizeof path);
        else
            walk(f, path, suffix);
    }
    closedir(d);
}

static struct found files_of(const char *dir, const char *table, const char *suffix)
{
    struct found f = { .n = 0 };
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, table);
    walk(&f, path, suffix);
    return f;
}

static void flip(const char *path, uint64_t at)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    char c;
    check(fd >= 0 && pread(fd, &c, 1, (off_t)at) == 1);
    c ^= 0x10;
    check(pwrite(fd, &c, 1, (off_t)at) == 1);
    close(fd);
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static void admin(struct store *s, enum store_admin op)
{
    struct err e = ERR_INIT;
    int rc = store_admin(s, op, NULL, &e);
    if (rc < 0) print_error("admin: %s\n", e.text);
    EXPECT(rc == OK);
}

/* ---- metrics ---- */

static char *metrics_dir(struct model **m)
{
    char *dir = test_dir();
    struct store *s = test_open(dir, 0);
    *m = model_new(7);
    for (int i = 0; i < 250; i++) EXPECT(model_write(*m, s, true, ACK_MEMORY, NULL, NULL) == OK);
    admin(s, STORE_FLUSH);
    store_close(s);
    return dir;
}

struct metrics_answer {
    size_t missing, notes;
    int strict; /* what a call without notes came to */
};

static struct metrics_answer ask_metrics(struct model *m, struct store *s)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct call_notes notes;
    struct call call = { .arena = &a, .notes = &notes }, strict = { .arena = &a };
    struct model_scan x = { .m = m, .is_lenient = true, .to_ms = INT64_MAX }, y = x;
    struct store_view *v;
    struct series_set set;
    struct err e = ERR_INIT;
    struct str *texts;
    call_notes_init(&notes);
    EXPECT(store_view_open(s, 0, INT64_MAX, &v, NULL) == OK);
    int rc = view_series(v, &call, NULL, 0, 0, &set, &e);
    x.set = y.set = &set;
    if (rc == OK) rc = view_scan(v, &call, set.at, set.n, 0, INT64_MAX, model_sink, &x, &e);
    if (rc < 0) print_error("%s\n", e.text);
    EXPECT(rc == OK);
    for (size_t i = 0; i < SERIES; i++)
        for (size_t k = 0; !x.seen[i] && k < DAYS * TIMES; k++)
            x.missing += m->at[i][k / TIMES][k % TIMES].kind != EMPTY;
    struct metrics_answer out = { .missing = x.missing, .notes = call_notes_list(&notes, &a, &texts) };
    out.strict = view_series(v, &strict, NULL, 0, 0, &set, &e);
    if (out.strict == OK) out.strict = view_scan(v, &strict, set.at, set.n, 0, INT64_MAX, model_sink, &y, &e);
    store_view_close(v);
    call_notes_release(&notes);
    arena_release(&a);
    return out;
}

TEST(a_damaged_block_of_samples_costs_its_rows)
{
    struct model *m;
    char *dir = metrics_dir(&m);
    struct found f = files_of(dir, "metrics", ".part");
    EXPECT(f.n == DAYS);
    for (uint64_t i = 0; i < 40; i++) {
        struct part *p;
        EXPECT(part_open(f.path[i % f.n], &p, NULL) == OK);
        bool in_index = i % 4 == 3;
        uint64_t end = p->info.bytes - PART_FOOT_BYTES - p->foot.top_bytes;
        uint64_t from = in_index ? p->foot.index_at : PART_HEAD_BYTES, to = in_index ? end : p->foot.index_at;
        uint64_t at = from + model_random(m, to - from), rows = p->info.rows;
        part_close(p);

        flip(f.path[i % f.n], at);
        struct store *s = test_open(dir, 0);
        struct metrics_answer got = ask_metrics(m, s);
        EXPECT(got.notes == 1 && got.strict == ERR_CORRUPT);
        EXPECT(got.missing > 0 && got.missing <= rows);
        if (in_index) EXPECT(got.missing > rows / 2);
        store_close(s);
        flip(f.path[i % f.n], at);
    }
    struct store *s = test_open(dir, 0);
    struct metrics_answer whole = ask_metrics(m, s);
    EXPECT(whole.missing == 0 && whole.notes == 0 && whole.strict == OK);
    store_close(s);
    mem_free(m);
    test_dir_remove(dir);
}

static double places_found(const char *kind)
{
    char label[40];
    snprintf(label, sizeof label, "kind=\"%s\"", kind);
    return stat_value(stat_counter("vedette_store_damaged_blocks_total", "", label));
}

TEST(a_damaged_place_is_counted_once)
{
    struct model *m;
    char *dir = metrics_dir(&m);
    struct found f = files_of(dir, "metrics", ".part");
    struct store *s = test_open(dir, 0);
    double before = places_found("block");
    flip(f.path[0], PART_HEAD_BYTES + 40);
    for (int i = 0; i < 3; i++) EXPECT(ask_metrics(m, s).missing > 0);
    EXPECT(places_found("block") == before + 1);
    store_close(s);
    mem_free(m);
    test_dir_remove(dir);
}

TEST(a_merge_keeps_the_sound_rows_and_the_damaged_file)
{
    struct model *m;
    char aside[600];
    char *dir = metrics_dir(&m);
    struct store *s = test_open(dir, 0);
    for (int i = 0; i < 60; i++) EXPECT(model_write(m, s, true, ACK_MEMORY, NULL, NULL) == OK);
    admin(s, STORE_FLUSH);
    struct found f = files_of(dir, "metrics", ".part");
    EXPECT(f.n == 2 * DAYS);
    flip(f.path[0], PART_HEAD_BYTES + 200);
    size_t missing = ask_metrics(m, s).missing;
    EXPECT(missing > 0);

    admin(s, STORE_MERGE);
    struct metrics_answer after = ask_metrics(m, s);
    EXPECT(after.missing == missing && after.notes == 0 && after.strict == OK);
    EXPECT(files_of(dir, "metrics", ".part").n == DAYS);
    snprintf(aside, sizeof aside, "%s.damaged", f.path[0]);
    EXPECT(is_there(aside) && files_of(dir, "metrics", ".damaged").n == 1);
    store_close(s);
    s = test_open(dir, 0);
    EXPECT(ask_metrics(m, s).missing == missing && is_there(aside));
    store_close(s);
    mem_free(m);
    test_dir_remove(dir);
}

/* ---- the index of series ---- */

static struct str packed_labels(void *ctx, series_key key)
{
    static char names[2][40];
    struct buf *to = ctx;
    uint32_t no = (uint32_t)key;
    snprintf(names[0], sizeof names[0], "m_%u", (unsigned)(key >> 32));
    snprintf(names[1], sizeof names[1], "host-%05u", no % 5000);
    struct label at[] = { { STR("__name__"), str_of(names[0]) },
                          { STR("host"), str_of(names[1]) },
                          { STR("job"), no % 2 ? STR("odd") : STR("even") } };
    buf_clear(to);
    labels_pack(to, (struct labels){ at, COUNT(at) });
    return buf_view(to);
}

#define INDEXED 20000

TEST(a_damaged_page_of_the_series_index_hides_no_more_than_it_must)
{
    char path[600];
    char *dir = test_dir();
    struct buf packed = BUF_INIT(1 << 16);
    series_key *keys = mem_array(INDEXED, sizeof *keys);
    uint64_t bytes;
    snprintf(path, sizeof path, "%s/a.idx", dir);
    for (size_t i = 0; i < INDEXED; i++) keys[i] = (series_key)(i / 100 + 1) << 32 | (i + 1);
    EXPECT(day_index_write(path, keys, INDEXED, packed_labels, &packed, &bytes, NULL) == OK);

    struct matcher odd;
    EXPECT(matcher_init(&odd, MATCH_EQ, STR("job"), STR("odd"), NULL) == OK);
    struct day_index *d;
    EXPECT(day_index_open(path, &d, NULL) == OK);
    uint32_t n_pages = d->n_pages, n_series = d->n_series_pages, n_postings = d->n_postings_pages;
    EXPECT(n_series > 1 && d->n_pair_pages > 1);
    struct index_page *pages = mem_copy(d->pages, n_pages * sizeof *pages);
    day_index_close(d);

    for (uint32_t i = 0; i < n_pages; i++) {
        struct arena a = ARENA_INIT(SIZE_MAX);
        struct call_notes notes;
        struct call call = { .arena = &a, .notes = &notes };
        series_key *found;
        size_t n, told = 0;
        call_notes_init(&notes);
        flip(path, pages[i].at + PAGE_HEAD_BYTES + 3);
        EXPECT(day_index_open(path, &d, NULL) == OK);
        EXPECT(day_index_select(d, &odd, 1, &call, &found, &n, NULL) == OK);
        for (size_t k = 0; k < n; k++) {
            struct labels l;
            EXPECT(found[k] % 2 == 1);
            EXPECT(day_index_labels_told(d, found[k], &call, &l, NULL) == OK);
            if (l.n == 0) continue;
            EXPECT(str_eq(labels_get(l, "job"), STR("odd")));
            told++;
        }
        if (i >= n_series && i < n_series + n_postings) {
            EXPECT(told == INDEXED / 2 && !call_notes_any(&notes));
        } else {
            EXPECT(told < INDEXED / 2 && call_notes_any(&notes));
            if (i < n_series) EXPECT(INDEXED / 2 - told <= pages[i].n / 2 + 1);
        }
        struct day_index *sources[] = { d };
        struct merge_losses losses;
        char joined[600];
        snprintf(joined, sizeof joined, "%s/joined-%u.idx", dir, i);
        EXPECT(day_index_join(sources, 1, joined, &bytes, &losses, NULL) == OK);
        bool is_posting = i >= n_series && i < n_series + n_postings;
        EXPECT((losses.damaged == 1) == !is_posting);
        struct day_index *j;
        EXPECT(day_index_open(joined, &j, NULL) == OK);
        EXPECT(day_index_series(j) + losses.rows == INDEXED);
        day_index_close(j);
        day_index_close(d);
        flip(path, pages[i].at + PAGE_HEAD_BYTES + 3);
        call_notes_release(&notes);
        arena_release(&a);
    }
    matcher_release(&odd);
    mem_free(pages);
    mem_free(keys);
    buf_release(&packed);
    test_dir_remove(dir);
}

/* ---- logs and spans ---- */

static char *records_dir(struct toy **m, size_t writes)
{
    char *dir = test_dir();
    struct store *s = test_open(dir, 0);
    *m = toy_new(3, INT64_C(20) * 60 * 1000000000);
    for (size_t i = 0; i < writes; i++) EXPECT(toy_write(*m, s, 40, 40, ACK_MEMORY, NULL, NULL) == OK);
    admin(s, STORE_FLUSH);
    store_close(s);
    return dir;
}

struct records_answer {
    size_t delivered, wanted, notes;
    int strict;
    bool wrong; /* a record that nobody wrote, or twice, or that does not match, or out of order */
};

static struct records_answer ask_records(const struct toy *m, struct store *s, const struct record_scan *scan)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct call_notes notes;
    struct call call = { .arena = &a, .notes = &notes }, strict = { .arena = &a };
    struct toy_check *c = mem_alloc_zero(sizeof *c), *other = mem_alloc_zero(sizeof *c);
    struct records_answer out = { 0 };
    struct store_view *v;
    struct str *texts;
    struct err e = ERR_INIT;
    call_notes_init(&notes);
    *c = *other = (struct toy_check){ .m = m, .scan = scan };
    EXPECT(store_view_open(s, 0, INT64_MAX, &v, NULL) == OK);
    int rc = view_records(v, &call, scan, toy_see, c, &e);
    if (rc < 0) print_error("%s\n", e.text);
    EXPECT(rc == OK);
    out.strict = view_records(v, &strict, scan, toy_see, other, &e);
    store_view_close(v);
    for (size_t i = 0; i < m->n; i++) out.wanted += toy_matches(&m->at[i], scan);
    out.delivered = c->delivered;
    out.notes = call_notes_list(&notes, &a, &texts);
    out.wrong = c->failed;
    mem_free(c);
    mem_free(other);
    call_notes_release(&notes);
    arena_release(&a);
    return out;
}

/* Every order, whole records and fields, with a condition and without. */
static void ask_all(const struct toy *m, struct store *s, enum table table, bool is_filter, uint64_t rows)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct field n_field = field_attr(FIELD_ATTR, STR("n"));
    const struct predicate *tools =
        toy_cmp(&a, PRED_EQ, field_attr(FIELD_ATTR, STR("http.route")), value_str(STR("/tools/list")));
    for (int order = ORDER_ANY; order <= ORDER_TIME_DESC; order++)
        for (int how = 0; how < 4; how++) {
            struct record_scan scan = { .table = table,
                                        .to_ns = INT64_MAX,
                                        .where = how & 1 ? tools : NULL,
                                        .fields = &n_field,
                                        .n_fields = how & 2 ? 1 : 0,
                                        .order = (enum record_order)order };
            struct records_answer got = ask_records(m, s, &scan);
            EXPECT(!got.wrong && got.wanted - got.delivered <= rows);
            EXPECT(got.delivered == got.wanted || got.notes > 0);
            if (is_filter) EXPECT(got.delivered == got.wanted && got.notes == 0 && got.strict == OK);
            EXPECT(got.notes == 0 ? got.strict == OK : got.strict == ERR_CORRUPT);
        }
    arena_release(&a);
}

TEST(a_damaged_page_of_records_costs_its_block)
{
    struct toy *m;
    char *dir = records_dir(&m, 30);
    for (int t = 0; t < 2; t++) {
        enum table table = t ? TABLE_SPANS : TABLE_LOGS;
        struct found f = files_of(dir, table_name(table), ".part");
        EXPECT(f.n >= 1);
        for (int i = 0; i < 24; i++) {
            const char *path = f.path[(size_t)i % f.n];
            struct record_part *p;
            EXPECT(record_part_open(path, record_layout(table), &p, NULL) == OK);
            const struct record_group *g = &p->top.group[0];
            uint64_t places[][2] = {
                { RECORD_HEAD_BYTES, g->index_at - RECORD_HEAD_BYTES }, /* blocks, filters between */
                { g->index_at, g->index_bytes },
                { g->filter_at[FILTER_WORDS], g->filter_bytes[FILTER_WORDS] },
            };
            uint64_t *in = places[i % 3], at = in[0] + toy_random(m, in[1]), rows = p->info.rows;
            for (int c = 0; c < FILTER_CLASSES; c++)
                if (i % 3 == 0 && at >= g->filter_at[c] && at < g->filter_at[c] + g->filter_bytes[c])
                    at = RECORD_HEAD_BYTES + 20;
            record_part_close(p);
            flip(path, at);
            struct store *s = test_open(dir, 0);
            ask_all(m, s, table, i % 3 == 2, rows);
            store_close(s);
            flip(path, at);
        }
        struct store *s = test_open(dir, 0);
        ask_all(m, s, table, true, 0);
        store_close(s);
    }
    mem_free(m);
    test_dir_remove(dir);
}

/* The limit is met with what can be read, newest first. */
TEST(a_limit_is_met_beside_a_damaged_block)
{
    struct toy *m;
    char *dir = records_dir(&m, 10);
    struct store *s = test_open(dir, 0);
    EXPECT(toy_write(m, s, 40, 40, ACK_MEMORY, NULL, NULL) == OK);
    struct found f = files_of(dir, "logs", ".part");
    flip(f.path[0], RECORD_HEAD_BYTES + 30);
    struct record_scan scan = {
        .table = TABLE_LOGS, .to_ns = INT64_MAX, .order = ORDER_TIME_DESC, .limit = 20
    };
    struct records_answer got = ask_records(m, s, &scan);
    EXPECT(!got.wrong && got.delivered == 20 && got.notes > 0);
    store_close(s);
    mem_free(m);
    test_dir_remove(dir);
}

TEST(a_merge_of_records_keeps_the_sound_blocks)
{
    for (int t = 0; t < 2; t++) {
        struct toy *m;
        char aside[600];
        char *dir = records_dir(&m, 20);
        enum table table = t ? TABLE_SPANS : TABLE_LOGS;
        struct found first = files_of(dir, table_name(table), ".part");
        struct store *s = test_open(dir, 0);
        for (int i = 0; i < 10; i++) EXPECT(toy_write(m, s, 40, 40, ACK_MEMORY, NULL, NULL) == OK);
        admin(s, STORE_FLUSH);
        flip(first.path[0], RECORD_HEAD_BYTES + 30);
        struct record_scan scan = { .table = table, .to_ns = INT64_MAX };
        struct records_answer before = ask_records(m, s, &scan);
        EXPECT(before.delivered < before.wanted && before.notes > 0);
        admin(s, STORE_MERGE);
        struct records_answer after = ask_records(m, s, &scan);
        EXPECT(after.notes == 0 && after.strict == OK && after.delivered == before.delivered);
        /* of a span that was sent again the earlier one is answered when the better one is lost */
        EXPECT(table == TABLE_SPANS || !after.wrong);
        snprintf(aside, sizeof aside, "%s.damaged", first.path[0]);
        EXPECT(is_there(aside));
        store_close(s);
        mem_free(m);
        test_dir_remove(dir);
    }
}

TESTS(CASE(a_damaged_block_of_samples_costs_its_rows), CASE(a_damaged_place_is_counted_once),
      CASE(a_merge_keeps_the_sound_rows_and_the_damaged_file),
      CASE(a_damaged_page_of_the_series_index_hides_no_more_than_it_must),
      CASE(a_damaged_page_of_records_costs_its_block), CASE(a_limit_is_met_beside_a_damaged_block),
      CASE(a_merge_of_records_keeps_the_sound_blocks))
