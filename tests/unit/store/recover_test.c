/* What a start must survive: kills at any moment, disk calls that fail, torn and flipped bytes, missing
 * files. */
#include "unit/store/store_model.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* ---- kill -9 ---- */

struct shared { /* between the child that writes and the parent that judges */
    atomic_uint acknowledged, begun;
    atomic_int refused;
};

struct ack {
    struct shared *shared;
    unsigned number;
};

/* Writes are acknowledged in order by the committer; the highest number is what counts. */
static void on_durable(void *ctx, int rc)
{
    struct ack *a = ctx;
    if (rc == OK)
        atomic_store(&a->shared->acknowledged, a->number);
    else
        atomic_fetch_add(&a->shared->refused, 1);
}

#define BATCH_SERIES 20

static void child_batch(struct store *s, unsigned number, int64_t t, struct ack *ack)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct batch b;
    struct write_result r;
    batch_init(&b, &a, LABELS_PACKED);
    for (size_t i = 0; i < BATCH_SERIES; i++) {
        struct labels l = model_labels(i + (number / 50) * 10 % 40, &a); /* new series now and then */
        batch_series_labels(&b, l);
        batch_sample(&b, t, number);
    }
    while (store_write(s, &b, ACK_DURABLE, &r, on_durable, ack, NULL) == ERR_BUSY) {
    }
    arena_release(&a);
}

static _Noreturn void child(const char *dir, struct shared *shared, unsigned first, int64_t t0)
{
    static struct ack acks[100000];
    struct store *s;
    struct embedded_conf conf = { .dir = dir,
                                  .head_bytes = 40u << 10,
                                  .min_free_bytes = 1 }; /* flushes all the time */
    if (embedded_open(&conf, &s, NULL) < 0) _exit(3);
    for (unsigned i = first; i < first + COUNT(acks); i++) {
        acks[i - first] = (struct ack){ shared, i };
        atomic_store(&shared->begun, i);
        child_batch(s, i, t0 + i * 10, &acks[i - first]);
        if (i % 100 == 0) store_admin(s, STORE_MERGE, NULL, NULL);
        while (i - atomic_load(&shared->acknowledged) > 50) {
        } /* some in flight, not all */
    }
    _exit(0);
}

struct tally {
    const struct series_set *set;
    uint32_t *rows; /* by batch number: how many series have it */
    int64_t t0;
    unsigned most;
};

static int tally_rows(void *ctx, const struct series_rows *r)
{
    struct tally *t = ctx;
    for (size_t i = 0; i < r->n; i++) {
        unsigned number = (unsigned)((r->time_ms[i] - t->t0) / 10);
        EXPECT(number <= t->most && r->value[i] == number);
        if (i > 0) EXPECT(r->time_ms[i] > r->time_ms[i - 1]); /* once, not twice */
        t->rows[number]++;
    }
    return OK;
}

static void judge(struct store *s, unsigned acknowledged, unsigned begun, int64_t t0)
{
    struct arena a = ARENA_INIT(64 << 20);
    struct call call = { .arena = &a };
    struct store_view *v;
    struct series_set set;
    struct tally t = { &set, mem_array(begun + 2, sizeof(uint32_t)), t0, begun };
    EXPECT(store_view_open(s, 0, INT64_MAX, &v, NULL) == OK);
    EXPECT(view_series(v, &call, NULL, 0, 0, &set, NULL) == OK);
    EXPECT(view_scan(v, &call, set.at, set.n, 0, INT64_MAX, tally_rows, &t, NULL) == OK);
    for (unsigned i = 1; i <= acknowledged; i++)
        if (t.rows[i] != BATCH_SERIES)
            print_error("batch %u of %u acknowledged: %u rows\n", i, acknowledged, t.rows[i]);
    for (unsigned i = 1; i <= acknowledged; i++) EXPECT(t.rows[i] == BATCH_SERIES);
    for (unsigned i = acknowledged + 1; i <= begun; i++) EXPECT(t.rows[i] <= BATCH_SERIES);
    mem_free(t.rows);
    store_view_close(v);
    arena_release(&a);
}

