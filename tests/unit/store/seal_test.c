/* Encryption at rest, through the whole engine: nothing that was put in can be read in any file, all of it
 * comes back with the key and only with it, and damage is found with the key and without. */
#include "store/seal.h"

#include <dirent.h>

#include "store/page.h"
#include "unit/store/records_model.h"
#include "unit/store/shape.h"

#define SECRET "TOPSECRET"

static char key_a[64], key_b[64];

static void write_key(char *path, size_t cap, const char *name, char digit)
{
    char text[65];
    memset(text, digit, 64);
    text[64] = '\n';
    snprintf(path, cap, "/tmp/vedette-key-%d-%s", (int)getpid(), name);
    FILE *f = fopen(path, "w");
    EXPECT(f != NULL && fwrite(text, 1, 65, f) == 65 && fclose(f) == 0 && chmod(path, 0400) == 0);
}

static void keys_make(void)
{
    write_key(key_a, sizeof key_a, "a", '1');
    write_key(key_b, sizeof key_b, "b", 'f');
}

static void keys_remove(void)
{
    unlink(key_a);
    unlink(key_b);
}

static int open_with(const char *dir, const char *key, struct store **s, struct err *e)
{
    struct embedded_conf conf = { .dir = dir, .min_free_bytes = 1, .sync_interval_ms = 20, .key_file = key };
    *e = (struct err)ERR_INIT;
    return embedded_open(&conf, s, e);
}

static struct store *must_open(const char *dir, const char *key)
{
    struct store *s = NULL;
    struct err e = ERR_INIT;
    int rc = open_with(dir, key, &s, &e);
    if (rc < 0) print_error("open: %s\n", e.text);
    EXPECT(rc == OK);
    return s;
}

static void admin(struct store *s, enum store_admin op, const void *arg)
{
    struct err e = ERR_INIT;
    int rc = store_admin(s, op, arg, &e);
    if (rc < 0) print_error("admin: %s\n", e.text);
    EXPECT(rc == OK);
}

/* ---- every file below a directory ---- */

static void each_file(const char *dir, void (*visit)(const char *path, void *ctx), void *ctx)
{
    DIR *d = opendir(dir);
    EXPECT(d != NULL);
    for (struct dirent *x; (x = readdir(d)) != NULL;) {
        char path[4300];
        struct stat st;
        if (x->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", dir, x->d_name);
        EXPECT(stat(path, &st) == 0);
        if (S_ISDIR(st.st_mode))
            each_file(path, visit, ctx);
        else if (st.st_size > 0)
            visit(path, ctx);
    }
    closedir(d);
}

static void count_secrets(const char *path, void *ctx)
{
    struct buf text = BUF_INIT(1u << 30);
    EXPECT(file_slurp(path, &text, NULL) == OK);
    for (size_t at = 0; at < text.n;) {
        const char *hit = memmem(text.p + at, text.n - at, SECRET, strlen(SECRET));
        if (hit == NULL) break;
        ++*(size_t *)ctx;
        at = (size_t)(hit - text.p) + 1;
    }
    buf_release(&text);
}

static size_t secrets_in(const char *dir)
{
    size_t n = 0;
    each_file(dir, count_secrets, &n);
    return n;
}

/* ---- planting: 1000 different texts, in every place that takes one ---- */

static struct str secret(struct arena *a, struct dice *d, const char *where)
{
    return arena_printf(a, SECRET "-%s-%016llx", where, (unsigned long long)roll(d));
}

static void plant_samples(struct batch *b, struct dice *d, int64_t now_ms)
{
    for (int i = 0; i < 250; i++) {
        struct label *l = arena_array(b->arena, 2, sizeof *l);
        l[0] = (struct label){ STR("__name__"), STR("planted") };
        l[1] = (struct label){ STR("user"), secret(b->arena, d, "label") };
        batch_series_labels(b, (struct labels){ l, 2 });
        batch_sample(b, now_ms, (double)i);
        struct label *x = arena_array(b->arena, 1, sizeof *x);
        x[0] = (struct label){ STR("trace"), secret(b->arena, d, "ex") };
        struct buf packed = BUF_INIT(1000);
        labels_pack(&packed, (struct labels){ x, 1 });
        if (i % 2) batch_exemplar(b, now_ms, 1, arena_str(b->arena, buf_view(&packed)));
        buf_release(&packed);
    }
    for (int i = 0; i < 50; i++)
        batch_metadata(b, arena_printf(b->arena, "family_%d", i), STR("gauge"), secret(b->arena, d, "help"),
                       STR(""));
}

static void plant_record(struct records *to, struct arena *a, struct dice *d, int i, int64_t now_ms)
{
    struct record r = { .time_ns = now_ms * 1000000 + i };
    struct attr attr = { STR("gen_ai.input.messages"), value_str(secret(a, d, "attr")) };
    struct origin o;
    toy_origin(1, a, &o);
    records_origin(to, &o);
    if (i % 4 == 0) { /* a prompt long enough for a content page */
        struct buf text = BUF_INIT(1 << 20);
        while (text.n < 20000) buf_printf(&text, "%llx ", (unsigned long long)roll(d));
        buf_str(&text, secret(a, d, "prompt"));
        attr.value = value_str(arena_str(a, buf_view(&text)));
        buf_release(&text);
    }
    r.attrs = (struct attrs){ &attr, 1 };
    memcpy(r.trace_id, &(uint64_t[2]){ roll(d), 1 }, 16);
    memcpy(r.span_id, &(uint64_t){ roll(d) | 1 }, 8);
    if (to->table == TABLE_SPANS)
        r.span.name = secret(a, d, "span");
    else
        r.log.body = value_str(secret(a, d, "body"));
    EXPECT(records_add(to, &r, NULL) == OK);
}

static void plant(struct store *s)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct dice d = { 99 };
    struct batch b;
    struct records logs, spans;
    struct write_result r;
    int64_t now_ms = clock_now_ms();
    batch_init(&b, &a, LABELS_PACKED);
    plant_samples(&b, &d, now_ms);
    records_init(&logs, &a, TABLE_LOGS);
    records_init(&spans, &a, TABLE_SPANS);
    for (int i = 0; i < 150; i++) {
        plant_record(&logs, &a, &d, i, now_ms);
        plant_record(&spans, &a, &d, i, now_ms);
    }
    records_end(&logs);
    records_end(&spans);
    b.logs = &logs;
    b.spans = &spans;
    EXPECT(store_write(s, &b, ACK_DURABLE, &r, NULL, NULL, NULL) == OK && r.rejected_total == 0);
    arena_release(&a);
    EXPECT(s != NULL);
}

