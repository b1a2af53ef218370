/* params.h - the parameters of the Prometheus API as its clients write them. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "model/matcher.h"
#include "net/http_server.h"

/* Times beyond these (some 2.3 million years) are taken as these, so that sums of times cannot overflow. */
#define API_TIME_MAX ((int64_t)1 << 56)
#define API_TIME_MIN (-API_TIME_MAX)

/* Text to value; false when it is none. */
bool param_time(struct str s, int64_t *ms);     /* seconds as a float, or RFC 3339 */
bool param_duration(struct str s, int64_t *ms); /* seconds as a float, or 5m */
struct str param_label_name(struct str escaped,
                            struct arena *); /* U__ escapes decoded; anything else as it is */

/* A parameter of a request, or its default when absent. On error `e` holds what the client is told,
 * ERR_PARSE. */
int take_time(struct http_exchange *, const char *name, int64_t fallback, int64_t *ms, struct err *);
int take_needed_time(struct http_exchange *, const char *name, int64_t *ms, struct err *);
int take_duration(struct http_exchange *, const char *name, int64_t fallback, int64_t *ms, struct err *);
int take_limit(struct http_exchange *, const char *name, size_t *limit, struct err *); /* 0 = none */

/* The sets of match[]: each must refuse at least one series. They live in the arena given, which must not be
 * the exchange's if they are released after the answer. */
struct match_sets {
    struct match_set {
        struct matcher *at;
        size_t n;
    } * at;
    size_t n;
};
int take_matches(struct http_exchange *, const char *name, struct arena *, struct match_sets *, struct err *);
void match_sets_release(struct match_sets *);
