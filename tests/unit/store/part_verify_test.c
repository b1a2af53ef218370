#include <errno.h>

#include "base/file.h"
#include "unit/store/part_model.h"

static void quietly(void *ctx, const char *text)
{
    if (text[0]) ++*(int *)ctx;
}

static void write_bytes(const char *path, const char *p, size_t n)
{
    FILE *f = fopen(path, "wb");
    EXPECT(f != NULL && fwrite(p, 1, n, f) == n && fclose(f) == 0);
}

/* Read all there is; whatever happens, no crash and no answer but these. */
static void read_everything(const char *path)
{
    struct part *p;
    int rc = part_open(path, &p, NULL);
    EXPECT(rc == OK || rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED);
    if (rc < 0) return;
    struct part_cursor *c = part_cursor_new(p);
    struct arena a = ARENA_INIT(1 << 26);
    struct run_head head;
    struct run r;
    while ((rc = part_cursor_peek(c, &head, NULL)) == 1 &&
           (rc = part_cursor_read(c, INT64_MIN, INT64_MAX, &a, &r, NULL)) == OK)
        arena_reset(&a);
    EXPECT(rc == OK || rc == ERR_CORRUPT || rc == ERR_LIMIT);
    part_cursor_free(c);
    part_close(p);
    arena_release(&a);
}

static void small_part(struct buf *bytes)
{
    struct dice d = { 31 };
    struct model m = { 0 };
    const char *path = test_path("small");
    model_fill(&m, &d, 30, 60, 1700000000000);
    model_write(&m, path, 1, 1);
    EXPECT(part_verify(path, complain, NULL, NULL) == 0);
    EXPECT(file_slurp(path, bytes, NULL) == OK);
    unlink(path);
    model_release(&m);
}

TEST(verify_finds_every_flipped_byte_and_readers_survive_it)
{
    struct buf bytes = BUF_INIT(1 << 24);
    const char *path = test_path("flipped");
    small_part(&bytes);
    struct dice d = { 32 };
    for (size_t i = 0; i < bytes.n; i++) {
        int told = 0;
        char was = bytes.p[i];
        bytes.p[i] ^= (char)(1 + roll_below(&d, 255));
        write_bytes(path, bytes.p, bytes.n);
        EXPECT(part_verify(path, quietly, &told, NULL) > 0 && told > 0);
        read_everything(path);
        bytes.p[i] = was;
    }
    unlink(path);
    buf_release(&bytes);
}

TEST(verify_finds_every_cut_and_every_addition)
{
    struct buf bytes = BUF_INIT(1 << 24);
    const char *path = test_path("cut");
    small_part(&bytes);
    int told = 0;
    for (size_t n = 0; n < bytes.n; n++) {
        write_bytes(path, bytes.p, n);
        EXPECT(part_verify(path, quietly, &told, NULL) == 1);
        read_everything(path);
    }
    buf_char(&bytes, 0);
    write_bytes(path, bytes.p, bytes.n);
    EXPECT(part_verify(path, quietly, &told, NULL) == 1);
    unlink(path);
    buf_release(&bytes);
}

TEST(verify_goes_on_behind_a_damaged_block)
{
    struct dice d = { 33 };
    struct model m = { 0 };
    struct buf bytes = BUF_INIT(1 << 26);
    const char *path = test_path("blocks");
    model_fill(&m, &d, 400, 500, 0);
    struct part_info info = model_write(&m, path, 1, 1);
    EXPECT(info.blocks >= 3);
    EXPECT(file_slurp(path, &bytes, NULL) == OK);
    bytes.p[64 + 40] ^= 1;     /* in the first block */
    bytes.p[bytes.n / 2] ^= 1; /* and in one further on */
    write_bytes(path, bytes.p, bytes.n);
    int told = 0;
    EXPECT(part_verify(path, quietly, &told, NULL) == 2 && told == 2);
    unlink(path);
    buf_release(&bytes);
    model_release(&m);
}

TEST(verify_says_when_it_could_not_look)
{
    struct err e = ERR_INIT;
    int told = 0;
    EXPECT(part_verify("/tmp/vedette-test-no-such-part", quietly, &told, &e) == ERR_FIND);
    EXPECT(told == 0 && e.text[0]);
}

TESTS(CASE(verify_finds_every_flipped_byte_and_readers_survive_it),
      CASE(verify_finds_every_cut_and_every_addition), CASE(verify_goes_on_behind_a_damaged_block),
      CASE(verify_says_when_it_could_not_look))
