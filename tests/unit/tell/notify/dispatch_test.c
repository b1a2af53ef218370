/* dispatch_test.c - hours of routing and grouping in milliseconds: who is told what, and when. */
#include "unit/test.h"

#include "tell/notify/dispatch.h"
#include "unit/tell/notify/toy_channel.h"

#define S  1000ll
#define M  (60 * S)
#define H  (60 * M)
#define T0 (1700000000 * S)

struct bench {
    struct dispatch d;
    struct nflog *log;
    struct silences *silences;
    struct track *track;
    int64_t now;
};

static struct am_config *config(const char *text)
{
    struct am_config *c = NULL;
    struct err e = ERR_INIT;
    if (toy_config(text, &c, &e) < 0) fail_msg("%s", e.text);
    return c;
}

static void begin(struct bench *b, const char *text)
{
    struct am_config *c = config(text);
    n_told = 0;
    toy_outcome = CHANNEL_SENT;
    b->now = T0;
    EXPECT(nflog_open(NULL, &b->log, NULL) == OK);
    EXPECT(silences_open(NULL, &b->silences, NULL) == OK);
    EXPECT(track_open(NULL, &b->track, NULL) == OK);
    dispatch_init(&b->d, c, b->log, b->silences, b->track);
    am_config_unref(c);
}

static void end(struct bench *b)
{
    dispatch_release(&b->d);
    nflog_close(b->log);
    silences_close(b->silences);
    track_close(b->track);
}

/* Run the clock until `until`, sending what is due. */
static void run(struct bench *b, int64_t until)
{
    for (;;) {
        int64_t next = dispatch_run(&b->d, b->now);
        for (struct delivery *m; (m = dispatch_take(&b->d)) != NULL;) {
            struct channel_result r;
            delivery_send(m, NULL, STR("http://us"), b->now, &r);
            if (r.outcome == CHANNEL_SENT) dispatch_log(&b->d, m, b->now);
            dispatch_done(&b->d, m, &r, b->now);
        }
        if (next > until) break;
        b->now = next > b->now ? next : b->now + 1;
    }
    b->now = until;
}

/* labels: "alertname=a,job=b" in order of names. ends_ms as in struct alert. */
static void put(struct bench *b, const char *labels, int64_t starts, int64_t ends)
{
    struct label at[8];
    size_t n = 0;
    struct str rest = str_of(labels);
    while (rest.n > 0) {
        struct str value, pair = str_cut(rest, ',', &rest);
        at[n].name = str_cut(pair, '=', &value);
        at[n++].value = value;
    }
    EXPECT(labels_normalise(at, &n, NULL) == OK);
    struct alert a = { .labels = { at, n }, .starts_ms = starts, .ends_ms = ends, .updated_ms = b->now };
    dispatch_put(&b->d, &a, 1, b->now);
}

static void fires(struct bench *b, const char *labels)
{
    put(b, labels, b->now, b->now + 100 * H);
}

static void resolves(struct bench *b, const char *labels)
{
    put(b, labels, T0, b->now);
}

#define PLAIN                                                                                                \
    "route: {receiver: hook, group_by: [alertname], group_wait: 30s, group_interval: 5m, repeat_interval: "  \
    "4h}\nreceivers:\n- name: hook\n  webhook_configs: [{url: 'http://x'}]\n"

TEST(a_group_waits_then_tells_once_and_repeats_after_hours)
{
    struct bench b;
    begin(&b, PLAIN);
    fires(&b, "alertname=a,job=x");
    run(&b, T0 + 10 * S);
    fires(&b, "alertname=a,job=y");
    run(&b, T0 + 29 * S);
    EXPECT_INT(n_told, 0);
    run(&b, T0 + 31 * S);
    EXPECT_INT(n_told, 1); /* both in one message */
    EXPECT_STR(told[0].alerts, "+a +a");
    EXPECT_STR(told[0].key, "{}:{alertname=\"a\"}");
    EXPECT_STR(told[0].reason, "first");
    run(&b, T0 + 4 * H);
    EXPECT_INT(n_told, 1);
    run(&b, T0 + 4 * H + 6 * M); /* the first flush after four hours */
    EXPECT_INT(n_told, 2);
    EXPECT_STR(told[1].reason, "repeat");
    end(&b);
}

TEST(what_is_new_waits_for_the_interval_and_the_end_is_told)
{
    struct bench b;
    begin(&b, PLAIN);
    fires(&b, "alertname=a,job=x");
    run(&b, T0 + 31 * S);
    fires(&b, "alertname=a,job=y");
    run(&b, T0 + 5 * M + 29 * S);
    EXPECT_INT(n_told, 1);
    run(&b, T0 + 5 * M + 31 * S);
    EXPECT_INT(n_told, 2);
    EXPECT_STR(told[1].reason, "new alerts");
    resolves(&b, "alertname=a,job=x");
    run(&b, T0 + 11 * M);
    EXPECT_STR(told[2].alerts, "+a -a");
    EXPECT_STR(told[2].reason, "resolved");
    resolves(&b, "alertname=a,job=y");
    run(&b, T0 + 20 * M);
    EXPECT_INT(n_told, 4); /* the one told before has left the group */
    EXPECT_STR(told[3].alerts, "-a");
    EXPECT_INT(b.d.groups.n, 0);
    end(&b);
}

