/* Which files a start takes for the store, when its manifest has lost its end: every log record and span is
 * there once, whatever else is lying about, and after a second crash, too. */
#include <sys/stat.h>

#include "store/covers.h"
#include "unit/store/records_model.h"

#define STEPS 14

static void run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *fmt, ...)
{
    char command[1200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(command, sizeof command, fmt, ap);
    va_end(ap);
    EXPECT(system(command) == 0);
}

static struct store *open_at(const char *dir)
{
    struct store *s;
    struct err e = ERR_INIT;
    struct embedded_conf conf = { .dir = dir, .min_free_bytes = 1, .wal_segment_bytes = 32u << 10 };
    int rc = embedded_open(&conf, &s, &e);
    if (rc < 0) print_error("open: %s\n", e.text);
    EXPECT(rc == OK);
    return s;
}

static void on_durable(void *ctx, int rc)
{
    EXPECT(rc == OK);
    atomic_fetch_add((atomic_uint *)ctx, 1);
}

/* Answered when it returns. */
static void write_some(struct toy *m, struct store *s)
{
    atomic_uint answered = 0;
    EXPECT(toy_write(m, s, 1 + toy_random(m, 12), toy_random(m, 12), ACK_DURABLE, on_durable, &answered) ==
           OK);
    while (atomic_load(&answered) == 0) nanosleep(&(struct timespec){ 0, 200000 }, NULL);
}

static void flush(struct store *s)
{
    EXPECT(store_admin(s, STORE_FLUSH, NULL, NULL) == OK);
}

static void merge(struct store *s)
{
    EXPECT(store_admin(s, STORE_MERGE, NULL, NULL) == OK);
}

static void all_is_there_once(const struct toy *m, struct store *s)
{
    struct store_view *v;
    EXPECT(store_view_open(s, 0, INT64_MAX, &v, NULL) == OK);
    for (int t = TABLE_LOGS; t <= TABLE_SPANS; t++)
        EXPECT(toy_scan(m, v, &(struct record_scan){ .table = (enum table)t, .to_ns = INT64_MAX }));
    store_view_close(v);
}

static void opens_whole(const struct toy *m, const char *dir)
{
    struct store *s = open_at(dir);
    all_is_there_once(m, s);
    store_close(s);
}

/* ---- a store's life, copied after each step ---- */

struct life {
    char *dir;
    struct toy *then[STEPS]; /* what had been written; <dir>.<step> is how it lay on the disk */
};

static void live(struct life *l, uint64_t seed)
{
    struct toy *m = toy_new(seed, 3 * DAY * 1000000ll);
    l->dir = test_dir();
    struct store *s = open_at(l->dir);
    for (int step = 0; step < STEPS; step++) {
        for (uint64_t n = 1 + toy_random(m, 3); n-- > 0;) write_some(m, s);
        if (toy_random(m, 2)) flush(s);
        if (toy_random(m, 4) == 0) merge(s);
        if (toy_random(m, 6) == 0) {
            store_close(s);
            s = open_at(l->dir);
        }
        run("cp -r %s %s.%d", l->dir, l->dir, step);
        l->then[step] = mem_copy(m, sizeof *m);
    }
    store_close(s);
    mem_free(m);
}

static void life_release(struct life *l)
{
    for (int i = 0; i < STEPS; i++) mem_free(l->then[i]);
    test_dir_remove(l->dir);
}

/* Of what the steps [from, to) had and step `to` has not, some: their removal never reached the disk. */
static void bring_back(const struct life *l, struct toy *dice, int from, int to, const char *image)
{
    for (int step = from; step < to; step++)
        if (toy_random(dice, 3))
            run("cd %s.%d && find logs spans wal -type f | while read f; do [ -e %s/$f ] || "
                "{ mkdir -p %s/$(dirname $f) && cp $f %s/$f; }; done",
                l->dir, step, image, image, image);
}

static void tear(struct toy *dice, const char *dir)
{
    char path[400];
    struct stat st;
    snprintf(path, sizeof path, "%s/MANIFEST", dir);
    EXPECT(stat(path, &st) == 0);
    EXPECT(truncate(path, (off_t)(8 + toy_random(dice, (uint64_t)st.st_size - 7))) == 0);
}

/* The manifest as it was at an earlier step, cut off cleanly or in the midst of the next record, or not there
 * at all. */
static void set_back(const struct life *l, struct toy *dice, int from, const char *image)
{
    run("cp %s.%d/MANIFEST %s/MANIFEST", l->dir, from, image);
    switch (toy_random(dice, 4)) {
    case 0: break;
    case 1: tear(dice, image); break;
    case 2: run("rm -f %s/MANIFEST*", image); break;
    default: run("printf 'half a record' >> %s/MANIFEST", image); break;
    }
}

static void crash_again(struct toy *m, struct toy *dice, const char *image)
{
    char other[400];
    snprintf(other, sizeof other, "%.300s.again", image);
    struct store *s = open_at(image);
    all_is_there_once(m, s);
    run("rm -rf %s && cp -r %s %s", other, image, other);
    opens_whole(m, other);
    if (toy_random(dice, 2)) merge(s);
    run("rm -rf %s && cp -r %s %s", other, image, other);
    opens_whole(m, other);
    write_some(m, s);
    if (toy_random(dice, 2)) flush(s);
    if (toy_random(dice, 2)) merge(s);
    write_some(m, s);
    all_is_there_once(m, s);
    run("rm -rf %s && cp -r %s %s", other, image, other);
    tear(dice, other);
    opens_whole(m, other);
    store_close(s);
    opens_whole(m, image);
}

TEST(lost_ends_of_the_manifest_double_and_lose_no_record)
{
    unsigned rounds = getenv("VEDETTE_IMAGES") ? (unsigned)atoi(getenv("VEDETTE_IMAGES")) : 30;
    struct toy *dice = toy_new(getenv("VEDETTE_SEED") ? strtoull(getenv("VEDETTE_SEED"), NULL, 10) : 5, 1000);
    struct life l = { NULL };
    char image[300];
    for (unsigned round = 0; round < rounds; round++) {
        if (round % 10 == 0) live(&l, toy_random(dice, 1u << 30));
        int to = (int)toy_random(dice, STEPS), from = (int)toy_random(dice, (uint64_t)to + 1);
        struct toy *m = mem_copy(l.then[to], sizeof *m);
        snprintf(image, sizeof image, "%s.image", l.dir);
        run("rm -rf %s && cp -r %s.%d %s", image, l.dir, to, image);
        bring_back(&l, dice, from, to, image);
        set_back(&l, dice, from, image);
        crash_again(m, dice, image);
        mem_free(m);
        if (round % 10 == 9 || round + 1 == rounds) life_release(&l);
    }
    mem_free(dice);
}

/* ---- one by one ---- */

struct scene {
    char *dir;
    struct toy *m;
    struct store *s;
};

static struct scene scene_new(uint64_t seed)
{
    struct scene x = { test_dir(), toy_new(seed, 2 * DAY * 1000000ll), NULL };
    x.s = open_at(x.dir);
    return x;
}

static void scene_end(struct scene *x)
{
    if (x->s != NULL) store_close(x->s);
    mem_free(x->m);
    test_dir_remove(x->dir);
}

/* A part for one day is in its place, that for the other never came, and the manifest knows of neither. */
TEST(half_the_files_of_a_flush_and_the_log_make_the_whole)
{
    struct scene x = scene_new(7);
    write_some(x.m, x.s);
    flush(x.s);
    for (int i = 0; i < 5; i++) write_some(x.m, x.s);
    run("cp -r %s %s.before", x.dir, x.dir);
    flush(x.s);
    run("cd %s && f=$(ls -t spans/*/0-*.part logs/*/0-*.part | head -1) && d=%s.before/$(dirname $f) && "
        "mkdir -p $d && cp $f $d && printf half >> %s.before/MANIFEST",
        x.dir, x.dir, x.dir);
    char before[300];
    snprintf(before, sizeof before, "%s.before", x.dir);
    opens_whole(x.m, before);
    opens_whole(x.m, before); /* the log still has all, and the manifest is whole by now */
    scene_end(&x);
}

/* Its footer came to the disk and not all of its blocks, as a power cut may have it: the log has the rows. */
TEST(a_part_that_cannot_be_read_to_its_end_leaves_its_rows_to_the_log)
{
    struct scene x = scene_new(13);
    write_some(x.m, x.s);
    flush(x.s);
    for (int i = 0; i < 5; i++) write_some(x.m, x.s);
    run("cp -r %s %s.before", x.dir, x.dir);
    flush(x.s);
    run("cd %s && for f in logs/*/0-*.part spans/*/0-*.part; do [ -e %s.before/$f ] || { mkdir -p "
        "%s.before/$(dirname $f) && cp $f %s.before/$f && printf XXXX | dd of=%s.before/$f bs=1 seek=80 "
        "conv=notrunc status=none; }; done && printf half >> %s.before/MANIFEST",
        x.dir, x.dir, x.dir, x.dir, x.dir, x.dir);
    char before[300];
    snprintf(before, sizeof before, "%s.before", x.dir);
    opens_whole(x.m, before);
    run("ls %s/logs/*/*.damaged > /dev/null", before);
    opens_whole(x.m, before);
    scene_end(&x);
}

/* What was deleted does not come back with the part that had it. */
TEST(deleted_records_stay_deleted_when_the_manifest_loses_its_end)
{
    struct scene x = scene_new(9);
    uint64_t rows = 0;
    char copy[300];
    for (int i = 0; i < 6; i++) write_some(x.m, x.s);
    flush(x.s);
    merge(x.s);
    run("cp -r %s %s.before", x.dir, x.dir);
    struct store_delete what = {
        .table = TABLE_LOGS, .to_ms = INT64_MAX / 1000000, .who = STR("t"), .rows = &rows
    };
    EXPECT(store_admin(x.s, STORE_DELETE, &what, NULL) == OK && rows > 0);
    for (size_t i = 0; i < x.m->n; i++) x.m->at[i].is_gone |= x.m->at[i].table == TABLE_LOGS;
    all_is_there_once(x.m, x.s);
    write_some(x.m, x.s);
    flush(x.s);
    run("cp -r %s %s.copy && cp -rn %s.before/logs %s.copy && printf half >> %s.copy/MANIFEST", x.dir, x.dir,
        x.dir, x.dir, x.dir);
    snprintf(copy, sizeof copy, "%s.copy", x.dir);
    opens_whole(x.m, copy);
    scene_end(&x);
}

/* Numbers of writes are not given again, even when the log is gone with the manifest. */
TEST(writes_after_a_loss_have_higher_numbers_than_any_part)
{
    struct scene x = scene_new(11);
    for (int i = 0; i < 20; i++) write_some(x.m, x.s);
    flush(x.s);
    store_close(x.s);
    run("rm -rf %s/MANIFEST* %s/wal", x.dir, x.dir);
    x.s = open_at(x.dir);
    all_is_there_once(x.m, x.s);
    write_some(x.m, x.s);
    flush(x.s);
    write_some(x.m, x.s);
    store_close(x.s);
    run("rm -rf %s/MANIFEST*", x.dir);
    x.s = open_at(x.dir);
    all_is_there_once(x.m, x.s);
    scene_end(&x);
}

/* ---- covers ---- */

TEST(covers_answer_by_table_day_and_number)
{
    struct covers c = { 0 };
    struct cover some[] = { { TABLE_LOGS, 9, 20, 30 }, { TABLE_SPANS, 9, 3, 7 },  { TABLE_LOGS, 9, 10, 20 },
                            { TABLE_LOGS, 8, 1, 2 },   { TABLE_LOGS, 9, 40, 41 }, { TABLE_LOGS, 9, 0, 0 } };
    for (size_t i = 0; i < COUNT(some); i++) covers_add(&c, &some[i]);
    covers_seal(&c);
    EXPECT(c.last == 41 && c.n == 4); /* two of them touch, one says nothing */
    for (uint64_t w = 0; w < 50; w++) {
        EXPECT(covers_have(&c, TABLE_LOGS, 9, w) == ((w > 10 && w <= 30) || w == 41));
        EXPECT(covers_have(&c, TABLE_SPANS, 9, w) == (w > 3 && w <= 7));
        EXPECT(covers_have(&c, TABLE_LOGS, 8, w) == (w == 2));
        EXPECT(!covers_have(&c, TABLE_SPANS, 8, w));
    }
    covers_release(&c);
    EXPECT(!covers_have(&c, TABLE_LOGS, 9, 15));
}

TEST(covers_that_are_not_known_hold_and_overlap_nothing)
{
    struct cover a = { TABLE_LOGS, 9, 10, 20 }, b = { TABLE_LOGS, 9, 15, 20 }, c = { TABLE_LOGS, 9, 20, 30 },
                 none = { TABLE_LOGS, 9, 0, 0 }, other = { TABLE_SPANS, 9, 15, 20 };
    EXPECT(cover_holds(&a, &b) && !cover_holds(&b, &a) && cover_holds(&a, &a));
    EXPECT(cover_overlaps(&a, &b) && !cover_overlaps(&a, &c));
    EXPECT(!cover_holds(&a, &none) && !cover_holds(&none, &a) && !cover_holds(&none, &none));
    EXPECT(!cover_holds(&a, &other) && !cover_overlaps(&a, &other));
}

TESTS(CASE(lost_ends_of_the_manifest_double_and_lose_no_record),
      CASE(half_the_files_of_a_flush_and_the_log_make_the_whole),
      CASE(a_part_that_cannot_be_read_to_its_end_leaves_its_rows_to_the_log),
      CASE(deleted_records_stay_deleted_when_the_manifest_loses_its_end),
      CASE(writes_after_a_loss_have_higher_numbers_than_any_part),
      CASE(covers_answer_by_table_day_and_number), CASE(covers_that_are_not_known_hold_and_overlap_nothing))
