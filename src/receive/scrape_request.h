/* scrape_request.h - a GET with the credentials, TLS and headers that a configuration asks for. */
#pragma once
#include "receive/scrape_config.h"

/* Fills everything but timeout and ceiling. Files with secrets are read now, so that changed ones are taken
 * up. Headers: `extra` first. Texts live in the arena. ERR_IO, ERR_FIND: a file that cannot be read. */
int scrape_request_make(const struct scrape_http *, const char *url, const char *const *extra, size_t n_extra,
                        struct arena *, struct http_fetch *out, struct err *);

/* The Accept header for a job: only what we can read, in its order of preference. */
const char *scrape_accept(const struct scrape_job *, struct arena *);
