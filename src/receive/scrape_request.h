/* scrape_request.h - what a scrape asks a target for. */
#pragma once
#include "receive/scrape_config.h"

/* The Accept header for a job: only what we can read, in its order of preference. */
const char *scrape_accept(const struct scrape_job *, struct arena *);
