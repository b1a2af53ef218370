/* table.c - see table.h. */
#include "store/table.h"

#include <stdio.h>

#include "base/check.h"
#include "base/file.h"
#include "store/catalog.h"

/* ---- parts of metrics ---- */

static int open_part(struct store_file *f, struct err *e)
{
    int rc = part_open(f->path, &f->part, e);
    if (rc < 0) return rc;
    f->info = *part_info(f->part);
    f->rows = f->info.rows;
    f->min_ms = f->info.min_time_ms;
    f->max_ms = f->info.max_time_ms;
    return OK;
}

static void close_part(struct store_file *f)
{
    if (f->part != NULL) part_close(f->part);
}

static int join_parts(const struct table_join *j, struct err *e)
{
    struct part *sources[STORE_JOIN_MAX];
    struct part_info info;
    for (size_t i = 0; i < j->n; i++) sources[i] = j->sources[i]->part;
    return part_join(sources, j->n, j->path, j->id->level, j->id->sequence, j->zstd_level, j->throttle,
                     j->ctx, &info, j->losses, e);
}

/* ---- summaries of metrics ---- */

static int open_tier(struct store_file *f, struct err *e)
{
    int rc = part_open(f->path, &f->tier, e);
    if (rc == OK) f->info = *part_info(f->tier);
    return rc;
}

static void close_tier(struct store_file *f)
{
    if (f->tier != NULL) part_close(f->tier);
}

/* A day has one of a kind: it is built anew, never joined. */
static int join_tiers(const struct table_join *j, struct err *e)
{
    return err_set(e, ERR_UNSUPPORTED, "%s: files of summaries are not joined", j->path);
}

/* ---- indexes of series ---- */

static int open_index(struct store_file *f, struct err *e)
{
    return day_index_open(f->path, &f->index, e);
}

static void close_index(struct store_file *f)
{
    if (f->index != NULL) day_index_close(f->index);
}

static int join_indexes(const struct table_join *j, struct err *e)
{
    struct day_index *sources[STORE_JOIN_MAX];
    uint64_t bytes;
    for (size_t i = 0; i < j->n; i++) sources[i] = j->sources[i]->index;
    return day_index_join(sources, j->n, j->path, &bytes, j->losses, e);
}

/* ---- logs and spans ---- */

static int open_records(struct store_file *f, struct err *e)
{
    const struct record_layout *layout = record_layout(file_type(f->id.kind)->table);
    int rc = record_part_open(f->path, layout, &f->records, e);
    if (rc < 0) return rc;
    const struct record_part_info *info = record_part_info(f->records);
    f->rows = info->rows;
    f->min_ms = info->min_ns / 1000000;
    f->max_ms = info->max_ns / 1000000;
    return OK;
}

static void close_records(struct store_file *f)
{
    if (f->records != NULL) record_part_close(f->records);
}

static int64_t verify_logs(const char *path, void (*report)(void *ctx, const char *text), void *ctx,
                           struct err *e)
{
    return record_part_verify(path, record_layout(TABLE_LOGS), report, ctx, e);
}

static int64_t verify_spans(const char *path, void (*report)(void *ctx, const char *text), void *ctx,
                            struct err *e)
{
    return record_part_verify(path, record_layout(TABLE_SPANS), report, ctx, e);
}

static int join_records(const struct table_join *j, struct err *e)
{
    struct record_part *sources[STORE_JOIN_MAX];
    struct record_part_info info;
    for (size_t i = 0; i < j->n; i++) sources[i] = j->sources[i]->records;
    return record_part_join(sources, j->n, j->path, record_layout(file_type(j->id->kind)->table),
                            j->id->level, j->id->sequence, j->zstd_level, j->throttle, j->ctx, &info,
                            j->losses, e);
}

/* ---- the table of kinds ---- */

static const struct file_type types[] = {
    [FILE_PART] = { TABLE_METRICS, "part", true, open_part, close_part, part_verify, join_parts },
    [FILE_INDEX] = { TABLE_METRICS, "idx", false, open_index, close_index, day_index_verify, join_indexes },
    [FILE_LOGS] = { TABLE_LOGS, "part", true, open_records, close_records, verify_logs, join_records },
    [FILE_TIER_5M] = { TABLE_METRICS, "5m", false, open_tier, close_tier, part_verify, join_tiers },
    [FILE_TIER_1H] = { TABLE_METRICS, "1h", false, open_tier, close_tier, part_verify, join_tiers },
    [FILE_SPANS] = { TABLE_SPANS, "part", true, open_records, close_records, verify_spans, join_records },
};

bool file_kind_valid(unsigned kind)
{
    return kind < COUNT(types) && types[kind].open != NULL;
}

const struct file_type *file_type(enum file_kind kind)
{
    check(file_kind_valid(kind));
    return &types[kind];
}

enum file_kind table_kind(enum table t)
{
    static const enum file_kind kinds[TABLE_COUNT] = { FILE_PART, FILE_LOGS, FILE_SPANS };
    check((unsigned)t < TABLE_COUNT);
    return kinds[t];
}

static int each_dir(const char *data, int (*what)(const char *path, struct err *), struct err *e)
{
    char path[4300];
    int rc = OK;
    for (int t = 0; rc == OK && t < TABLE_COUNT; t++) {
        snprintf(path, sizeof path, "%s/%s", data, table_name((enum table)t));
        rc = what(path, e);
    }
    return rc;
}

int table_dirs_make(const char *data, struct err *e)
{
    return each_dir(data, file_mkdirs, e);
}

int table_dirs_sync(const char *data, struct err *e)
{
    return each_dir(data, file_sync_dir, e);
}
