/* silences_test.c - silences made, changed, replaced, expired, and found again. */
#include "unit/test.h"

#include <unistd.h>

#include "tell/notify/silence_json.h"

#define T0   1700000000000ll
#define HOUR 3600000ll

static struct arena arena;

static struct silence parsed(const char *json)
{
    struct silence s;
    struct err e = ERR_INIT;
    if (silence_json_read(str_of(json), &arena, &s, &e) < 0) fail_msg("%s", e.text);
    return s;
}

static struct silence about(const char *value, int64_t from, int64_t to)
{
    struct silence s = { .starts_ms = from, .ends_ms = to, .created_by = STR("ann"), .comment = STR("why") };
    EXPECT(am_matchers_add(&s.matchers, MATCH_EQ, STR("job"), str_of(value), &arena, NULL) == OK);
    return s;
}

static bool mute(struct silences *l, const char *job, int64_t now)
{
    struct label p = { STR("job"), str_of(job) };
    return silences_mute(l, (struct labels){ &p, 1 }, now);
}

static int count(const struct silence *s, void *ctx)
{
    (void)s;
    ++*(int *)ctx;
    return 0;
}

static int how_many(struct silences *l)
{
    int n = 0;
    silences_each(l, count, &n);
    return n;
}

TEST(a_silence_holds_from_its_start_to_its_end)
{
    struct silences *l;
    char id[SILENCE_ID_MAX];
    arena = (struct arena)ARENA_INIT(1u << 20);
    EXPECT(silences_open(NULL, &l, NULL) == OK);
    struct silence s = about("a", T0 + HOUR, T0 + 2 * HOUR);
    EXPECT(silences_set(l, &s, T0, id, NULL) == OK);
    EXPECT_INT(strlen(id), 36);
    EXPECT(!mute(l, "a", T0) && mute(l, "a", T0 + HOUR) && !mute(l, "b", T0 + HOUR) &&
           !mute(l, "a", T0 + 2 * HOUR));
    silences_gc(l, T0 + 2 * HOUR + SILENCE_KEPT_MS - 1);
    EXPECT_INT(how_many(l), 1);
    silences_gc(l, T0 + 2 * HOUR + SILENCE_KEPT_MS);
    EXPECT_INT(how_many(l), 0);
    silences_close(l);
    arena_release(&arena);
}

TEST(a_later_end_keeps_the_id_and_other_matchers_make_a_new_silence)
{
    struct silences *l;
    char id[SILENCE_ID_MAX], id2[SILENCE_ID_MAX];
    struct err e = ERR_INIT;
    arena = (struct arena)ARENA_INIT(1u << 20);
    EXPECT(silences_open(NULL, &l, NULL) == OK);
    struct silence s = about("a", T0 - HOUR, T0 + HOUR);
    EXPECT(silences_set(l, &s, T0, id, NULL) == OK);
    s.starts_ms = T0; /* a start in the past became now */
    s.ends_ms = T0 + 3 * HOUR;
    memcpy(s.id, id, sizeof id);
    EXPECT(silences_set(l, &s, T0 + 1000, id2, NULL) == OK);
    EXPECT_STR(id, id2);
    struct silence other = about("b", T0, T0 + HOUR);
    memcpy(other.id, id, sizeof id);
    EXPECT(silences_set(l, &other, T0 + 2000, id2, NULL) == OK);
    EXPECT(strcmp(id, id2) != 0);
    EXPECT(!mute(l, "a", T0 + 2000) && mute(l, "b", T0 + 2000)); /* the old one has expired */
    EXPECT(silences_expire(l, str_of(id), T0 + 3000, &e) == ERR_RANGE);
    EXPECT(silences_expire(l, str_of(id2), T0 + 3000, &e) == OK);
    EXPECT(silences_expire(l, STR("none"), T0, &e) == ERR_FIND);
    memcpy(other.id, "none", 5);
    EXPECT(silences_set(l, &other, T0, id2, &e) == ERR_FIND);
    silences_close(l);
    arena_release(&arena);
}

TEST(a_silence_about_everything_is_refused)
{
    struct silences *l;
    char id[SILENCE_ID_MAX];
    struct err e = ERR_INIT;
    arena = (struct arena)ARENA_INIT(1u << 20);
    EXPECT(silences_open(NULL, &l, NULL) == OK);
    struct silence none = { .starts_ms = T0, .ends_ms = T0 + 1 };
    EXPECT(silences_set(l, &none, T0, id, &e) == ERR_RANGE);
    struct silence all = none;
    EXPECT(am_matchers_parse(STR("a=~\".*\""), &arena, &all.matchers, NULL) == OK);
    EXPECT(silences_set(l, &all, T0, id, &e) == ERR_RANGE);
    EXPECT(strstr(e.text, "must not match the empty string") != NULL);
    am_matchers_release(&all.matchers);
    silences_close(l);
    arena_release(&arena);
}

TEST(silences_are_there_after_a_restart)
{
    char dir[] = "/tmp/vedette-sil-XXXXXX", path[64], id[SILENCE_ID_MAX];
    struct state *st;
    struct silences *l;
    arena = (struct arena)ARENA_INIT(1u << 20);
    EXPECT(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/s.db", dir);
    EXPECT(state_open(path, &st, NULL) == OK);
    EXPECT(silences_open(st, &l, NULL) == OK);
    struct silence s = parsed("{\"matchers\":[{\"name\":\"job\",\"value\":\"a|b\",\"isRegex\":true}],"
                              "\"startsAt\":\"2023-11-14T22:13:20Z\",\"endsAt\":\"2023-11-14T23:13:20.5Z\","
                              "\"createdBy\":\"\\u00e4\",\"comment\":\"c\",\"annotations\":{\"k\":\"v\"}}");
    EXPECT_INT(s.ends_ms, T0 + HOUR + 500);
    EXPECT(silences_set(l, &s, T0, id, NULL) == OK);
    silences_close(l);
    EXPECT(silences_open(st, &l, NULL) == OK);
    EXPECT(mute(l, "b", T0 + HOUR) && !mute(l, "c", T0 + HOUR));
    EXPECT_INT(how_many(l), 1);
    am_matchers_release(&s.matchers);
    silences_close(l);
    state_close(st);
    unlink(path);
    rmdir(dir);
    arena_release(&arena);
}

TESTS(CASE(a_silence_holds_from_its_start_to_its_end),
      CASE(a_later_end_keeps_the_id_and_other_matchers_make_a_new_silence),
      CASE(a_silence_about_everything_is_refused), CASE(silences_are_there_after_a_restart))
