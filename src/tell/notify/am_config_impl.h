/* am_config_impl.h - what the readers of an Alertmanager file share. */
#pragma once
#include <stdarg.h>
#include <stdio.h>

#include "base/yaml.h"
#include "tell/notify/am_config.h"

struct am_reader {
    const struct am_load *load;
    struct am_config *conf;
    struct yaml *global;
    struct err *e;
    int rc; /* the first error sticks */
};

void am_fail(struct am_reader *, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void am_took(struct am_reader *, int rc, const char *what);

struct yaml *am_list(struct am_reader *, struct yaml *map, const char *key); /* an empty one when absent */
void am_text(struct am_reader *, struct yaml *map, const char *key, struct str *out);
void am_duration(struct am_reader *, struct yaml *map, const char *key, int64_t *out);
size_t am_texts(struct am_reader *, struct yaml *map, const char *key, struct str **out);
void am_matcher_list(struct am_reader *, struct yaml *map, const char *key, struct am_matchers *);
void am_matcher_map(struct am_reader *, struct yaml *map, const char *key, enum matcher_op,
                    struct am_matchers *);
size_t am_interval_list(struct am_reader *, struct yaml *map, const char *key,
                        const struct time_interval ***out);

void am_routes_read(struct am_reader *, struct yaml *root); /* am_route.c */

bool am_global_is_known(struct str key); /* am_config_print.c */
struct str am_config_print(const struct yaml *,
                           struct arena *); /* without secrets and without our own keys */