/* In the log; in parts; in what merges copied; in a snapshot. */
static size_t plant_and_look(const char *dir, const char *key)
{
    size_t found = 0;
    char snapshot[100];
    struct store *s = must_open(dir, key);
    for (int round = 0; round < 2; round++) {
        plant(s);
        struct timespec wait = { 0, 200000000 }; /* the log's interval, ten times */
        nanosleep(&wait, NULL);
        found += secrets_in(dir);
        admin(s, STORE_FLUSH, NULL);
        found += secrets_in(dir);
    }
    admin(s, STORE_MERGE, NULL);
    found += secrets_in(dir);
    snprintf(snapshot, sizeof snapshot, "%s.snapshot", dir);
    admin(s, STORE_SNAPSHOT, snapshot);
    found += secrets_in(snapshot);
    store_close(s);
    s = must_open(snapshot, key);
    store_close(s);
    return found + secrets_in(dir) + secrets_in(snapshot);
}

TEST(no_planted_text_is_in_any_file_of_an_encrypted_store)
{
    char *plain = test_dir(), *sealed = test_dir();
    keys_make();
    size_t control = plant_and_look(plain, NULL);
    EXPECT(control > 1000); /* so the looking works */
    EXPECT(plant_and_look(sealed, key_a) == 0);
    keys_remove();
    test_dir_remove(plain);
    test_dir_remove(sealed);
}

/* ---- all of it comes back ---- */

TEST(an_encrypted_store_equals_the_lists_over_random_runs)
{
    keys_make();
    for (uint64_t seed = 1; seed <= 2; seed++) {
        char *dir = test_dir();
        struct model *m = model_new(seed);
        struct toy *t = toy_new(seed, 25 * 60 * INT64_C(1000000000));
        struct store *s = must_open(dir, key_a);
        for (int i = 0; i < 40; i++) {
            EXPECT(model_write(m, s, i % 3 == 0, ACK_MEMORY, NULL, NULL) == OK);
            EXPECT(toy_write(t, s, toy_random(t, 30), toy_random(t, 30), ACK_MEMORY, NULL, NULL) == OK);
            switch (i % 8) {
            case 3: admin(s, STORE_FLUSH, NULL); break;
            case 5:
                store_close(s);
                s = must_open(dir, key_a);
                break;
            case 7: admin(s, STORE_MERGE, NULL); break;
            }
        }
        model_check(m, s);
        toy_compare_now(t, s);
        admin(s, STORE_FLUSH, NULL);
        admin(s, STORE_MERGE, NULL);
        model_check(m, s);
        toy_compare_now(t, s);
        store_close(s);
        mem_free(m);
        mem_free(t);
        test_dir_remove(dir);
    }
    keys_remove();
}

