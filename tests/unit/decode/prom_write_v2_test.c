#include "decode/prom_write.h"

#include "base/check.h"
#include "unit/decode/wire.h"
#include "unit/test.h"

#define MIB ((size_t)1 << 20)

struct got {
    struct arena arena;
    struct batch batch;
    struct write_result refused;
    struct err err;
    int rc;
};

static struct got *decode_str(struct str body, size_t memory)
{
    static const struct decode_limits limits = DECODE_LIMITS_DEFAULT;
    struct got *g = calloc(1, sizeof *g);
    g->arena = (struct arena)ARENA_INIT(memory);
    g->rc = prom_write_v2(body, &limits, &g->arena, &g->batch, &g->refused, &g->err);
    return g;
}

static struct got *decode(struct wire *w)
{
    return decode_str(wire_str(w), 64 * MIB);
}

static void done(struct got *g, struct wire *w)
{
    arena_release(&g->arena);
    free(g);
    if (w != NULL) wire_free(w);
}

/* Symbols of most tests: 0 "", 1 "__name__", 2 "up", 3 "job", 4 "node", 5 help, 6 unit, 7 "lat_bucket" */
static void symbols(struct wire *w)
{
    static const char *const table[] = { "",     "__name__",          "up",      "job",
                                         "node", "Whether it is up.", "seconds", "lat_bucket" };
    for (size_t i = 0; i < COUNT(table); i++) wire_text(w, 4, table[i]);
}

static void sample(struct wire *series, double value, int64_t ms, int64_t start_ms)
{
    struct wire s = { 0 };
    wire_double(&s, 1, value);
    wire_varint(&s, 2, (uint64_t)ms);
    if (start_ms != 0) wire_varint(&s, 3, (uint64_t)start_ms);
    wire_message(series, 2, &s);
}

TEST(prom_write_v2_builds_packed_labels_from_symbols)
{
    struct wire w = { 0 }, ts = { 0 };
    symbols(&w);
    wire_bytes(&ts, 1, "\1\2\3\4", 4);
    sample(&ts, 1.5, 1000, 0);
    wire_message(&w, 5, &ts);

    struct got *g = decode(&w);
    const struct batch *b = &g->batch;
    EXPECT(g->rc == OK && b->spelling == LABELS_PACKED && b->n_series == 1 && b->n_rows == 1);
    EXPECT(str_eq(b->series[0].raw, STR("\010__name__\002up\003job\004node")));
    EXPECT(hash128_eq(b->series[0].key, hash128_seed(b->series[0].raw.p, b->series[0].raw.n, LABELS_PACKED)));
    EXPECT(b->value[0] == 1.5 && b->time_ms[0] == 1000 && b->start_ms == NULL &&
           g->refused.rejected_total == 0);
    done(g, &w);
}

TEST(prom_write_v2_spells_equal_labels_equally)
{
    struct wire w = { 0 }, ts = { 0 };
    symbols(&w);
    wire_bytes(&ts, 1, "\3\4\1\2", 4); /* out of order */
    sample(&ts, 1, 1, 0);
    wire_message(&w, 5, &ts);
    wire_varint(&ts, 1, 1); /* not packed, and around the sample */
    wire_varint(&ts, 1, 2);
    sample(&ts, 1, 1, 0);
    wire_bytes(&ts, 1, "\3\4\6\0", 4); /* "seconds" = "": no such label */
    wire_message(&w, 5, &ts);

    struct got *g = decode(&w);
    EXPECT(g->rc == OK && g->batch.n_series == 2 && g->refused.rejected_total == 0);
    EXPECT(str_eq(g->batch.series[0].raw, STR("\010__name__\002up\003job\004node")));
    EXPECT(str_eq(g->batch.series[1].raw, g->batch.series[0].raw));
    done(g, &w);
}

TEST(prom_write_v2_reads_symbols_that_come_last)
{
    struct wire w = { 0 }, ts = { 0 };
    wire_bytes(&ts, 1, "\1\2", 2);
    sample(&ts, 1, 1, 0);
    wire_message(&w, 5, &ts);
    symbols(&w);
    struct got *g = decode(&w);
    EXPECT(g->rc == OK && g->batch.n_series == 1);
    done(g, &w);
}

