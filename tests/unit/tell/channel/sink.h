/* sink.h - a receiver for tests: an HTTP server that remembers what it was sent and answers as told, two
 * alerts to send, and a channel made from a line of YAML. Included by one test program each. */
#pragma once
#include "unit/test.h"

#include "base/check.h"
#include "net/http_server.h"
#include "net/outbound.h"
#include "tell/channel/channel_impl.h"

static struct {
    struct http_server *server;
    pthread_mutex_t mu;
    char method[16], path[256], authorization[256], type[128], signature[128];
    char body[1 << 20];
    int requests;
    int status; /* what to answer */
    const char *answer_type, *answer, *retry_after, *location;
} sink = { .mu = PTHREAD_MUTEX_INITIALIZER };

static void sink_text(char *to, size_t room, struct str s)
{
    snprintf(to, room, "%.*s", STR_ARG(s));
}

static void sink_take(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    pthread_mutex_lock(&sink.mu);
    sink.requests++;
    sink_text(sink.method, sizeof sink.method, http_method(x));
    sink_text(sink.path, sizeof sink.path, http_path(x));
    sink_text(sink.authorization, sizeof sink.authorization, http_header(x, "authorization"));
    sink_text(sink.type, sizeof sink.type, http_header(x, "content-type"));
    sink_text(sink.signature, sizeof sink.signature, http_header(x, "x-vedette-signature"));
    sink_text(sink.body, sizeof sink.body, http_body(x));
    if (sink.retry_after) http_answer_header(x, "Retry-After", str_of(sink.retry_after));
    if (sink.location) http_answer_header(x, "Location", str_of(sink.location));
    int status = sink.status;
    const char *type = sink.answer_type, *answer = sink.answer;
    pthread_mutex_unlock(&sink.mu);
    http_answer(x, status, type, str_of(answer));
}

__attribute__((unused)) static void sink_answers(int status, const char *type, const char *answer)
{
    sink.status = status;
    sink.answer_type = type;
    sink.answer = answer;
    sink.retry_after = sink.location = NULL;
}

__attribute__((unused)) static int sink_start(void **state)
{
    static const struct http_route routes[] = { { "*", "/{rest*}", sink_take } };
    struct http_conf c = { .listen = { "127.0.0.1:0" }, .n_listen = 1, .threads = 2 };
    (void)state;
    sink.server = http_server_new();
    http_server_routes(sink.server, routes, 1, NULL);
    return http_server_start(sink.server, &c, NULL);
}

__attribute__((unused)) static int sink_stop(void **state)
{
    (void)state;
    http_server_stop(sink.server, 3000);
    http_server_free(sink.server);
    return 0;
}

__attribute__((unused)) static const char *sink_url(const char *path)
{
    static char url[8][300];
    static size_t turn;
    char *to = url[turn++ % 8];
    snprintf(to, sizeof url[0], "http://127.0.0.1:%u%s", http_server_port(sink.server, 0), path);
    return to;
}

/* ---- alerts: one firing, one resolved ---- */

#define NOW_MS 1790000000000 /* 2026-09-21T14:13:20Z */

static const struct label firing_labels[] = { { STR("alertname"), STR("HighLatency") },
                                              { STR("job"), STR("api") },
                                              { STR("severity"), STR("critical") } };
static const struct label resolved_labels[] = { { STR("alertname"), STR("HighLatency") },
                                                { STR("job"), STR("web") },
                                                { STR("severity"), STR("critical") } };
static const struct label annotations[] = { { STR("summary"), STR("slow <b>&</b> \"loud\"") } };
static const struct label group_labels[] = { { STR("alertname"), STR("HighLatency") } };
static const struct label common_labels[] = { { STR("alertname"), STR("HighLatency") },
                                              { STR("severity"), STR("critical") } };
#define LABELS(of)                                                                                           \
    {                                                                                                        \
        of, sizeof of / sizeof *of                                                                           \
    }

static const struct alert two_alerts[] = {
    { .labels = LABELS(firing_labels),
      .annotations = LABELS(annotations),
      .starts_ms = NOW_MS - 90500,
      .ends_ms = NOW_MS + 60000,
      .generator_url = STR("http://prom/graph?g0.expr=up&x=1") },
    { .labels = LABELS(resolved_labels),
      .annotations = LABELS(annotations),
      .starts_ms = NOW_MS - 600000,
      .ends_ms = NOW_MS - 1000 },
};

__attribute__((unused)) static struct notification both(void)
{
    return (struct notification){ .receiver = STR("team.x"),
                                  .group_key = STR("{}:{alertname=\"HighLatency\"}"),
                                  .group_labels = LABELS(group_labels),
                                  .common_labels = LABELS(common_labels),
                                  .common_annotations = LABELS(annotations),
                                  .alerts = two_alerts,
                                  .n = 2,
                                  .n_firing = 1,
                                  .now_ms = NOW_MS,
                                  .timeout_ms = 5000,
                                  .external_url = STR("http://vedette.example") };
}

/* ---- a channel from YAML ---- */

static struct arena conf_arena = ARENA_INIT(16 << 20);
static struct outbound *everywhere;

static int conf_read(const char *kind, const char *text, const char *global, void **conf, struct err *e)
{
    struct yaml *map, *globals = NULL;
    const struct channel_kind *k = channel_kind(str_of(kind));
    if (everywhere == NULL) EXPECT_INT(outbound_new(true, NULL, 0, &everywhere, NULL), OK);
    EXPECT(k != NULL);
    EXPECT_INT(yaml_parse(str_of(text), "am.yml", &conf_arena, &map, e), OK);
    if (global) EXPECT_INT(yaml_parse(str_of(global), "am.yml", &conf_arena, &globals, e), OK);
    struct channel_defaults d = { .global = globals, .base_dir = STR("/nowhere"), .outbound = everywhere };
    int rc = k->read(map, &d, &conf_arena, conf, e);
    return rc < 0 ? rc : yaml_unknown(map, "am.yml", e);
}

__attribute__((unused)) static void *conf_of(const char *kind, const char *text, const char *global)
{
    void *conf = NULL;
    struct err e = ERR_INIT;
    if (conf_read(kind, text, global, &conf, &e) < 0) fail_msg("%s: %s", text, e.text);
    return conf;
}

__attribute__((unused)) static struct channel_result send_of(const char *kind, const void *conf,
                                                             const struct notification *n)
{
    struct channel_result r;
    channel_kind(str_of(kind))->send(conf, n, &r);
    return r;
}

__attribute__((unused)) static const char *yaml_of(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));
static const char *yaml_of(const char *fmt, ...)
{
    static char text[8192];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return text;
}

/* A file with this text; its name is the caller's until the process ends. */
__attribute__((unused)) static const char *file_with(const char *text)
{
    static char names[8][64];
    static size_t turn;
    char *name = names[turn++ % 8];
    snprintf(name, sizeof names[0], "/tmp/vedette-channel-XXXXXX");
    int fd = mkstemp(name);
    EXPECT(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    return name;
}
