/* push_prom.h - the doors for metrics in Prometheus' own forms: remote write 1.0 and 2.0, and text import.
 *
 *     POST /api/v1/write, /api/v1/push   204; 400 with the reason when something was bad (the rest is kept)
 *     POST /api/v1/import/prometheus     204; 400 with a JSON list of bad lines (the good ones are kept)
 *         ?timestamp=MS     for lines without a time; else now
 *         ?extra_label=a=b  repeatable; added to every series, replacing a label of that name
 *
 * 413 too large, 415 unknown type or coding, 429 + Retry-After when the store is behind, 507 + Retry-After
 * when the disk is full. An answer of success means that the rows are on disk. */
#pragma once
#include "net/http_server.h"
#include "receive/ingest.h"

struct push_prom {
    struct ingest write_v1, write_v2, import;
};

void push_prom_init(struct push_prom *, struct store *, const struct limit *);

extern const struct http_route push_prom_routes[]; /* ctx: struct push_prom * */
extern const size_t push_prom_n_routes;
