#include "base/log.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "unit/test.h"

static int saved_stderr, captured;

static void capture(void)
{
    char name[] = "/tmp/vedette-log-XXXXXX";
    fflush(stderr);
    captured = mkstemp(name);
    unlink(name);
    saved_stderr = dup(STDERR_FILENO);
    dup2(captured, STDERR_FILENO);
}

static const char *release(void)
{
    static char text[64 << 10];
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    ssize_t n = pread(captured, text, sizeof text - 1, 0);
    close(captured);
    EXPECT(n >= 0);
    text[n] = 0;
    return text;
}

static int lines(const char *text)
{
    int n = 0;
    for (; *text; text++) n += *text == '\n';
    return n;
}

TEST(log_lines_are_json)
{
    log_set_json(1);
    clock_fix_ms(1700000000123);
    capture();
    log_info("store", "part \"written\"", "path", "/a\nb", "rows", log_num(-12), "nothing", NULL, NULL);
    clock_fix_ms(0);
    EXPECT_STR(release(), "{\"time\":\"2023-11-14T22:13:20.123Z\",\"level\":\"info\",\"module\":\"store\","
                          "\"text\":\"part \\\"written\\\"\","
                          "\"path\":\"/a\\nb\",\"rows\":\"-12\",\"nothing\":\"\"}\n");
}

TEST(log_plain_lines_quote_what_could_steer_a_terminal)
{
    log_set_json(0);
    capture();
    log_warn("net", "odd client", "agent", "x\x1b[2J", "id", "a1", NULL);
    const char *text = release();
    EXPECT(strstr(text, "warn  net: odd client  agent=\"x\\u001b[2J\"  id=a1\n") != NULL);
}

TEST(log_level_holds_back_the_lesser)
{
    log_set_json(1);
    capture();
    log_debug("test", "not shown", NULL);
    log_set_level(LOG_ERROR);
    log_warn("test", "not shown", NULL);
    log_error("test", "shown", NULL);
    log_set_level(LOG_INFO);
    EXPECT(lines(release()) == 1);
}

TEST(log_storms_are_counted_not_printed)
{
    log_set_json(1);
    capture();
    int64_t second = clock_mono_ns() / 1000000000;
    for (int i = 0; i < 1000; i++) log_info("test", "storm", NULL);
    log_info("test", "another text gets through", NULL);
    bool same_second = clock_mono_ns() / 1000000000 == second;
    const char *text = release();
    EXPECT(strstr(text, "another text") != NULL);
    EXPECT(lines(text) <= (same_second ? 11 : 31));

    capture();
    usleep(1100000);
    log_info("test", "storm", NULL);
    text = release();
    EXPECT(lines(text) == 1 && strstr(text, "\"suppressed\":\"") != NULL);
}

TEST(log_line_too_long_is_cut_to_valid_json)
{
    char *value = malloc(200000);
    memset(value, 'x', 199999);
    value[199999] = 0;
    log_set_json(1);
    capture();
    log_info("test", "long", "value", value, NULL);
    const char *text = release();
    struct arena a = ARENA_INIT(1 << 20);
    struct json_reader r;
    json_open(&r, str_of(text), &a);
    json_skip(&r);
    EXPECT(json_close(&r, NULL) == OK && strstr(text, "\"text\":\"long\"") != NULL);
    arena_release(&a);
    free(value);
}

TESTS(CASE(log_lines_are_json), CASE(log_plain_lines_quote_what_could_steer_a_terminal),
      CASE(log_level_holds_back_the_lesser), CASE(log_storms_are_counted_not_printed),
      CASE(log_line_too_long_is_cut_to_valid_json))
