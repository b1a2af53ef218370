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
#define ASK_TABLE(name, t)                                                                                   \
    ASK(name##_rows, table[t].rows_on_disk)                                                                  \
    ASK(name##_parts, table[t].parts)                                                                        \
    ASK(name##_disk, table[t].bytes_on_disk)                                                                 \
    ASK(name##_head_rows, table[t].head_rows)                                                                \
    ASK(name##_head_bytes, table[t].head_bytes)
ASK_TABLE(metrics, TABLE_METRICS)
ASK_TABLE(logs, TABLE_LOGS)
ASK_TABLE(spans, TABLE_SPANS)
#undef ASK_TABLE
#undef ASK

#define OF_TABLE(name)                                                                                       \
    { "vedette_store_table_rows", "Rows on disk, by table.", ask_##name##_rows, "table=\"" #name "\"" },     \
        { "vedette_store_table_parts", "Files of rows on disk, by table.", ask_##name##_parts,               \
          "table=\"" #name "\"" },                                                                           \
        { "vedette_store_table_disk_bytes", "Bytes on disk, by table.", ask_##name##_disk,                   \
          "table=\"" #name "\"" },                                                                           \
        { "vedette_store_table_head_rows", "Rows in memory, by table.", ask_##name##_head_rows,              \
          "table=\"" #name "\"" },                                                                           \
    {                                                                                                        \
        "vedette_store_table_head_bytes", "Memory of those, by table.", ask_##name##_head_bytes,             \
            "table=\"" #name "\""                                                                            \
    }

static const struct {
    const char *name, *help;
    double (*ask)(void *);
    const char *labels;
} gauges[STORE_GAUGES] = {
    { "vedette_store_active_series", "Series with samples in the open days.", ask_series },
    { "vedette_store_parts", "Files of rows on disk, of all tables.", ask_parts },
    { "vedette_store_disk_bytes", "Bytes of all tables on disk, without the write-ahead log.", ask_disk },
    { "vedette_store_wal_bytes", "Bytes of the write-ahead log still needed.", ask_wal },
    { "vedette_store_head_rows", "Samples in memory, not yet in a part.", ask_head_rows },
    { "vedette_store_head_bytes", "Memory of those.", ask_head_bytes },
    { "vedette_store_read_only", "1 while writes are refused: disk full or failing.", ask_read_only },
    OF_TABLE(metrics),
    OF_TABLE(logs),
    OF_TABLE(spans),
};

void store_gauges_start(struct store_gauges *g, struct store *store)
{
    for (size_t i = 0; i < STORE_GAUGES; i++)
        g->asked[i] =
            stat_ask(STAT_GAUGE, gauges[i].name, gauges[i].help, gauges[i].labels, gauges[i].ask, store);
}

void store_gauges_stop(struct store_gauges *g)
{
    for (size_t i = 0; i < STORE_GAUGES; i++)
        if (g->asked[i] != NULL) stat_forget(g->asked[i]);
}
