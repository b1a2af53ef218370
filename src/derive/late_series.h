/* late_series.h - span metrics of spans that came too late to be counted as they came: imports, replays,
 * senders that were cut off. They are counted again and again from what the store has, an hour of their own
 * time at once, and written at that time:
 *
 *     traces_spanmetrics_* and span_duration_milliseconds_* with the label vedette_late="true"
 *
 * Always true:
 *   1. An hour's samples are a function of the late spans (RECORD_LATE) that the store holds of it, so what
 * comes twice counts once, and counting an hour anew writes the same samples over the old ones.
 *   2. Every series of an hour begins with zero on its hour, has a sample in the middle of each minute and
 * ends with a stale marker: rate() and increase() of a minute and more see all of it.
 *   3. A span that was counted when it came first, and came again late, is not counted here (while recent.h
 *      remembers it).
 *
 * A minute's sample covers the spans that began up to it, as TraceQL's series do. Which hours are due is kept
 * in memory only: what a crash interrupts is counted when another late span of that hour comes.
 *
 * Threads: late_series_note from any; late_series_write from one. */
#pragma once
#include "derive/span_metrics.h"
#include "model/store.h"

struct late_series;

/* Labels of a span, in the order of the shape that span_metrics_new(conf) has. In the arena or borrowed. */
typedef void late_labels(void *ctx, const struct record *, struct arena *, struct str *service,
                         struct str dimensions[SPAN_DIMENSIONS_MAX]);
/* Was it counted when it came? */
typedef bool late_counted(void *ctx, const struct record *);

struct late_series *late_series_new(struct store *, const struct span_metrics_conf *, late_labels *,
                                    late_counted *, void *ctx);
void late_series_free(struct late_series *); /* NULL is fine */

/* A late span that began then has been written; false: too many hours are due, it will not be counted. */
bool late_series_note(struct late_series *, int64_t start_ns, int64_t now_ms);
/* Counts the hours that nothing was added to for quiet_ms, or that wait for LATE_WAIT_MS; begins none after
 * work_ms.
 */
int late_series_write(struct late_series *, int64_t now_ms, int64_t quiet_ms, int64_t work_ms, struct err *);

#define LATE_HOURS_MAX 8192 /* due at once: most of a year */
#define LATE_WAIT_MS   60000
