/* scrape_config_impl.h - what the files of scrape_config share. */
#pragma once
#include "receive/scrape_config.h"
#include "base/yaml_read.h"

void scrape_http_read(struct reader *, struct yaml *map, const struct scrape_conf *, struct scrape_http *out);
void scrape_http_print(const struct scrape_http *, const char *indent, bool secrets, struct buf *out);
void discover_read(struct reader *, struct yaml *job_map, const struct scrape_conf *, struct scrape_job *job);
void scrape_job_print(const struct scrape_job *, bool secrets, struct buf *out);
const char *scrape_protocol_name(enum scrape_protocol);