TEST(an_alert_without_an_end_resolves_when_nobody_renews_it)
{
    struct bench b;
    begin(&b, PLAIN);
    put(&b, "alertname=a", T0, 0);
    run(&b, T0 + 4 * M);
    put(&b, "alertname=a", T0, 0); /* renewed: until T0 + 9 min */
    run(&b, T0 + 9 * M);
    EXPECT_INT(n_told, 1);
    run(&b, T0 + 11 * M);
    EXPECT_INT(n_told, 2);
    EXPECT_STR(told[1].alerts, "-a");
    end(&b);
}

TEST(routes_choose_the_first_child_and_go_on_when_told_to)
{
    struct bench b;
    begin(
        &b,
        "route:\n  receiver: all\n  group_wait: 1s\n  routes:\n"
        "  - {matchers: ['team=\"db\"'], receiver: db, continue: true}\n"
        "  - {matchers: ['severity=~\"crit.*\"', team!=web], receiver: pager}\n"
        "  - {match: {team: db}, receiver: never}\n"
        "receivers:\n- {name: all, webhook_configs: [{url: x}]}\n- {name: db, webhook_configs: [{url: x}]}\n"
        "- {name: pager, webhook_configs: [{url: x}]}\n- {name: never, webhook_configs: [{url: x}]}\n");
    fires(&b, "alertname=a,severity=critical,team=db");
    fires(&b, "alertname=b,severity=critical,team=web");
    run(&b, T0 + 2 * S);
    EXPECT_INT(n_told, 3);
    bool all = false, db = false, pager = false;
    for (size_t i = 0; i < n_told; i++) {
        if (strcmp(told[i].receiver, "all") == 0) all = strcmp(told[i].alerts, "+b") == 0;
        if (strcmp(told[i].receiver, "db") == 0) db = strcmp(told[i].key, "{}/{team=\"db\"}:{}") == 0;
        if (strcmp(told[i].receiver, "pager") == 0)
            pager = strcmp(told[i].key, "{}/{severity=~\"crit.*\",team!=\"web\"}:{}") == 0;
    }
    EXPECT(all && db && pager);
    end(&b);
}

TEST(an_inhibited_or_silenced_alert_is_not_told_until_that_ends)
{
    struct bench b;
    struct am_matchers m = { 0 };
    struct arena a = ARENA_INIT(1u << 20);
    char id[SILENCE_ID_MAX];
    begin(&b, PLAIN
          "inhibit_rules:\n- {source_matchers: [severity=critical], target_matchers: [severity=warning], "
          "equal: [host]}\n");
    fires(&b, "alertname=a,host=h1,severity=warning");
    fires(&b, "alertname=b,host=h2,severity=warning");
    fires(&b, "alertname=c,host=h1,severity=critical");
    EXPECT(am_matchers_parse(STR("alertname=\"b\""), &a, &m, NULL) == OK);
    struct silence s = { .matchers = m, .starts_ms = T0, .ends_ms = T0 + 8 * M, .comment = STR("x") };
    EXPECT(silences_set(b.silences, &s, T0, id, NULL) == OK);
    run(&b, T0 + 7 * M);
    EXPECT_INT(n_told, 1);
    EXPECT_STR(told[0].alerts, "+c");
    resolves(&b, "alertname=c,host=h1,severity=critical");
    run(&b, T0 + 16 * M);
    EXPECT_INT(n_told, 4); /* c is over, a is free, the silence about b has ended */
    am_matchers_release(&m);
    arena_release(&a);
    end(&b);
}

TEST(a_failing_receiver_is_tried_again_until_the_next_flush)
{
    struct bench b;
    begin(&b, PLAIN);
    toy_outcome = CHANNEL_RETRY;
    fires(&b, "alertname=a");
    run(&b, T0 + 2 * M);
    EXPECT(n_told > 2 && n_told < 20);
    toy_outcome = CHANNEL_SENT;
    run(&b, T0 + 5 * M);
    size_t n = n_told;
    run(&b, T0 + H);
    EXPECT_INT(n_told, n); /* told once, and that is logged */
    EXPECT_STR(told[n - 1].reason, "first");
    end(&b);
}

