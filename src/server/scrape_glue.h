/* scrape_glue.h - the scraper plugged into the server: configuration in, targets out to the API.
 *
 * Open it after the store and the API's struct, close it before the store. Without scrape_configs no thread
 * is started. */
#pragma once
#include "base/yaml.h"
#include "receive/scrape.h"
#include "tell/api_prometheus.h"

struct scrape_glue {
    struct store *store;
    struct scrape_conf *conf; /* the one in force */
    struct scrape_conf *past; /* the one before: the API may still be showing its external labels */
    struct scrape_manager *manager;
    struct scrape_source source; /* what api->scrape points to: this struct must stay where it is */
};

/* root and file as in scrape_conf_parse. Fills api->scrape and api->external_labels. */
int scrape_glue_open(struct scrape_glue *, struct yaml *root, const char *file, struct store *,
                     struct prometheus_api *, struct err *);
/* On failure the old configuration stays. From one thread at a time. */
int scrape_glue_reload(struct scrape_glue *, struct yaml *root, const char *file, struct prometheus_api *,
                       struct err *);
void scrape_glue_print(const struct scrape_glue *, struct buf *out); /* for prometheus_api.config_yaml */
void scrape_glue_close(struct scrape_glue *);
