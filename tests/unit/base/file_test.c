#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "unit/test.h"

static char dir[64];

static const char *at(const char *name)
{
    static char path[4][128];
    static unsigned next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static int empty_and_remove(const char *name, bool is_dir, void *ctx)
{
    (void)ctx;
    return is_dir ? rmdir(at(name)) : unlink(at(name));
}

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/vedette-file-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    file_fail_at(0, 0);
    file_list(dir, empty_and_remove, NULL, NULL);
    return rmdir(dir);
}

static bool holds(const char *path, const char *wanted)
{
    struct buf b = BUF_INIT(1 << 20);
    bool same = file_slurp(path, &b, NULL) == OK && str_is(buf_view(&b), wanted);
    buf_release(&b);
    return same;
}

TEST(file_replace_leaves_old_or_new_whichever_call_fails)
{
    static const int errors[] = { EIO, ENOSPC, EACCES };
    const char *path = at("whole");

    EXPECT(file_replace(path, STR("old"), NULL) == OK);
    uint64_t before = file_calls();
    EXPECT(file_replace(path, STR("old"), NULL) == OK);
    uint64_t calls = file_calls() - before;
    EXPECT(calls >= 5); /* open, write, sync, close, rename at the least */

    for (size_t k = 0; k < sizeof errors / sizeof *errors; k++) {
        for (uint64_t n = 1; n <= calls; n++) {
            struct err e = ERR_INIT;
            file_fail_at(0, 0);
            EXPECT(file_replace(path, STR("old"), NULL) == OK);
            file_fail_at(n, errors[k]);
            int rc = file_replace(path, STR("brand new content"), &e);
            file_fail_at(0, 0);
            EXPECT(rc == (errors[k] == ENOSPC ? ERR_FULL : ERR_IO));
            EXPECT(strstr(e.text, "/whole") != NULL || strstr(e.text, dir) != NULL);
            EXPECT(holds(path, "old") || holds(path, "brand new content"));
        }
    }
}

TEST(file_interruptions_are_not_seen)
{
    const char *path = at("interrupted");
    struct buf b = BUF_INIT(100);
    for (uint64_t n = 1; n <= 2; n++) { /* open, write: the calls that may be interrupted */
        file_fail_at(n, EINTR);
        EXPECT(file_replace(path, STR("0123456789"), NULL) == OK);
        EXPECT(holds(path, "0123456789"));
        file_fail_at(n, EINTR);
        buf_clear(&b);
        EXPECT(file_slurp(path, &b, NULL) == OK && b.n == 10);
    }
    file_fail_at(0, 0);
    buf_release(&b);
}

TEST(file_reads_and_writes_at_places)
{
    char text[11] = { 0 };
    struct err e = ERR_INIT;
    int fd = file_open(at("places"), O_RDWR | O_CREAT, &e);
    EXPECT(fd >= 0);
    EXPECT(file_write(fd, "01234", 5, &e) == OK && file_write(fd, "56789", 5, &e) == OK);
    EXPECT(file_write_at(fd, "ab", 2, 3, &e) == OK);
    EXPECT(file_read_at(fd, text, 10, 0, &e) == OK);
    EXPECT_STR(text, "012ab56789");
    EXPECT(file_size(fd, &e) == 10);
    EXPECT(file_truncate(fd, 4, &e) == OK && file_size(fd, &e) == 4);
    EXPECT(file_read_at(fd, text, 10, 0, &e) == ERR_CORRUPT && strstr(e.text, "places") != NULL);
    EXPECT(file_allocate(fd, 4096, &e) == OK && file_size(fd, &e) == 4096);
    EXPECT(file_sync(fd, &e) == OK);

    file_fail_at(1, EIO);
    EXPECT(file_sync(fd, &e) == ERR_IO && strstr(e.text, "sync") != NULL);
    file_fail_at(1, ENOSPC);
    EXPECT(file_allocate(fd, 8192, &e) == ERR_FULL);
    file_fail_at(1, EIO);
    EXPECT(file_write_at(fd, "ZZZZ", 4, 0, &e) == ERR_IO);
    EXPECT(file_read_at(fd, text, 4, 0, &e) == OK && memcmp(text, "ZZ2a", 4) == 0); /* torn in the middle */
    EXPECT(file_close(fd, &e) == OK);
}