TEST(kill_at_random_moments_loses_nothing_acknowledged)
{
    char *dir = test_dir();
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int64_t t0 = clock_now_ms() / DAY * DAY; /* of today, whatever the hour */
    unsigned rounds = getenv("VEDETTE_KILLS") ? (unsigned)atoi(getenv("VEDETTE_KILLS")) : 30;
    struct model random = { .seed = 4711 };

    for (unsigned round = 0; round < rounds; round++) {
        unsigned first = atomic_load(&shared->begun) + 1;
        pid_t pid = fork();
        if (pid == 0) child(dir, shared, first, t0);
        nanosleep(&(struct timespec){ 0, (long)(5 + model_random(&random, 150)) * 1000000 }, NULL);
        kill(pid, SIGKILL);
        int status;
        waitpid(pid, &status, 0);
        EXPECT(WIFSIGNALED(status));

        unsigned acknowledged = atomic_load(&shared->acknowledged), begun = atomic_load(&shared->begun);
        struct store *s = test_open(dir, 0);
        judge(s, acknowledged, begun, t0);
        store_close(s);
        /* fill what the kill left open, so that the next judge may demand it */
        s = test_open(dir, 0);
        struct ack *acks = mem_array(begun - MIN(acknowledged, begun) + 1, sizeof *acks);
        for (unsigned i = acknowledged + 1; i <= begun; i++) {
            struct ack *ack = &acks[i - acknowledged - 1];
            *ack = (struct ack){ shared, i };
            child_batch(s, i, t0 + i * 10, ack);
        }
        store_close(s);
        mem_free(acks);
        atomic_store(&shared->acknowledged, begun);
    }
    print_message("%u kills, %u batches acknowledged\n", rounds, atomic_load(&shared->acknowledged));
    munmap(shared, sizeof *shared);
    test_dir_remove(dir);
}

/* ---- a copy of the directory while it is being written ---- */

/* cp is not atomic: a flush or merge in its middle would leave a mixture that no crash can. So it is done
 * again until the manifest and the list of files were the same before and after. */
static void copy_directory(const char *dir, const char *copy)
{
    char command[2000];
    snprintf(command, sizeof command,
             "look() { cksum '%s/MANIFEST'; find '%s' -type f | sort; }\n"
             "for i in $(seq 100); do rm -rf '%s'; before=$(look); cp -r '%s' '%s' && [ \"$before\" = "
             "\"$(look)\" ] && exit 0; "
             "sleep 0.05; done; exit 1",
             dir, dir, copy, dir, copy);
    EXPECT(system(command) == 0);
}

TEST(directory_copied_after_acknowledgement_opens_with_everything)
{
    char *dir = test_dir(), copy[300];
    struct model *m = model_new(12);
    struct store *s = test_open(dir, 100u << 10);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 20; i++) EXPECT(model_write(m, s, true, ACK_MEMORY, NULL, NULL) == OK);
        nanosleep(&(struct timespec){ 0, 300000000 }, NULL); /* 20 ms sync interval, and flushes done */
        snprintf(copy, sizeof copy, "%s.copy%d", dir, round);
        copy_directory(dir, copy);
        struct store *c = test_open(copy, 0);
        model_check(m, c);
        store_close(c);
    }
    store_close(s);
    mem_free(m);
    test_dir_remove(dir);
}

/* ---- each disk call failing once ---- */

struct answers {
    atomic_int ok, bad;
};
static void on_answer(void *ctx, int rc)
{
    struct answers *a = ctx;
    atomic_fetch_add(rc == OK ? &a->ok : &a->bad, 1);
}

/* Write a batch and wait for its answer; in the model only when acknowledged. */
static bool write_and_wait(struct model *m, struct store *s)
{
    struct answers a = { 0 };
    struct model *before = mem_copy(m, sizeof *m);
    int rc = model_write(m, s, true, ACK_DURABLE, on_answer, &a);
    while (rc == OK && atomic_load(&a.ok) + atomic_load(&a.bad) == 0)
        nanosleep(&(struct timespec){ 0, 100000 }, NULL);
    bool is_kept = rc == OK && atomic_load(&a.ok) == 1;
    if (!is_kept) { /* its rows may be there or not; later writes go on with fresh values */
        before->writes = m->writes;
        before->seed = m->seed;
        memcpy(m, before, sizeof *m);
    }
    mem_free(before);
    return is_kept;
}

