/* The manifest: edits survive, tears are cut, uncertainty is settled before anything builds on it. */
#include "store/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "unit/test.h"

static char dir[64];

static void fresh_dir(void)
{
    strcpy(dir, "/tmp/vedette-manifest-XXXXXX");
    EXPECT(mkdtemp(dir) != NULL);
}
static void remove_dir(void)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    EXPECT(system(command) == 0);
}

static struct manifest *open_manifest(struct manifest_state *seen)
{
    struct manifest_state s;
    struct manifest *m;
    EXPECT(manifest_load(dir, &s, NULL) == OK);
    if (seen != NULL) *seen = s;
    EXPECT(manifest_open(dir, &s, &m, NULL) == OK);
    return m;
}

static struct file_id file(uint32_t day, uint64_t seq)
{
    return (struct file_id){ day, seq % 2 ? FILE_PART : FILE_INDEX, (uint32_t)seq % 3, seq, seq % 5 == 0 };
}

static void add(struct manifest *m, uint32_t day, uint64_t seq)
{
    struct file_id f = file(day, seq);
    EXPECT(manifest_apply(m,
                          &(struct manifest_edit){
                              .add = &f, .n_add = 1, .wal_floor = seq, .next_series_no = 10 + (uint32_t)seq },
                          NULL) == OK);
}

static void expect_files(const struct manifest_state *s, uint64_t from, uint64_t to)
{
    EXPECT(s->n == to - from);
    for (size_t i = 0; i < s->n; i++) {
        bool found = false;
        for (uint64_t q = from; q < to; q++) {
            struct file_id f = file(100 + (uint32_t)q % 4, q);
            found |= file_id_cmp(&f, &s->files[i]) == 0 && f.is_final == s->files[i].is_final;
        }
        EXPECT(found);
        if (i > 0) EXPECT(file_id_cmp(&s->files[i - 1], &s->files[i]) < 0);
    }
}

TEST(manifest_remembers_edits)
{
    fresh_dir();
    struct manifest *m = open_manifest(NULL);
    for (uint64_t q = 1; q < 50; q++) add(m, 100 + (uint32_t)q % 4, q);
    for (uint64_t q = 1; q < 20; q++) {
        struct file_id f = file(100 + (uint32_t)q % 4, q);
        EXPECT(manifest_apply(m, &(struct manifest_edit){ .drop = &f, .n_drop = 1 }, NULL) == OK);
    }
    manifest_close(m);

    struct manifest_state s;
    EXPECT(manifest_load(dir, &s, NULL) == OK);
    EXPECT(!s.is_damaged && s.wal_floor == 49 && s.next_series_no == 59 && s.next_sequence == 50);
    expect_files(&s, 20, 50);
    manifest_state_release(&s);
    remove_dir();
}

TEST(manifest_is_rewritten_when_most_of_it_is_history)
{
    fresh_dir();
    struct manifest *m = open_manifest(NULL);
    for (uint64_t q = 1; q < 3000; q++) {
        struct file_id now = file(100 + (uint32_t)q % 4, q),
                       before = file(100 + (uint32_t)(q - 1) % 4, q - 1);
        EXPECT(manifest_apply(
                   m, &(struct manifest_edit){ .add = &now, .n_add = 1, .drop = &before, .n_drop = q > 1 },
                   NULL) == OK);
    }
    manifest_close(m);
    struct buf text = BUF_INIT(1 << 24);
    char path[100];
    snprintf(path, sizeof path, "%s/MANIFEST", dir);
    EXPECT(file_slurp(path, &text, NULL) == OK && text.n < 100000);
    buf_release(&text);
    struct manifest_state s;
    EXPECT(manifest_load(dir, &s, NULL) == OK && !s.is_damaged);
    expect_files(&s, 2999, 3000);
    manifest_state_release(&s);
    remove_dir();
}

TEST(manifest_cut_anywhere_keeps_the_records_before)
{
    fresh_dir();
    struct manifest *m = open_manifest(NULL);
    for (uint64_t q = 1; q < 6; q++) add(m, 100 + (uint32_t)q % 4, q);
    manifest_close(m);
    char path[100];
    struct buf text = BUF_INIT(1 << 20);
    snprintf(path, sizeof path, "%s/MANIFEST", dir);
    EXPECT(file_slurp(path, &text, NULL) == OK);

    size_t before = 0;
    for (size_t cut = 0; cut <= text.n; cut++) {
        struct manifest_state s = { 0 };
        manifest_parse(str_make(text.p, cut), &s);
        EXPECT(s.n >= before && s.n <= 5 && s.bytes <= cut);
        EXPECT(s.is_damaged == (s.bytes != cut) || cut < 8);
        before = s.n;
        manifest_state_release(&s);
    }
    EXPECT(before == 5);

    for (size_t at = 0; at < text.n; at++) { /* one bit: the records before it are right, none is wrong */
        struct manifest_state s = { 0 };
        text.p[at] ^= 4;
        manifest_parse(buf_view(&text), &s);
        EXPECT(s.is_damaged && s.n <= 5);
        expect_files(&s, 1, 1 + s.n);
        manifest_state_release(&s);
        text.p[at] ^= 4;
    }
    buf_release(&text);
    remove_dir();
}

