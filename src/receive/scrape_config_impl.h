/* scrape_config_impl.h - what the files of scrape_config share. */
#pragma once
#include "base/yaml_read.h"
#include "receive/scrape_config.h"

void discover_read(struct reader *, struct yaml *job_map, struct scrape_job *job);
void scrape_job_print(const struct scrape_job *, bool secrets, struct buf *out);
const char *scrape_protocol_name(enum scrape_protocol);
