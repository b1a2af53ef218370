/* embedded.h - the engine inside the process: opens a data directory as a struct store (model/store.h). */
#pragma once
#include "base/work.h"
#include "model/store.h"

struct embedded_conf {
    const char *dir;
    int64_t retention_ms;         /* of metrics; 0 = for ever */
    uint64_t retention_bytes;     /* of all tables together: the oldest days go first; 0 = no limit */
    bool tier_5m, tier_1h;        /* summaries of closed days by 5 minutes and by hours: tier.h */
    int64_t retention_rollups_ms; /* of these; 0 = for ever */
    int64_t retention_logs_ms, retention_spans_ms;                                 /* 0 = for ever */
    uint64_t retention_metrics_bytes, retention_logs_bytes, retention_spans_bytes; /* of each; 0 = no limit */
    size_t head_bytes;   /* memory for rows not yet in files: half of it fills while the other is flushed; 0 =
                            32 MiB */
    int64_t head_age_ms; /* flush when older; 0 = 5 min */
    int64_t sync_interval_ms; /* of ACK_MEMORY writes; 0 = 1000 */
    uint64_t max_series;      /* active series; 0 = 10 M */
    uint64_t max_series_per_metric, max_values_per_label, max_series_bytes; /* 0 = no limit: registry.h */
    uint64_t min_free_bytes;    /* writes are refused below; 0 = 64 MiB */
    bool read_only;             /* fsck, query --data: no lock, no writes */
    uint64_t wal_segment_bytes; /* of the log, reserved in advance; less on a small disk; 0 = 64 MiB */
    const char *key_file;       /* encryption at rest (docs/encryption.md); NULL: none */
    int64_t wal_retry_ms;       /* after the disk has refused the log; 0 = 1000 */
};

int embedded_open(const struct embedded_conf *, struct store **out, struct err *);

/* The key of an encrypted store exchanged: the store is not rewritten, only what its own key is wrapped in.
 * Not while it is open. */
int embedded_rotate_key(const char *dir, const char *key_file, const char *next_key_file, struct err *);

/* For embedded_fsck of an encrypted store: its key, until embedded_lock. */
int embedded_unlock(const char *dir, const char *key_file, struct err *);
void embedded_lock(const char *dir);

/* Verify every checksum and every promise of the format. Calls line() once per finding and once per file
 * checked. An encrypted store: checksums only, unless its key was given to embedded_unlock. */
struct fsck_report {
    uint64_t files, bytes, parts, rows, damaged;
};
int embedded_fsck(const char *dir, void (*line)(void *ctx, const char *text), void *ctx, struct fsck_report *,
                  struct err *);