static int open_quietly(const char *dir, struct store **s)
{
    return embedded_open(&(struct embedded_conf){ .dir = dir, .min_free_bytes = 1, .sync_interval_ms = 20 },
                         s, NULL);
}

static void fail_round(uint64_t n, int with_errno, uint64_t *calls)
{
    char *dir = test_dir();
    struct model *m = model_new(n);
    struct store *s;
    uint64_t before = file_calls();
    file_fail_at(n, with_errno);
    int rc = open_quietly(dir, &s);
    for (int i = 0; rc == OK && i < 6; i++) {
        write_and_wait(m, s);
        if (i % 2 == 1) store_admin(s, STORE_FLUSH, NULL, NULL);
        if (i == 4) store_admin(s, STORE_MERGE, NULL, NULL);
    }
    if (rc == OK) store_close(s);
    *calls = file_calls() - before;
    file_fail_at(0, 0);

    EXPECT(open_quietly(dir, &s) == OK);
    EXPECT(model_missing(m, s) == 0);
    EXPECT(write_and_wait(m, s));
    EXPECT(model_missing(m, s) == 0);
    store_close(s);
    mem_free(m);
    test_dir_remove(dir);
}

TEST(each_disk_call_failing_once_keeps_acknowledged_rows)
{
    static const int kinds[] = { EIO, ENOSPC, EINTR };
    uint64_t rounds = 0, step = getenv("VEDETTE_FAULTS") ? 1 : 11;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        uint64_t calls;
        fail_round(UINT64_MAX, kinds[k], &calls); /* how many calls there are when none fails */
        for (uint64_t n = 1 + k; n <= calls; n += step, rounds++) fail_round(n, kinds[k], &(uint64_t){ 0 });
    }
    print_message("%llu rounds\n", (unsigned long long)rounds);
}

TEST(start_works_after_each_disk_call_of_a_start_failed)
{
    char *dir = test_dir();
    struct model *m = model_new(8);
    struct store *s = test_open(dir, 0);
    for (int i = 0; i < 10; i++) {
        model_write(m, s, true, ACK_MEMORY, NULL, NULL);
        if (i == 4) store_admin(s, STORE_FLUSH, NULL, NULL);
    }
    struct answers a = { 0 };
    model_write(m, s, true, ACK_DURABLE, on_answer, &a);
    while (atomic_load(&a.ok) == 0) nanosleep(&(struct timespec){ 0, 100000 }, NULL);
    char command[600], image[300];
    snprintf(image, sizeof image, "%s.image", dir);
    copy_directory(dir, image);
    store_close(s);

    for (uint64_t n = 1;; n++) {
        snprintf(command, sizeof command, "rm -rf '%s'; cp -r '%s' '%s'", dir, image, dir);
        EXPECT(system(command) == 0);
        uint64_t before = file_calls();
        file_fail_at(n, EIO);
        if (open_quietly(dir, &s) == OK) store_close(s);
        bool is_done = file_calls() - before < n;
        file_fail_at(0, 0);
        EXPECT(open_quietly(dir, &s) == OK);
        EXPECT(model_missing(m, s) == 0);
        store_close(s);
        if (is_done || n > 400) break;
    }
    mem_free(m);
    test_dir_remove(dir);
}

/* ---- a full disk ---- */

