/* push_elastic.h - what shippers of logs want of an Elasticsearch, under /elastic: the bulk API, and enough
 * of the rest that they believe it is one.
 *
 *     POST, PUT /elastic/_bulk, /elastic/{index}/_bulk
 *         200 {"took","errors","items"}: each action with its own status; what is broken as a whole answers
 *         400 in Elasticsearch's form, and nothing is kept
 *     GET /elastic/, _cluster/health, _cat/health, _license, _xpack, _nodes/http
 *     templates, policies, pipelines, data streams, indices: PUT is acknowledged, GET says it is there.
 *         They change nothing: there are no indices here
 *
 * Every answer has X-Elastic-Product, without which newer clients refuse to talk. Documents cannot be
 * searched by this API. */
#pragma once
#include "receive/ingest.h"

struct push_elastic {
    struct ingest in;
};

void push_elastic_init(struct push_elastic *, struct store *, const struct limit *);

extern const struct http_route push_elastic_routes[]; /* ctx: struct push_elastic * */
extern const size_t push_elastic_n_routes;
