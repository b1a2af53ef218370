/* store_gauges.c - see store_gauges.h. Asked for when read: the store is not told to count anything twice. */
#include "server/store_gauges.h"

#include "base/check.h"

static struct store_status status_of(void *store)
{
    struct store_status status;
    store_status(store, &status);
    return status;
}

#define ASK(name, field)                                                                                     \
    static double ask_##name(void *store)                                                                    \
    {                                                                                                        \
        return (double)status_of(store).field;                                                               \
    }
ASK(series, series_active)
ASK(parts, parts)
ASK(disk, bytes_on_disk)
ASK(wal, wal_bytes)
ASK(head_rows, head_rows)
ASK(head_bytes, head_bytes)
ASK(read_only, read_only)
#undef ASK

static const struct {
    const char *name, *help;
    double (*ask)(void *);
} gauges[STORE_GAUGES] = {
    { "vedette_store_active_series", "Series with samples in the open days.", ask_series },
    { "vedette_store_parts", "Files of samples on disk.", ask_parts },
    { "vedette_store_disk_bytes", "Bytes of samples and indexes on disk, without the write-ahead log.",
      ask_disk },
    { "vedette_store_wal_bytes", "Bytes of the write-ahead log still needed.", ask_wal },
    { "vedette_store_head_rows", "Samples in memory, not yet in a part.", ask_head_rows },
    { "vedette_store_head_bytes", "Memory of those.", ask_head_bytes },
    { "vedette_store_read_only", "1 while writes are refused: disk full or failing.", ask_read_only },
};

void store_gauges_start(struct store_gauges *g, struct store *store)
{
    for (size_t i = 0; i < STORE_GAUGES; i++)
        g->asked[i] = stat_ask(STAT_GAUGE, gauges[i].name, gauges[i].help, NULL, gauges[i].ask, store);
}

void store_gauges_stop(struct store_gauges *g)
{
    for (size_t i = 0; i < STORE_GAUGES; i++)
        if (g->asked[i] != NULL) stat_forget(g->asked[i]);
}