/* ---- only with the key ---- */

TEST(a_store_is_refused_without_its_key_with_another_one_and_a_key_without_its_store)
{
    char *dir = test_dir(), *plain = test_dir(), head[200], aside[200];
    struct store *s = NULL;
    struct err e;
    keys_make();
    s = must_open(dir, key_a);
    plant(s);
    store_close(s);
    EXPECT(open_with(dir, NULL, &s, &e) == ERR_RANGE && strstr(e.text, "--encryption-key-file"));
    EXPECT(open_with(dir, key_b, &s, &e) == ERR_RANGE && strstr(e.text, "not the key"));
    snprintf(head, sizeof head, "%s/CIPHER", dir);
    snprintf(aside, sizeof aside, "%s/aside", dir);
    EXPECT(rename(head, aside) == 0); /* a lost head is no invitation to begin anew */
    EXPECT(open_with(dir, NULL, &s, &e) == ERR_RANGE && strstr(e.text, "CIPHER"));
    EXPECT(open_with(dir, key_a, &s, &e) == ERR_RANGE);
    EXPECT(rename(aside, head) == 0);
    store_close(must_open(dir, key_a));

    s = must_open(plain, NULL);
    plant(s);
    store_close(s);
    EXPECT(open_with(plain, key_a, &s, &e) == ERR_RANGE && strstr(e.text, "not encrypted"));
    store_close(must_open(plain, NULL));
    keys_remove();
    test_dir_remove(dir);
    test_dir_remove(plain);
}

TEST(a_key_can_be_exchanged_and_a_damaged_copy_of_the_head_does_not_matter)
{
    char *dir = test_dir(), head[200];
    struct store *s = must_open(dir, (keys_make(), key_a));
    struct toy *t = toy_new(5, 60 * INT64_C(1000000000));
    struct err e = ERR_INIT;
    EXPECT(toy_write(t, s, 50, 50, ACK_MEMORY, NULL, NULL) == OK);
    EXPECT(embedded_rotate_key(dir, key_a, key_b, &e) == ERR_BUSY); /* open */
    store_close(s);
    EXPECT(embedded_rotate_key(dir, key_b, key_a, &e) == ERR_RANGE);
    EXPECT(embedded_rotate_key(dir, key_a, key_b, &e) == OK);
    EXPECT(open_with(dir, key_a, &s, &e) == ERR_RANGE);
    snprintf(head, sizeof head, "%s/CIPHER", dir);
    FILE *f = fopen(head, "r+");
    EXPECT(f != NULL && fseek(f, 20, SEEK_SET) == 0 && fputc('!', f) == '!' && fclose(f) == 0);
    s = must_open(dir, key_b);
    toy_compare_now(t, s);
    store_close(s);
    mem_free(t);
    keys_remove();
    test_dir_remove(dir);
}

/* ---- damage ---- */

struct flipping {
    const char *dir;
    size_t flipped, with_key, without;
};

static void no_line(void *ctx, const char *text)
{
    (void)ctx, (void)text;
}

static bool fsck_finds(const char *dir, const char *key)
{
    struct fsck_report r = { 0 };
    struct err e = ERR_INIT;
    int rc = key ? embedded_unlock(dir, key, &e) : OK;
    if (rc == OK) rc = embedded_fsck(dir, no_line, NULL, &r, &e);
    embedded_lock(dir);
    return rc < 0 || r.damaged > 0;
}

static void flip(const char *path, long at)
{
    FILE *f = fopen(path, "r+");
    EXPECT(f != NULL && fseek(f, at, SEEK_SET) == 0);
    int c = fgetc(f);
    EXPECT(fseek(f, at, SEEK_SET) == 0 && fputc(c ^ 16, f) >= 0 && fclose(f) == 0);
}

static void flip_one(const char *path, void *ctx)
{
    struct flipping *x = ctx;
    struct stat st;
    if (strstr(path, "/metrics/") == NULL && strstr(path, "/logs/") == NULL &&
        strstr(path, "/spans/") == NULL)
        return;
    EXPECT(stat(path, &st) == 0);
    for (long at = 70; at < st.st_size - 64; at += st.st_size / 7 + 1) {
        flip(path, at);
        x->flipped++;
        x->with_key += fsck_finds(x->dir, key_a);
        x->without += fsck_finds(x->dir, NULL);
        flip(path, at);
    }
}

