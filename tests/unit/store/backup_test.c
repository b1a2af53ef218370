#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "unit/test.h"

#define T1   1795165200123ll /* 2026-11-20T09:00:00.123Z */
#define HOUR 3600000ll

static char root[64], from[128], target[128], to[128];
static const struct backup_watch quiet = { 0 };

static void shell(const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (system(text) != 0) fail_msg("%s", text);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/vedette-backup-XXXXXX");
    if (mkdtemp(root) == NULL) return -1;
    snprintf(from, sizeof from, "%s/from", root);
    snprintf(target, sizeof target, "%s/deep/target", root);
    snprintf(to, sizeof to, "%s/to", root);
    shell("mkdir -p %s/metrics/day-1 %s/logs", from, from);
    shell("head -c 3000000 /dev/urandom > %s/metrics/day-1/a; printf one > %s/MANIFEST; : > %s/logs/empty",
          from, from, from);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    file_fault_set(NULL);
    shell("rm -rf %s", root);
    return 0;
}

static struct backup_report make(int64_t at_ms)
{
    struct backup_report r;
    struct err e = ERR_INIT;
    if (backup_make(from, target, at_ms, &quiet, &r, &e) < 0) fail_msg("%s", e.text);
    return r;
}

static void restored_is(int64_t at_ms, const char *want)
{
    struct backup_report r;
    struct err e = ERR_INIT;
    if (backup_restore(target, at_ms, to, &quiet, &r, &e) < 0) fail_msg("%s", e.text);
    shell("diff -r %s %s && rm -rf %s", want, to, to);
}

static uint64_t damaged(void)
{
    struct backup_report r;
    struct err e = ERR_INIT;
    int rc = backup_check(target, &quiet, &r, &e);
    EXPECT((rc == OK) == (r.damaged == 0));
    return r.damaged;
}

TEST(a_backup_restores_to_the_same_bytes)
{
    struct backup_report r = make(T1);
    EXPECT_STR(r.name, "20261120T090000-123Z"); /* date -u -d @1795165200 */
    EXPECT_INT(r.files, 3);
    EXPECT_INT(r.bytes, 3000003);
    EXPECT_INT(r.new_bytes, 3000003);
    EXPECT_INT(damaged(), 0);
    restored_is(INT64_MAX, from);
}

TEST(the_next_backup_copies_only_what_is_new)
{
    make(T1);
    shell("printf two > %s/MANIFEST; printf fresh > %s/logs/b", from, from);
    struct backup_report r = make(T1 + HOUR);
    EXPECT_INT(r.files, 4);
    EXPECT_INT(r.new_files, 2);
    EXPECT_INT(r.new_bytes, 8);
}

TEST(each_backup_can_be_restored_by_its_time)
{
    struct backup_report r;
    struct err e = ERR_INIT;
    make(T1);
    shell("cp -a %s %s/was; rm -r %s/metrics; printf two > %s/MANIFEST", from, root, from, from);
    make(T1 + HOUR);
    restored_is(INT64_MAX, from);
    restored_is(T1 + HOUR, from);
    shell("cp -a %s/was %s/want", root, root);
    char want[128];
    snprintf(want, sizeof want, "%s/want", root);
    restored_is(T1 + HOUR - 1, want);
    restored_is(T1, want);
    EXPECT(backup_restore(target, T1 - 1, to, &quiet, &r, &e) == ERR_FIND);
}

TEST(equal_files_are_kept_once)
{
    shell("cp %s/metrics/day-1/a %s/logs/copy", from, from);
    struct backup_report r = make(T1);
    EXPECT_INT(r.files, 4);
    EXPECT_INT(r.new_files, 3);
    restored_is(T1, from);
}

TEST(a_file_that_changed_under_its_name_and_length_is_copied_again)
{
    make(T1);
    shell("printf owt > %s/MANIFEST", from);
    EXPECT_INT(make(T1 + 1).new_files, 1);
    restored_is(T1 + 1, from);
}