TEST(an_end_that_nobody_took_is_told_at_the_next_flush)
{
    struct bench b;
    begin(&b, PLAIN);
    fires(&b, "alertname=a");
    run(&b, T0 + M);
    toy_outcome = CHANNEL_FAILED;
    resolves(&b, "alertname=a");
    run(&b, T0 + 6 * M);
    EXPECT_INT(n_told, 2);
    toy_outcome = CHANNEL_SENT;
    run(&b, T0 + 11 * M);
    EXPECT_INT(n_told, 3);
    EXPECT_STR(told[2].alerts, "-a");
    end(&b);
}

TEST(a_reload_keeps_clocks_and_what_was_told)
{
    struct bench b;
    begin(&b, PLAIN);
    fires(&b, "alertname=a");
    run(&b, T0 + 31 * S);
    struct am_config *c = config(PLAIN "inhibit_rules: []\n");
    dispatch_reload(&b.d, c, b.now);
    am_config_unref(c);
    fires(&b, "alertname=a,job=y");
    run(&b, T0 + 5 * M + 29 * S);
    EXPECT_INT(n_told, 1);
    run(&b, T0 + 5 * M + 31 * S); /* the old clock goes on */
    EXPECT_INT(n_told, 2);
    end(&b);
}

TEST(a_reload_with_a_delivery_under_way_ends_well)
{
    struct bench b;
    struct channel_result sent = { .outcome = CHANNEL_SENT };
    begin(&b, PLAIN);
    fires(&b, "alertname=a");
    b.now = T0 + 31 * S;
    dispatch_run(&b.d, b.now);
    struct delivery *m = dispatch_take(&b.d);
    EXPECT(m != NULL);
    struct am_config *c = config(PLAIN);
    dispatch_reload(&b.d, c, b.now);
    am_config_unref(c);
    dispatch_log(&b.d, m, b.now);
    dispatch_done(&b.d, m, &sent, b.now);
    resolves(&b, "alertname=a");
    run(&b, T0 + 6 * M);
    EXPECT_INT(n_told, 1);
    EXPECT_STR(told[0].alerts, "-a");
    end(&b);
}

TEST(escalation_stops_at_an_acknowledgement_and_tells_the_end)
{
    struct bench b;
    begin(&b,
          "route: {receiver: team, group_by: [alertname], group_wait: 1s, group_interval: 1m, escalations: "
          "[{delay: "
          "10m, receiver: boss}]}\nreceivers:\n- {name: team, webhook_configs: [{url: x}]}\n- {name: boss, "
          "webhook_configs: [{url: x}]}\n");
    fires(&b, "alertname=a");
    fires(&b, "alertname=b");
    run(&b, T0 + 5 * M);
    EXPECT_INT(n_told, 2);
    struct label ab[] = { { STR("alertname"), STR("b") } };
    struct labels lb = { ab, 1 };
    EXPECT(track_acknowledge(b.track, alert_fingerprint(lb), lb, STR("ann"), STR(""), b.now, NULL) == OK);
    run(&b, T0 + 30 * M);
    EXPECT_INT(n_told, 3);
    EXPECT_STR(told[2].receiver, "boss");
    EXPECT_STR(told[2].alerts, "+a");
    EXPECT_STR(told[2].reason, "escalation");
    EXPECT_INT(told[2].now_ms, T0 + 10 * M);
    resolves(&b, "alertname=a");
    run(&b, T0 + 40 * M);
    EXPECT_INT(n_told, 5); /* team and boss */
    end(&b);
}

TEST(a_flapping_alert_is_left_alone_until_it_is_quiet)
{
    struct bench b;
    begin(&b, PLAIN "flap_damping: {changes: 4, window: 30m}\n");
    for (int i = 0; i < 6; i++) {
        put(&b, "alertname=a", b.now, b.now + H);
        run(&b, b.now + M);
        put(&b, "alertname=a", b.now - M, b.now);
        run(&b, b.now + M);
    }
    size_t n = n_told;
    EXPECT(n <= 2);
    put(&b, "alertname=a", b.now, b.now + 10 * H);
    run(&b, b.now + 20 * M);
    EXPECT_INT(n_told, n);
    run(&b, b.now + 30 * M); /* quiet for so long: told that it fires, if that is news */
    EXPECT(n_told <= n + 1);
    end(&b);
}

TESTS(CASE(a_group_waits_then_tells_once_and_repeats_after_hours),
      CASE(what_is_new_waits_for_the_interval_and_the_end_is_told),
      CASE(an_alert_without_an_end_resolves_when_nobody_renews_it),
      CASE(routes_choose_the_first_child_and_go_on_when_told_to),
      CASE(an_inhibited_or_silenced_alert_is_not_told_until_that_ends),
      CASE(a_failing_receiver_is_tried_again_until_the_next_flush),
      CASE(an_end_that_nobody_took_is_told_at_the_next_flush), CASE(a_reload_keeps_clocks_and_what_was_told),
      CASE(a_reload_with_a_delivery_under_way_ends_well),
      CASE(escalation_stops_at_an_acknowledgement_and_tells_the_end),
      CASE(a_flapping_alert_is_left_alone_until_it_is_quiet))
