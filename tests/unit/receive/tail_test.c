/* Files as programs write and rotate them, followed by a tailer whose store is a shelf. */
#include "receive/tail.h"

#include <sys/stat.h>

#include "unit/receive/shelf.h"

static struct shelf shelf;
static struct tail *tail;
static struct arena arena = ARENA_INIT(1 << 24);
static char dir[64], conf_text[1024];

static void start(void)
{
    struct limit limit = LIMIT_DEFAULT;
    struct tail_conf *conf;
    struct yaml *root;
    struct err e = ERR_INIT;
    EXPECT(yaml_parse(str_of(conf_text), "test.yml", &arena, &root, &e) == OK);
    if (tail_conf_new(root, &conf, &e) < 0) fail_msg("%s", e.text);
    tail = tail_new(conf, dir, &shelf.store, &limit);
    EXPECT(tail_start(tail, &e) == OK);
}

static void stop(void)
{
    tail_stop(tail);
    tail_free(tail);
    tail = NULL;
}

static void follow(const char *options)
{
    snprintf(conf_text, sizeof conf_text, "- { name: t, paths: ['%s/*.log*'], %s }", dir, options);
    start();
}

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void append(const char *name, const char *text)
{
    FILE *f = fopen(path_of(name), "ab");
    EXPECT(f != NULL && fputs(text, f) >= 0);
    fclose(f);
}

