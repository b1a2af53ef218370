/* am_config_fuzz.c - any bytes as an Alertmanager file: an error that names a place, or a configuration that
 * can be walked, shown and freed. */
#include "tell/notify/am_config.h"

#include "base/check.h"
#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_any(struct yaml *map, const struct channel_defaults *d, struct arena *a, void **conf,
                    struct err *e)
{
    struct str url = STR("");
    (void)d;
    *conf = arena_alloc(a, 1);
    return yaml_str(yaml_get(map, "url"), &url, e);
}

static void send_nothing(const void *conf, const struct notification *n, struct channel_result *r)
{
    (void)conf, (void)n;
    r->outcome = CHANNEL_SENT;
}

static const struct channel_kind hook = { "webhook_configs", "webhook", true, read_any, send_nothing };

static const struct channel_kind *find(struct str key)
{
    return str_is(key, "webhook_configs") ? &hook : NULL;
}

static bool foreign(struct str key)
{
    return str_is(key, "pushover_configs");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct label pairs[] = { { STR("alertname"), STR("a") },
                                          { STR("severity"), STR("critical") } };
    const struct am_load load = { "am.yml", "/etc", NULL, NULL, find, foreign };
    const struct am_route *routes[8];
    struct am_config *c;
    struct err e = ERR_INIT;
    log_set_level(LOG_ERROR);
    if (am_config_parse(str_make(data, size), &load, &c, &e) < 0) {
        check(e.text[0] != 0);
        return 0;
    }
    am_route_walk(c, (struct labels){ pairs, 2 }, routes, 8);
    for (size_t i = 0; i < c->n_intervals; i++) time_interval_holds(&c->intervals[i], 1700000000000);
    struct am_config *again; /* what is shown can be read, unless it stands for more nodes than it had */
    if (am_config_parse(c->original, &load, &again, &e) == OK) am_config_unref(again);
    am_config_unref(c);
    return 0;
}
