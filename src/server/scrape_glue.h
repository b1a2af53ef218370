/* scrape_glue.h - the scraper plugged into the server: configuration in, targets out to the API.
 *
 * Who opens and closes: after the store and the HTTP client, before them when closing. */
#pragma once
#include "base/yaml.h"
#include "net/http_client.h"
#include "receive/scrape.h"
#include "tell/api_prometheus.h"

struct scrape_glue {
    struct scrape_conf *conf; /* the one in force */
    struct scrape_manager *manager;
    struct scrape_source
        source; /* for prometheus_api.scrape; lives as long as this struct stays where it is */
};

/* root and file as in scrape_conf_parse. Fills api->scrape and api->external_labels. */
int scrape_glue_open(struct scrape_glue *, struct yaml *root, const char *file, struct store *,
                     struct http_client *, struct prometheus_api *, struct err *);
/* On failure the old configuration stays. */
int scrape_glue_reload(struct scrape_glue *, struct yaml *root, const char *file, struct prometheus_api *,
                       struct err *);
void scrape_glue_print(const struct scrape_glue *, struct buf *out); /* for prometheus_api.config_yaml */
void scrape_glue_close(struct scrape_glue *);
