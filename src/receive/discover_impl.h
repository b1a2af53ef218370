/* discover_impl.h - what the kinds of discovery share. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "receive/discover.h"

#define DISCOVER_MEMORY (64u << 20)

struct discover_found { /* one answer; replaced whole */
    struct arena arena;
    struct discover_group *groups;
    size_t n, cap;
};

struct discover_source {
    const struct discover_conf *conf;
    struct scrape_conf *holder; /* keeps conf alive */
    struct discover_env env;
    atomic_int refs;
    int64_t due_ms;      /* ticking thread; clock_mono_ns in milliseconds */
    uint64_t file_state; /* ticking thread; of the files when last read */
    int64_t read_ms;     /* ticking thread; when */

    pthread_mutex_t mu;
    struct discover_found *found; /* mu; NULL: nothing yet */
    bool known, changed, running; /* mu */
    bool dropped;                 /* mu; nobody is interested any more */
    int64_t refresh_ms;           /* mu; as the server asked, 0 = the configured one */
    bool failing;                 /* mu; the last try failed: said once */
};

struct discover_found *discover_found_new(void);
void discover_found_free(struct discover_found *);
struct discover_group *discover_found_add(struct discover_found *); /* zeroed */
struct discover_source *discover_ref(struct discover_source *);
void discover_unref(struct discover_source *);

/* found is taken over. */
void discover_good(struct discover_source *, struct discover_found *);
void discover_bad(struct discover_source *, const char *what, const char *why);

/* [{"targets": [...], "labels": {...}}], appended to found; every group also gets the label. */
int discover_parse_json(struct str text, const struct label *also, struct discover_found *, struct err *);
int discover_parse_yaml(struct str text, const char *path, const struct label *also, struct discover_found *,
                        struct err *);

int64_t discover_file_tick(struct discover_source *, int64_t now_ms);
void discover_http_ask(struct discover_source *); /* the caller's reference goes with it */
void discover_dns_ask(void *source);              /* blocking; likewise */