TEST(prom_write_v2_keeps_start_times)
{
    struct wire w = { 0 }, ts = { 0 };
    symbols(&w);
    wire_bytes(&ts, 1, "\1\2", 2);
    sample(&ts, 1, 1000, 0);
    sample(&ts, 2, 2000, 500);
    wire_message(&w, 5, &ts);
    wire_bytes(&ts, 1, "\1\4", 2);
    sample(&ts, 3, 3000, 0);
    sample(&ts, 4, 4000, 3500);
    wire_varint(&ts, 6, 250); /* created: for rows without their own */
    wire_message(&w, 5, &ts);

    struct got *g = decode(&w);
    static const int64_t want[] = { 0, 500, 250, 3500 };
    EXPECT(g->rc == OK && g->batch.n_rows == 4 && memcmp(g->batch.start_ms, want, sizeof want) == 0);
    done(g, &w);
}

TEST(prom_write_v2_keeps_metadata_once_a_family)
{
    struct wire w = { 0 }, ts = { 0 }, m = { 0 };
    symbols(&w);
    for (int i = 0; i < 3; i++) {
        wire_bytes(&ts, 1, "\1\7", 2); /* lat_bucket */
        sample(&ts, 1, i, 0);
        wire_varint(&m, 1, 3);
        wire_varint(&m, 3, 5);
        wire_varint(&m, 4, 6);
        wire_message(&ts, 5, &m);
        wire_message(&w, 5, &ts);
    }
    struct got *g = decode(&w);
    EXPECT(g->rc == OK && g->batch.n_rows == 3 && g->batch.n_metadata == 1);
    const struct batch_metadata *md = &g->batch.metadata[0];
    EXPECT(str_is(md->family, "lat") && str_is(md->type, "histogram") &&
           str_is(md->help, "Whether it is up.") && str_is(md->unit, "seconds"));
    done(g, &w);
}

TEST(prom_write_v2_keeps_histograms_and_exemplars)
{
    struct wire w = { 0 }, ts = { 0 }, h = { 0 }, x = { 0 };
    symbols(&w);
    wire_bytes(&ts, 1, "\1\2", 2);
    wire_varint(&h, 1, 3);
    wire_varint(&h, 6, 3);
    wire_double(&h, 3, 9);
    wire_varint(&h, 15, 111);
    wire_varint(&h, 17, 100);
    wire_message(&ts, 3, &h);
    wire_bytes(&x, 1, "\3\4", 2);
    wire_double(&x, 2, 0.5);
    wire_varint(&x, 3, 99);
    wire_message(&ts, 4, &x);
    wire_double(&x, 2, 0.25); /* an exemplar without labels is one too */
    wire_message(&ts, 4, &x);
    wire_message(&w, 5, &ts);

    struct got *g = decode(&w);
    EXPECT(g->rc == OK && g->batch.n_rows == 1 && g->batch.hist[0]->count == 3 && g->batch.time_ms[0] == 111);
    EXPECT(g->batch.start_ms[0] == 100);
    EXPECT(g->batch.n_exemplars == 2 && str_eq(g->batch.exemplars[0].labels, STR("\003job\004node")));
    EXPECT(g->batch.exemplars[0].time_ms == 99 && g->batch.exemplars[0].value == 0.5 &&
           g->batch.exemplars[1].labels.n == 0);
    done(g, &w);
}

TEST(prom_write_v2_refuses_bad_references_and_keeps_the_rest)
{
    static const struct {
        const char *refs;
        size_t n;
        enum reject reason;
        const char *text;
    } bad[] = {
        { "\1\2\3", 3, REJECT_labels, "odd" },
        { "\1\2\3\x63", 4, REJECT_labels, "beyond" },
        { "\1\2\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\1", 13, REJECT_labels, "beyond" },
        { "\1\2\1\2", 4, REJECT_labels, "duplicate" },
        { "\0\2", 2, REJECT_labels, "empty" },
        { "", 0, REJECT_labels, "without labels" },
        { "\1\x8", 2, REJECT_utf8, "UTF-8" },
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct wire w = { 0 }, ts = { 0 };
        symbols(&w);
        wire_bytes(&w, 4, "\xff\xfe", 2); /* symbol 8 */
        wire_bytes(&ts, 1, bad[i].refs, bad[i].n);
        sample(&ts, 1, 1, 0);
        sample(&ts, 2, 2, 0);
        wire_message(&w, 5, &ts);
        wire_bytes(&ts, 1, "\1\2", 2);
        sample(&ts, 3, 3, 0);
        wire_message(&w, 5, &ts);

        struct got *g = decode(&w);
        EXPECT(g->rc == OK && g->batch.n_series == 1 && g->batch.n_rows == 1 && g->batch.value[0] == 3);
        EXPECT(g->refused.rejected[bad[i].reason] == 2 && g->refused.rejected_total == 2);
        EXPECT(strstr(g->refused.why, "timeseries[0]") != NULL &&
               strstr(g->refused.why, bad[i].text) != NULL);
        done(g, &w);
    }
}