static int begin(void **state)
{
    (void)state;
    shelf_init(&shelf);
    strcpy(dir, "/tmp/tail-XXXXXX");
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    char command[128];
    if (tail != NULL) stop();
    shelf_release(&shelf);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static size_t count(const char *piece)
{
    size_t n = 0;
    pthread_mutex_lock(&shelf.mu);
    for (const char *at = buf_cstr(&shelf.text); (at = strstr(at, piece)) != NULL; at++) n++;
    pthread_mutex_unlock(&shelf.mu);
    return n;
}

TEST(lines_of_text_and_json_become_records)
{
    append("shop.log", "2023-11-14T22:13:20Z ERROR no such item\n"
                       "{\"time\":\"2023-11-14T22:13:21Z\",\"level\":\"warn\",\"msg\":\"slow\",\"ms\":12}\n"
                       "{broken json\n\n");
    follow("from: beginning, resource: { env: prod }");
    EXPECT(shelf_waits_for(&shelf, 3));
    shelf_expect(&shelf, "log 1700000000000000000 sev=17 \"2023-11-14T22:13:20Z ERROR no such item\"");
    shelf_expect(&shelf, "log 1700000001000000000 sev=13 sevtext=warn \"slow\" attrs{ms=12i,");
    shelf_expect(&shelf, "\"{broken json\"");
    shelf_expect(&shelf, "resource{env=\"prod\",service.name=\"shop\"}");
    EXPECT_INT(shelf.logs, 3);
}

TEST(lines_that_come_later_are_seen)
{
    append("a.log", "old\n");
    follow("from: end");
    usleep(400000);
    append("a.log", "new\n");
    EXPECT(shelf_waits_for(&shelf, 1));
    append("b.log", "another file\n");
    EXPECT(shelf_waits_for(&shelf, 2));
    EXPECT_INT(count("\"old\""), 0);
    EXPECT_INT(count("\"new\""), 1);
}

TEST(a_line_is_taken_when_it_has_ended)
{
    follow("from: beginning");
    append("a.log", "half");
    usleep(600000);
    EXPECT_INT(shelf.logs, 0);
    append("a.log", " and half\n");
    EXPECT(shelf_waits_for(&shelf, 1));
    shelf_expect(&shelf, "\"half and half\"");
}

TEST(renamed_files_are_read_to_their_end_once)
{
    follow("from: beginning");
    append("a.log", "one\n");
    EXPECT(shelf_waits_for(&shelf, 1));
    append("a.log", "two\n");
    char to[128];
    strcpy(to, path_of("a.log.1"));
    EXPECT(rename(path_of("a.log"), to) == 0);
    append("a.log", "three\n");
    append("a.log.1", "late\n");
    EXPECT(shelf_waits_for(&shelf, 4));
    usleep(1500000); /* the names are looked at again */
    EXPECT_INT(shelf.logs, 4);
}

TEST(truncated_files_begin_anew)
{
    follow("from: beginning");
    append("a.log", "first one\nfirst two\n");
    EXPECT(shelf_waits_for(&shelf, 2));
    EXPECT(truncate(path_of("a.log"), 0) == 0);
    append("a.log", "second\n");
    EXPECT(shelf_waits_for(&shelf, 3));
    /* longer than what was read before: known by its beginning */
    EXPECT(truncate(path_of("a.log"), 0) == 0);
    append("a.log", "third, and a good deal longer than all that was in the file before\n");
    EXPECT(shelf_waits_for(&shelf, 4));
    EXPECT_INT(count("\"second\""), 1);
}

TEST(a_restart_goes_on_where_it_was)
{
    append("a.log", "one\n");
    follow("from: end");
    usleep(300000);
    append("a.log", "two\n");
    EXPECT(shelf_waits_for(&shelf, 1));
    usleep(300000);
    stop();
    append("a.log", "three\n");
    append("new.log", "of the time between\n");
    start();
    EXPECT(shelf_waits_for(&shelf, 3));
    EXPECT_INT(count("\"two\""), 1);
    EXPECT_INT(count("\"one\""), 0);
}

/* What was not durable is read again; what was is not. */
TEST(what_the_store_refuses_is_asked_again)
{
    shelf_refuse(&shelf, ERR_FULL, 0);
    append("a.log", "patience\n");
    follow("from: beginning");
    usleep(700000);
    EXPECT_INT(shelf.logs, 0);
    EXPECT(access(path_of("tail.json"), F_OK) != 0);
    shelf_refuse(&shelf, OK, 0);
    EXPECT(shelf_waits_for(&shelf, 1));
    usleep(500000);
    EXPECT_INT(shelf.logs, 1);
    EXPECT(access(path_of("tail.json"), F_OK) == 0);
}

TEST(lines_are_joined_by_what_begins_a_record)
{
    append("a.log", "2023-11-14T22:13:20Z one\n  at x\n  at y\n2023-11-14T22:13:21Z two\n");
    follow("from: beginning, multiline_start: '^[0-9]{4}-'");
    EXPECT(shelf_waits_for(&shelf, 2));
    shelf_expect(&shelf, "\"2023-11-14T22:13:20Z one\n  at x\n  at y\"");
    shelf_expect(&shelf, "\"2023-11-14T22:13:21Z two\"");
}

TEST(a_line_without_end_is_cut)
{
    char *much = malloc((3 << 20) + 2);
    memset(much, 'x', 3 << 20);
    strcpy(much + (3 << 20), "\n");
    append("a.log", "before\n");
    append("a.log", much);
    append("a.log", "after\n");
    free(much);
    follow("from: beginning");
    EXPECT(shelf_waits_for(&shelf, 3));
    shelf_expect(&shelf, "vedette.line_cut=true");
    EXPECT_INT(count("\"after\""), 1);
    EXPECT_INT(shelf.logs, 3);
}

TEST(mistakes_name_their_line)
{
    static const char *const bad[] = { "- {}",
                                       "- { paths: 7 }",
                                       "- { paths: [a], format: xml }",
                                       "- { paths: [a], from: middle }",
                                       "- { paths: [a], multiline_start: '(' }",
                                       "{ a: b }" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct tail_conf *conf;
        struct yaml *root;
        struct err e = ERR_INIT;
        EXPECT(yaml_parse(str_of(bad[i]), "test.yml", &arena, &root, &e) == OK);
        EXPECT(tail_conf_new(root, &conf, &e) < 0 && conf == NULL);
        EXPECT(strstr(e.text, "line 1") != NULL);
    }
}

#define EACH(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(lines_of_text_and_json_become_records),
        EACH(lines_that_come_later_are_seen),
        EACH(a_line_is_taken_when_it_has_ended),
        EACH(renamed_files_are_read_to_their_end_once),
        EACH(truncated_files_begin_anew),
        EACH(a_restart_goes_on_where_it_was),
        EACH(what_the_store_refuses_is_asked_again),
        EACH(lines_are_joined_by_what_begins_a_record),
        EACH(a_line_without_end_is_cut),
        cmocka_unit_test(mistakes_name_their_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
