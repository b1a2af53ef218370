/* tail.h - log files followed as they grow.
 *
 *     log_files:
 *       - name: app                          of this entry, in counters
 *         paths: [ /var/log/app.log* ]       globs
 *         exclude: ["*.gz"]                  of the whole path or the file's name
 *         service: checkout                  service.name; else the file's name without what follows a dot
 *         resource: { deployment.environment.name: prod }
 *         format: auto                       json: a line an object; plain: a line a text; auto: by its first
 * byte multiline_start: '^\d{4}-'         plain: lines that do not match belong to the one before from: end
 * where a file begins that was there before us: beginning, end
 *
 * Always true:
 *   1. At least once: how far a file has been read is written down (<data>/tail.json) after the rows are
 *      durable, at once; a crash in between reads the last round again.
 *   2. A file is known by device, inode and its first bytes, not by its name: renamed, it is read to its end
 *      under the old identity; truncated (shorter than it was read, or with another beginning), from 0.
 *   3. A line without its end waits for it, for a second when lines are joined and for five otherwise; a
 *      file that has gone is read to its end first.
 *   4. Bounded: files, bytes of a line (longer ones are cut, and say so), bytes read ahead of the disk.
 *
 * A tailed line is a log record: its JSON by log_document.h, else the line as body with the level found in
 * it; attributes log.file.path and, in plain text, the time of reading.
 *
 * Threads: its own. */
#pragma once
#include "base/yaml.h"
#include "receive/ingest.h"

struct tail;
struct tail_conf;

/* section: the value of `log_files`; NULL or empty: *out is NULL. */
int tail_conf_new(struct yaml *section, struct tail_conf **out, struct err *);
void tail_conf_free(struct tail_conf *); /* NULL is fine */

/* conf is taken. */
struct tail *tail_new(struct tail_conf *, const char *data_dir, struct store *, const struct limit *);
struct ingest *tail_ingest(struct tail *); /* NULL of NULL */
int tail_start(struct tail *, struct err *);
void tail_stop(struct tail *); /* NULL is fine */
void tail_free(struct tail *); /* NULL is fine */