TEST(full_disk_refuses_and_comes_back_by_itself)
{
    char *dir = test_dir();
    struct model *m = model_new(6);
    struct store *s;
    struct err e = ERR_INIT;
    struct store_status st;
    EXPECT(embedded_open(&(struct embedded_conf){ .dir = dir, .min_free_bytes = 1ull << 62 }, &s, &e) ==
           OK); /* no disk has that */
    EXPECT(model_write(m, s, true, ACK_MEMORY, NULL, NULL) == ERR_FULL);
    store_status(s, &st);
    EXPECT(st.read_only);
    model_check(m, s); /* reads go on */
    store_close(s);

    s = test_open(dir, 0);
    EXPECT(write_and_wait(m, s));
    file_fail_at(1, ENOSPC); /* the next commit */
    EXPECT(!write_and_wait(m, s));
    file_fail_at(0, 0);
    int rc = ERR_FULL;
    for (int i = 0; i < 50 && rc != OK; i++) { /* within five seconds, without being asked to */
        nanosleep(&(struct timespec){ 0, 100000000 }, NULL);
        rc = write_and_wait(m, s) ? OK : ERR_FULL;
    }
    EXPECT(rc == OK && model_missing(m, s) == 0);
    store_close(s);
    s = test_open(dir, 0);
    EXPECT(model_missing(m, s) == 0);
    store_close(s);
    mem_free(m);
    test_dir_remove(dir);
}

/* The log holds more than memory should, and there is no room for parts: it starts all the same, answers,
 * says that it is full, and takes writes again once there is room. */
TEST(start_on_a_full_disk_answers_and_comes_back)
{
    char *dir = test_dir(), image[300];
    struct model *m = model_new(61);
    struct store *s = test_open(dir, 64u << 20);
    struct store_status st;
    struct err e = ERR_INIT;
    for (int i = 0; i < 300; i++) EXPECT(model_write(m, s, true, ACK_MEMORY, NULL, NULL) == OK);
    EXPECT(write_and_wait(m, s));
    snprintf(image, sizeof image, "%s.image", dir);
    copy_directory(dir, image); /* as a kill would leave it */

    struct embedded_conf conf = { .dir = image, .head_bytes = 200u << 10, .min_free_bytes = 1 };
    struct store *t;
    conf.wal_retry_ms = 100;
    file_fault_set(
        &(struct file_fault){ .n = 1, .more = UINT64_MAX, .op = FILE_WRITE, .with_errno = ENOSPC });
    int rc = embedded_open(&conf, &t, &e);
    if (rc < 0) print_error("open on a full disk: %s\n", e.text);
    EXPECT(rc == OK);
    model_check(m, t);
    store_status(t, &st);
    EXPECT(st.read_only);
    EXPECT(!write_and_wait(m, t));
    model_missing(m, t);

    file_fault_set(NULL);
    for (int i = 0; i < 50 && (rc = write_and_wait(m, t) ? OK : ERR_FULL) != OK; i++)
        nanosleep(&(struct timespec){ 0, 100000000 }, NULL);
    EXPECT(rc == OK && model_missing(m, t) == 0);
    EXPECT(store_admin(t, STORE_FLUSH, NULL, &e) == OK);
    EXPECT(model_missing(m, t) == 0);
    store_status(t, &st);
    EXPECT(!st.read_only);
    store_close(t);
    EXPECT(embedded_open(&conf, &t, &e) == OK && model_missing(m, t) == 0);
    store_close(t);
    store_close(s);
    mem_free(m);
    test_dir_remove(dir);
}

/* ---- damage ---- */

struct damage {
    char path[600];
    size_t n, which;
};

static void collect(const char *dir, struct damage *d);
static int collect_one(const char *name, bool is_dir, void *ctx)
{
    struct {
        const char *dir;
        struct damage *d;
    } *x = ctx;
    char path[500];
    snprintf(path, sizeof path, "%s/%s", x->dir, name);
    if (is_dir)
        collect(path, x->d);
    else if (strcmp(name, "lock") != 0 && x->d->n++ == x->d->which)
        snprintf(x->d->path, sizeof x->d->path, "%s", path);
    return 0;
}
static void collect(const char *dir, struct damage *d)
{
    struct {
        const char *dir;
        struct damage *d;
    } x = { dir, d };
    file_list(dir, collect_one, &x, NULL);
}