TEST(file_says_which_and_why)
{
    struct err e = ERR_INIT;
    struct buf b = BUF_INIT(4);
    EXPECT(file_open(at("nothing"), O_RDONLY, &e) == ERR_FIND &&
           strstr(e.text, "nothing: No such file") != NULL);
    EXPECT(file_unlink(at("nothing"), &e) == ERR_FIND && file_rename(at("nothing"), at("x"), &e) == ERR_FIND);
    EXPECT(!file_exists(at("nothing")));
    EXPECT(file_replace(at("five"), STR("12345"), &e) == OK && file_exists(at("five")));
    EXPECT(file_slurp(at("five"), &b, &e) == ERR_LIMIT && strstr(e.text, "4 bytes") != NULL);
    EXPECT(file_link(at("five"), at("six"), &e) == OK && holds(at("six"), "12345"));
    EXPECT(file_unlink(at("five"), &e) == OK && holds(at("six"), "12345"));
    EXPECT(file_free_bytes(dir, &e) > 0 && file_free_bytes(at("nothing"), &e) == ERR_FIND);
    buf_release(&b);
}

TEST(file_mkdirs_makes_all_and_takes_what_is_there)
{
    struct err e = ERR_INIT;
    EXPECT(file_mkdirs(at("a/b/c"), &e) == OK && file_mkdirs(at("a/b/c"), &e) == OK &&
           file_mkdirs(at("a/b/c/"), &e) == OK);
    EXPECT(file_mkdirs("/", &e) == OK);
    EXPECT(file_replace(at("a/file"), STR(""), &e) == OK);
    EXPECT(file_mkdirs(at("a/file/x"), &e) == ERR_IO);
    EXPECT(file_unlink(at("a/file"), &e) == OK);
    EXPECT(rmdir(at("a/b/c")) == 0 && rmdir(at("a/b")) == 0 && rmdir(at("a")) == 0);
}

static int note(const char *name, bool is_dir, void *ctx)
{
    struct buf *b = ctx;
    buf_printf(b, "%s%s ", name, is_dir ? "/" : "");
    return strcmp(name, "n3") == 0 ? 77 : OK;
}

TEST(file_list_is_sorted_and_can_be_stopped)
{
    struct buf b = BUF_INIT(1000);
    EXPECT(file_mkdirs(at("l"), NULL) == OK && file_mkdirs(at("l/n2"), NULL) == OK);
    EXPECT(file_replace(at("l/n1"), STR(""), NULL) == OK && file_replace(at("l/N9"), STR(""), NULL) == OK);
    EXPECT(file_list(at("l"), note, &b, NULL) == OK);
    EXPECT_STR(buf_cstr(&b), "N9 n1 n2/ ");
    EXPECT(file_replace(at("l/n3"), STR(""), NULL) == OK && file_replace(at("l/n4"), STR(""), NULL) == OK);
    buf_clear(&b);
    EXPECT(file_list(at("l"), note, &b, NULL) == 77);
    EXPECT_STR(buf_cstr(&b), "N9 n1 n2/ n3 ");
    EXPECT(file_list(at("nowhere"), note, &b, NULL) == ERR_FIND);
    unlink(at("l/n1")), unlink(at("l/n3")), unlink(at("l/n4")), unlink(at("l/N9")), rmdir(at("l/n2")),
        rmdir(at("l"));
    buf_release(&b);
}

TEST(file_lock_admits_one)
{
    struct err e = ERR_INIT;
    int first = file_lock(at("lock"), &e);
    EXPECT(first >= 0);
    EXPECT(file_lock(at("lock"), &e) == ERR_BUSY &&
           strstr(e.text, "lock") != NULL); /* flock belongs to the open file */
    EXPECT(file_close(first, &e) == OK);
    int second = file_lock(at("lock"), &e);
    EXPECT(second >= 0);
    file_close(second, NULL);
}

#define IN_DIR(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)
TESTS(IN_DIR(file_replace_leaves_old_or_new_whichever_call_fails), IN_DIR(file_interruptions_are_not_seen),
      IN_DIR(file_reads_and_writes_at_places), IN_DIR(file_says_which_and_why),
      IN_DIR(file_mkdirs_makes_all_and_takes_what_is_there), IN_DIR(file_list_is_sorted_and_can_be_stopped),
      IN_DIR(file_lock_admits_one))
