/* host.h - this machine as node_* series: the names and labels that dashboards for node_exporter expect, read
 * from /proc. */
#pragma once
#include "model/batch.h"

/* Adds one reading at time_ms to the batch (LABELS_PACKED). `root` is "" for this machine, or a folder
 * holding proc/ for tests. What cannot be read is left out: a container may hide any of it. Pure but for the
 * files; any thread. */
void host_read(struct batch *, const char *root, struct str job, struct str instance, int64_t time_ms);

/* Our own process as process_* series, with the labels job and instance. */
void host_read_process(struct batch *, const char *root, struct str job, struct str instance,
                       int64_t time_ms);