static void hurt(const char *path, struct model *random)
{
    int fd = open(path, O_RDWR);
    struct stat st;
    EXPECT(fd >= 0 && fstat(fd, &st) == 0);
    size_t size = (size_t)st.st_size;
    uint64_t where = size ? model_random(random, MIN(size, (size_t)20000)) : 0;
    char c = 0;
    switch (model_random(random, 4)) {
    case 0: /* one bit */
        if (size && pread(fd, &c, 1, (off_t)where) == 1) {
            c ^= (char)(1 << model_random(random, 8));
            EXPECT(pwrite(fd, &c, 1, (off_t)where) == 1);
        }
        break;
    case 1: EXPECT(ftruncate(fd, (off_t)where) == 0); break;
    case 2: { /* zeros */
        static const char zeros[512];
        EXPECT(pwrite(fd, zeros, sizeof zeros, (off_t)where) == sizeof zeros);
        break;
    }
    case 3: EXPECT(ftruncate(fd, 0) == 0); break;
    }
    close(fd);
}

static int swallow(void *ctx, const struct series_rows *r)
{
    (void)ctx;
    for (size_t i = 1; i < r->n; i++) check(r->time_ms[i] > r->time_ms[i - 1]);
    return OK;
}

TEST(any_damaged_file_does_not_stop_a_start)
{
    char *dir = test_dir(), command[400];
    struct model *m = model_new(15);
    struct store *s = test_open(dir, 0);
    for (int i = 0; i < 30; i++) {
        model_write(m, s, true, ACK_MEMORY, NULL, NULL);
        if (i % 10 == 5) store_admin(s, STORE_FLUSH, NULL, NULL);
    }
    nanosleep(&(struct timespec){ 0, 200000000 }, NULL);
    snprintf(command, sizeof command, "cp -r '%s' '%s.image'", dir, dir);
    EXPECT(system(command) == 0);
    store_close(s);

    unsigned images = getenv("VEDETTE_IMAGES") ? (unsigned)atoi(getenv("VEDETTE_IMAGES")) : 60;
    for (unsigned i = 0; i < images; i++) {
        snprintf(command, sizeof command, "rm -rf '%s'; cp -r '%s.image' '%s'", dir, dir, dir);
        EXPECT(system(command) == 0);
        struct damage d = { .which = SIZE_MAX };
        collect(dir, &d);
        d = (struct damage){ .which = i % d.n };
        collect(dir, &d);
        hurt(d.path, m);

        int rc = open_quietly(dir, &s);
        if (rc != OK) print_error("%s\n", d.path);
        EXPECT(rc == OK);
        struct arena a = ARENA_INIT(64 << 20);
        struct call call = { .arena = &a };
        struct store_view *v;
        struct series_set set;
        EXPECT(store_view_open(s, 0, INT64_MAX, &v, NULL) == OK);
        rc = view_series(v, &call, NULL, 0, 0, &set, NULL);
        EXPECT(rc == OK || rc == ERR_CORRUPT);
        if (rc == OK) rc = view_scan(v, &call, set.at, set.n, 0, INT64_MAX, swallow, NULL, NULL);
        EXPECT(rc == OK || rc == ERR_CORRUPT); /* said, not hidden */
        store_view_close(v);
        arena_release(&a);
        store_close(s);
    }
    mem_free(m);
    test_dir_remove(dir);
}

/* A manifest that lost its last records, cleanly, looks whole: the files betray it. */
TEST(manifest_cut_between_records_loses_nothing)
{
    char *dir = test_dir(), image[300], path[400];
    struct model *m = model_new(31);
    struct store *s = test_open(dir, 0);
    for (int i = 0; i < 24; i++) {
        model_write(m, s, true, ACK_MEMORY, NULL, NULL);
        if (i % 3 == 2) EXPECT(store_admin(s, STORE_FLUSH, NULL, NULL) == OK);
        if (i == 11) EXPECT(store_admin(s, STORE_MERGE, NULL, NULL) == OK);
    }
    EXPECT(store_admin(s, STORE_FLUSH, NULL, NULL) == OK);
    store_close(s);
    struct buf manifest = BUF_INIT(1 << 20);
    snprintf(path, sizeof path, "%s/MANIFEST", dir);
    EXPECT(file_slurp(path, &manifest, NULL) == OK);
    size_t cuts = 0;
    for (size_t at = 8; at < manifest.n; cuts++) { /* length u32, CRC u32, payload: docs/format-manifest.md */
        uint32_t n;
        snprintf(image, sizeof image, "%s.cut", dir);
        copy_directory(dir, image);
        snprintf(path, sizeof path, "%s/MANIFEST", image);
        EXPECT(truncate(path, (off_t)at) == 0);
        EXPECT(open_quietly(image, &s) == OK);
        EXPECT(model_missing(m, s) == 0);
        store_close(s);
        memcpy(&n, manifest.p + at, 4);
        at += 8 + n;
    }
    EXPECT(cuts > 10);
    buf_release(&manifest);
    mem_free(m);
    test_dir_remove(dir);
}