TEST(prom_write_v2_refuses_a_table_that_does_not_start_empty)
{
    struct wire w = { 0 };
    wire_text(&w, 4, "up");
    struct got *g = decode(&w);
    EXPECT(g->rc == ERR_PARSE && strstr(g->err.text, "symbols[0]") != NULL);
    done(g, &w);
}

TEST(prom_write_v2_names_the_place_of_damage)
{
    struct wire w = { 0 }, ts = { 0 };
    symbols(&w);
    wire_bytes(&ts, 1, "\1\2", 2);
    wire_bytes(&ts, 2, "\x09zz", 3);
    wire_message(&w, 5, &ts);
    struct got *g = decode(&w);
    EXPECT(g->rc == ERR_PARSE && strncmp(g->err.text, "timeseries[0].samples: byte ", 28) == 0);
    done(g, &w);
}

TEST(prom_write_v2_survives_being_cut_off_or_changed_anywhere)
{
    struct wire w = { 0 }, ts = { 0 }, h = { 0 }, x = { 0 }, m = { 0 };
    symbols(&w);
    wire_bytes(&ts, 1, "\1\2\3\4", 4);
    sample(&ts, 1, 1700000000000, 5);
    wire_varint(&h, 1, 3);
    wire_varint(&h, 6, 3);
    wire_message(&ts, 3, &h);
    wire_bytes(&x, 1, "\3\4", 2);
    wire_message(&ts, 4, &x);
    wire_varint(&m, 1, 1);
    wire_message(&ts, 5, &m);
    wire_message(&w, 5, &ts);

    for (size_t n = 0; n <= w.n; n++) {
        unsigned char *exact = malloc(n ? n : 1);
        memcpy(exact, w.p, n);
        struct got *g = decode_str(str_make(exact, n), MIB);
        EXPECT(g->rc == OK || (g->rc == ERR_PARSE && g->err.text[0] != 0));
        done(g, NULL);
        for (int flip = 1; n > 0 && flip < 256; flip += 6) { /* nothing to expect but that it comes back */
            exact[n - 1] ^= (unsigned char)flip;
            g = decode_str(str_make(exact, n), MIB);
            EXPECT(g->rc <= 0);
            done(g, NULL);
            exact[n - 1] = w.p[n - 1];
        }
        free(exact);
    }
    wire_free(&w);
}

TEST(prom_write_v2_bounds_memory_of_hostile_messages)
{
    struct wire w = { 0 };
    for (int i = 0; i < 1000000; i++)
        wire_raw(&w, "\x22\x00", 2); /* symbols: 24 bytes of ours for two of theirs */
    struct got *g = decode_str(wire_str(&w), MIB);
    EXPECT(g->rc == ERR_LIMIT && g->arena.used <= MIB);
    done(g, &w);

    struct wire ts = { 0 };
    symbols(&w);
    char *many = malloc(100000);
    for (int i = 0; i < 100000; i += 2) many[i] = 1, many[i + 1] = 2;
    wire_bytes(&ts, 1, many, 100000); /* 50 000 labels in one series */
    free(many);
    sample(&ts, 1, 1, 0);
    wire_message(&w, 5, &ts);
    g = decode(&w);
    EXPECT(g->rc == OK && g->batch.n_rows == 0 && g->refused.rejected[REJECT_label_limit] == 1);
    done(g, &w);
}

TESTS(CASE(prom_write_v2_builds_packed_labels_from_symbols), CASE(prom_write_v2_spells_equal_labels_equally),
      CASE(prom_write_v2_reads_symbols_that_come_last), CASE(prom_write_v2_keeps_start_times),
      CASE(prom_write_v2_keeps_metadata_once_a_family), CASE(prom_write_v2_keeps_histograms_and_exemplars),
      CASE(prom_write_v2_refuses_bad_references_and_keeps_the_rest),
      CASE(prom_write_v2_refuses_a_table_that_does_not_start_empty),
      CASE(prom_write_v2_names_the_place_of_damage),
      CASE(prom_write_v2_survives_being_cut_off_or_changed_anywhere),
      CASE(prom_write_v2_bounds_memory_of_hostile_messages))