TEST(a_flipped_bit_is_found_with_the_key_and_without)
{
    char *dir = test_dir();
    struct store *s = must_open(dir, (keys_make(), key_a));
    plant(s);
    admin(s, STORE_FLUSH, NULL);
    store_close(s);
    EXPECT(!fsck_finds(dir, key_a) && !fsck_finds(dir, NULL));
    struct flipping x = { .dir = dir };
    each_file(dir, flip_one, &x);
    EXPECT(x.flipped >= 4 * 6 && x.with_key == x.flipped && x.without == x.flipped);
    keys_remove();
    test_dir_remove(dir);
}

/* ---- pages ---- */

TEST(a_sealed_page_is_bound_to_its_file_its_place_and_what_its_head_says)
{
    char *dir = test_dir(), one[200], two[200];
    keys_make();
    EXPECT(seal_open(dir, key_a, true, NULL) == OK);
    snprintf(one, sizeof one, "%s/metrics/1.part", dir);
    snprintf(two, sizeof two, "%s/metrics/2.part", dir);
    struct seal a = seal_of(one), b = seal_of(two), none = seal_of("/elsewhere/metrics/1.part");
    EXPECT(a.cipher != NULL && a.file != b.file && none.cipher == NULL);

    struct page_packer *p = page_packer_new(1);
    struct page_unpacker *u = page_unpacker_new();
    struct buf file = BUF_INIT(1 << 16), raw = BUF_INIT(1 << 16), copy = BUF_INIT(1 << 16);
    page_packer_seal(p, &a);
    page_put(p, &file, PAGE_VALUES, STR("one page after the other, one page after the other"));
    size_t second = file.n;
    page_put(p, &file, PAGE_VALUES, STR("two"));
    page_seal(p, file.p, file.n, 1000);
    page_unpacker_seal(u, &a);
    struct str in = buf_view(&file);
    EXPECT(page_get_at(u, &in, 1000, PAGE_VALUES, &raw, NULL) == OK && raw.n == 50);
    EXPECT(page_get_at(u, &in, 1000 + second, PAGE_VALUES, &raw, NULL) == OK &&
           str_is(buf_view(&raw), "two"));
    in = buf_view(&file);
    EXPECT(page_check_any(&in, NULL) == OK && page_check(&in, PAGE_VALUES, NULL) == OK && in.n == 0);
    in = buf_view(&file);
    EXPECT(page_get_at(u, &in, 1001, PAGE_VALUES, &raw, NULL) == ERR_CORRUPT);
    page_unpacker_seal(u, &b);
    EXPECT(page_get_at(u, &in, 1000, PAGE_VALUES, &raw, NULL) == ERR_CORRUPT);
    page_unpacker_seal(u, &none);
    EXPECT(page_get_at(u, &in, 1000, PAGE_VALUES, &raw, NULL) == ERR_UNSUPPORTED);

    page_unpacker_seal(u, &a); /* over to another file, as merges do */
    page_packer_seal(p, &b);
    EXPECT(page_copy(p, u, buf_view(&file), 1000, &copy, NULL) == OK && copy.n == file.n);
    page_seal(p, copy.p, copy.n, 64);
    page_unpacker_seal(u, &b);
    in = buf_view(&copy);
    EXPECT(page_get_at(u, &in, 64, PAGE_VALUES, &raw, NULL) == OK && raw.n == 50);
    page_packer_seal(p, &none);
    buf_clear(&copy);
    page_put(p, &copy, PAGE_VALUES, STR("planted by somebody else"));
    in = buf_view(&copy);
    EXPECT(page_get_at(u, &in, 64, PAGE_VALUES, &raw, NULL) == ERR_CORRUPT);

    page_packer_free(p);
    page_unpacker_free(u);
    buf_release(&file);
    buf_release(&raw);
    buf_release(&copy);
    seal_close(dir);
    keys_remove();
    test_dir_remove(dir);
}

TESTS(CASE(no_planted_text_is_in_any_file_of_an_encrypted_store),
      CASE(an_encrypted_store_equals_the_lists_over_random_runs),
      CASE(a_store_is_refused_without_its_key_with_another_one_and_a_key_without_its_store),
      CASE(a_key_can_be_exchanged_and_a_damaged_copy_of_the_head_does_not_matter),
      CASE(a_flipped_bit_is_found_with_the_key_and_without),
      CASE(a_sealed_page_is_bound_to_its_file_its_place_and_what_its_head_says))