TEST(missing_manifest_is_made_again_from_the_files)
{
    char *dir = test_dir(), path[300];
    struct model *m = model_new(21);
    struct store *s = test_open(dir, 0);
    for (int i = 0; i < 30; i++) {
        model_write(m, s, true, ACK_MEMORY, NULL, NULL);
        if (i % 10 == 5) store_admin(s, STORE_FLUSH, NULL, NULL);
    }
    store_close(s);
    snprintf(path, sizeof path, "%s/MANIFEST", dir);
    EXPECT(unlink(path) == 0);
    s = test_open(dir, 0);
    EXPECT(model_missing(m, s) == 0);
    model_check(m, s);
    store_close(s);
    mem_free(m);
    test_dir_remove(dir);
}

TEST(exemplars_and_metadata_come_back)
{
    char *dir = test_dir();
    for (int round = 0; round < 3; round++) { /* written; read from the files; and again */
        struct store *s = test_open(dir, 0);
        struct arena a = ARENA_INIT(1 << 20);
        struct call call = { .arena = &a };
        if (round == 0) {
            struct batch b;
            struct write_result r;
            struct buf packed = BUF_INIT(1000);
            struct label trace = { STR("trace_id"), STR("abc") };
            labels_pack(&packed, (struct labels){ &trace, 1 });
            batch_init(&b, &a, LABELS_PACKED);
            batch_series_labels(&b, model_labels(3, &a));
            batch_sample(&b, clock_now_ms(), 1);
            batch_exemplar(&b, clock_now_ms(), 0.5, buf_view(&packed));
            batch_metadata(&b, STR("metric_0"), STR("counter"), STR("How many."), STR(""));
            EXPECT(store_write(s, &b, ACK_MEMORY, &r, NULL, NULL, NULL) == OK && r.exemplars == 1 &&
                   r.metadata == 1);
            buf_release(&packed);
        }
        struct store_view *v;
        struct exemplar *x;
        struct metadata *md;
        size_t n;
        EXPECT(store_view_open(s, 0, INT64_MAX, &v, NULL) == OK);
        EXPECT(view_exemplars(v, &call, NULL, 0, &x, &n, NULL) == OK && n == 1 && x->value == 0.5);
        EXPECT(str_is(labels_get(x->labels, "trace_id"), "abc") &&
               str_is(labels_get(x->series, "host"), "host-3"));
        EXPECT(store_metadata(s, &call, STR(""), 0, &md, &n, NULL) == OK && n == 1 &&
               str_is(md->help, "How many."));
        store_view_close(v);
        store_close(s);
        arena_release(&a);
    }
    test_dir_remove(dir);
}

TESTS(CASE(kill_at_random_moments_loses_nothing_acknowledged),
      CASE(directory_copied_after_acknowledgement_opens_with_everything),
      CASE(each_disk_call_failing_once_keeps_acknowledged_rows),
      CASE(start_works_after_each_disk_call_of_a_start_failed),
      CASE(full_disk_refuses_and_comes_back_by_itself), CASE(start_on_a_full_disk_answers_and_comes_back),
      CASE(any_damaged_file_does_not_stop_a_start), CASE(manifest_cut_between_records_loses_nothing),
      CASE(missing_manifest_is_made_again_from_the_files), CASE(exemplars_and_metadata_come_back))