TEST(damage_is_found_and_not_restored)
{
    struct backup_report r;
    struct err e = ERR_INIT;
    make(T1);
    shell("f=$(find %s/objects -size +1M); printf X | dd of=$f bs=1 seek=1234567 conv=notrunc 2>/dev/null",
          target);
    EXPECT_INT(damaged(), 1);
    EXPECT(backup_restore(target, INT64_MAX, to, &quiet, &r, &e) == ERR_CORRUPT);
    EXPECT(!file_exists(to)); /* only as .partial */
    EXPECT(strstr(e.text, "metrics/day-1/a") != NULL);
}

TEST(an_object_that_is_gone_or_short_is_copied_again)
{
    make(T1);
    shell("f=$(find %s/objects -size +1M); truncate -s 5 $f", target);
    EXPECT_INT(damaged(), 1);
    EXPECT_INT(make(T1 + 1).new_files, 1);
    EXPECT_INT(damaged(), 0);
}

TEST(a_damaged_list_is_told_and_not_trusted)
{
    struct backup_report r;
    struct err e = ERR_INIT;
    make(T1);
    shell("sed -i s,logs/empty,logs/../../x, %s/backups/*", target);
    EXPECT_INT(damaged(), 1);
    EXPECT(backup_restore(target, INT64_MAX, to, &quiet, &r, &e) == ERR_CORRUPT);
    EXPECT(backup_prune(target, 1, &r, &e) == ERR_CORRUPT); /* who knows what it needs */
}

TEST(pruning_keeps_what_the_newest_need)
{
    struct backup_report r;
    struct err e = ERR_INIT;
    make(T1);
    shell("printf second > %s/MANIFEST", from);
    make(T1 + 1);
    shell("rm -r %s/metrics", from);
    make(T1 + 2);
    EXPECT(backup_prune(target, 2, &r, &e) == OK);
    EXPECT_INT(r.files, 1);
    EXPECT_INT(r.bytes, 3); /* "one" */
    EXPECT_INT(damaged(), 0);
    EXPECT(backup_prune(target, 1, &r, &e) == OK);
    EXPECT_INT(r.bytes, 3000000);
    restored_is(INT64_MAX, from);
}

static void count_backup(void *ctx, const struct backup_info *b)
{
    (void)b;
    ++*(size_t *)ctx;
}

/* Each call to the disk fails once: the earlier backup stays whole, and the next one works. */
TEST(whatever_call_fails_earlier_backups_stay_whole)
{
    struct backup_report r;
    struct err e = ERR_INIT;
    size_t n_failed = 0, n;
    shell("cp -a %s %s/was", from, root);
    make(T1);
    char was[128];
    snprintf(was, sizeof was, "%s/was", root);
    for (uint64_t at = 1; at < 400; at++) {
        shell("printf %llu > %s/MANIFEST", (unsigned long long)at, from);
        file_fault_set(&(struct file_fault){ .n = at, .op = FILE_ANY, .with_errno = ENOSPC });
        int rc = backup_make(from, target, T1 + (int64_t)at * 1000, &quiet, &r, &e);
        file_fault_set(NULL);
        if (rc < 0) n_failed++;
        n = 0;
        EXPECT(backup_each(target, count_backup, &n, &e) == OK);
        if (rc == OK && at > 60) break;
        EXPECT_INT(damaged(), 0);
    }
    EXPECT(n_failed > 20);
    restored_is(T1, was);
    make(T1 + HOUR);
    restored_is(INT64_MAX, from);
}

#define IN_DIR(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
TESTS(IN_DIR(a_backup_restores_to_the_same_bytes), IN_DIR(the_next_backup_copies_only_what_is_new),
      IN_DIR(each_backup_can_be_restored_by_its_time), IN_DIR(equal_files_are_kept_once),
      IN_DIR(a_file_that_changed_under_its_name_and_length_is_copied_again),
      IN_DIR(damage_is_found_and_not_restored), IN_DIR(an_object_that_is_gone_or_short_is_copied_again),
      IN_DIR(a_damaged_list_is_told_and_not_trusted), IN_DIR(pruning_keeps_what_the_newest_need),
      IN_DIR(whatever_call_fails_earlier_backups_stay_whole))