/* Among the bits is the one that says that a record is sealed: a store without a key must start all the same.
 */
TEST(manifest_with_any_bit_flipped_loads_what_stands_before)
{
    char path[100];
    struct buf whole = BUF_INIT(1 << 20);
    fresh_dir();
    struct manifest *m = open_manifest(NULL);
    for (uint64_t q = 1; q < 5; q++) add(m, 100 + (uint32_t)q % 4, q);
    manifest_close(m);
    snprintf(path, sizeof path, "%s/MANIFEST", dir);
    EXPECT(file_slurp(path, &whole, NULL) == OK);
    for (size_t bit = 0; bit < 8 * whole.n; bit++) {
        struct manifest_state s;
        struct err e = ERR_INIT;
        whole.p[bit / 8] = (char)(whole.p[bit / 8] ^ 1 << bit % 8);
        int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
        EXPECT(fd >= 0 && write(fd, whole.p, whole.n) == (ssize_t)whole.n && close(fd) == 0);
        EXPECT(manifest_load(dir, &s, &e) == OK);
        EXPECT(s.is_damaged && s.n < 4);
        manifest_state_release(&s);
        whole.p[bit / 8] = (char)(whole.p[bit / 8] ^ 1 << bit % 8);
    }
    buf_release(&whole);
    remove_dir();
}

TEST(manifest_previous_serves_when_the_file_is_gone)
{
    fresh_dir();
    struct manifest *m = open_manifest(NULL);
    for (uint64_t q = 1; q < 3000; q++) {
        struct file_id now = file(100 + (uint32_t)q % 4, q),
                       before = file(100 + (uint32_t)(q - 1) % 4, q - 1);
        EXPECT(manifest_apply(
                   m, &(struct manifest_edit){ .add = &now, .n_add = 1, .drop = &before, .n_drop = q > 1 },
                   NULL) == OK);
    }
    manifest_close(m);
    char path[100];
    snprintf(path, sizeof path, "%s/MANIFEST", dir);
    EXPECT(unlink(path) == 0);
    struct manifest_state s;
    EXPECT(manifest_load(dir, &s, NULL) == OK && s.is_damaged && s.n == 1 && s.next_sequence > 1);
    manifest_state_release(&s);
    remove_dir();
}

TEST(manifest_each_disk_call_failing_once_loses_nothing)
{
    static const int kinds[] = { EIO, ENOSPC };
    for (size_t k = 0; k < 2; k++)
        for (uint64_t n = 1; n < 60; n++) {
            fresh_dir();
            struct manifest *m = open_manifest(NULL);
            bool kept[20] = { false };
            file_fail_at(n, kinds[k]);
            for (uint64_t q = 1; q < 20; q++) {
                struct file_id f = file(100 + (uint32_t)q % 4, q);
                kept[q] = manifest_apply(m, &(struct manifest_edit){ .add = &f, .n_add = 1 }, NULL) == OK;
            }
            file_fail_at(0, 0);
            EXPECT(manifest_settle(m, NULL) == OK);
            manifest_close(m);

            struct manifest_state s;
            EXPECT(manifest_load(dir, &s, NULL) == OK && !s.is_damaged);
            for (uint64_t q = 1; q < 20; q++) { /* settled: what was refused is not there, what was kept is */
                struct file_id f = file(100 + (uint32_t)q % 4, q);
                bool found = false;
                for (size_t i = 0; i < s.n; i++) found |= file_id_cmp(&s.files[i], &f) == 0;
                EXPECT(found == kept[q]);
            }
            manifest_state_release(&s);
            remove_dir();
        }
}

TEST(manifest_file_names_go_there_and_back)
{
    for (uint64_t q = 1; q < 200; q++) {
        struct file_id f = file((uint32_t)q * 97, q), g;
        char path[200], *name, *day;
        f.is_final = false;
        file_id_path(path, sizeof path, "/data", &f);
        name = strrchr(path, '/');
        *name++ = 0;
        day = strrchr(path, '/') + 1;
        EXPECT(file_id_parse(TABLE_METRICS, day, name, &g) && file_id_cmp(&f, &g) == 0);
    }
    struct file_id g;
    EXPECT(!file_id_parse(TABLE_METRICS, "20260101", "1-2.txt", &g) &&
           !file_id_parse(TABLE_METRICS, "lost+found", "1-2.part", &g) &&
           !file_id_parse(TABLE_LOGS, "20260101", "1-2.idx", &g) &&
           !file_id_parse(TABLE_METRICS, "20260101", "x-2.part", &g));
}

TESTS(CASE(manifest_remembers_edits), CASE(manifest_is_rewritten_when_most_of_it_is_history),
      CASE(manifest_cut_anywhere_keeps_the_records_before),
      CASE(manifest_with_any_bit_flipped_loads_what_stands_before),
      CASE(manifest_previous_serves_when_the_file_is_gone),
      CASE(manifest_each_disk_call_failing_once_loses_nothing), CASE(manifest_file_names_go_there_and_back))
